//! Frames on their way to other sessions: numbered, one in flight to each, and batched by what waits meanwhile.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use callboard_protocol::identity::{Boot, Incarnation};

use crate::store::{Failure, Sent};

/// The lanes to one kind of stream. `T` is what a frame is made of.
#[derive(Debug)]
pub(crate) struct Courier<T> {
    lanes: BTreeMap<Boot, Lane<T>>,
    /// Numbers of the last frames to sessions that have no lane now, the oldest first: a session that is gone by one
    /// memory of the store may be there by another.
    numbers: VecDeque<(Boot, u64)>,
}

/// Of how many sessions without a lane the last number is remembered.
const NUMBERS_MAX: usize = 1024;

#[derive(Debug)]
struct Lane<T> {
    last: u64,
    waiting: VecDeque<T>,
    frame: Option<InFlight<T>>,
}

/// A frame that is not known to be appended.
#[derive(Debug)]
struct InFlight<T> {
    number: u64,
    bytes: Bytes,
    incarnation: Incarnation,
    items: Vec<T>,
    /// Whether an answer is awaited.
    asked: bool,
    /// Whether it may have been appended without our knowing.
    doubted: bool,
}

/// A frame to be sent.
pub(crate) struct ToSend {
    pub(crate) to: Boot,
    pub(crate) number: u64,
    pub(crate) bytes: Bytes,
    /// How many calls or answers are in it.
    pub(crate) messages: usize,
}

/// What became of a frame's items.
pub(crate) enum Settled<T> {
    /// Nothing is known; the frame goes out again.
    Again,
    /// Nothing is known; the frame goes out again after a pause.
    Wait,
    /// They are in the stream.
    Appended(Vec<T>),
    /// They are not in the stream, for want of room.
    Full(Vec<T>),
    /// They are not in the stream, and nothing else that waited will be: the session is gone.
    Gone(Vec<T>),
    /// They are not in the stream, as the store refused the command. They are in line again.
    Refused(Vec<T>),
}

impl<T> Default for Courier<T> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), numbers: VecDeque::new() }
    }
}

impl<T: Clone> Courier<T> {
    /// Puts something in line for a session.
    pub(crate) fn push(&mut self, to: Boot, item: T) {
        let numbers = &self.numbers;
        let lane = self.lanes.entry(to).or_insert_with(|| {
            let known = numbers.iter().find(|(boot, _)| *boot == to);
            Lane { last: known.map_or(0, |(_, last)| *last), waiting: VecDeque::new(), frame: None }
        });
        lane.waiting.push_back(item);
    }

    fn remember(&mut self, boot: Boot, last: u64) {
        self.numbers.retain(|(other, _)| *other != boot);
        if last > 0 {
            self.numbers.push_back((boot, last));
        }
        while self.numbers.len() > NUMBERS_MAX {
            self.numbers.pop_front();
        }
    }

    /// What is in the frame on its way to a session.
    pub(crate) fn in_flight(&self, to: Boot) -> &[T] {
        let frame = self.lanes.get(&to).and_then(|lane| lane.frame.as_ref());
        frame.map_or(&[], |frame| &frame.items)
    }

    /// Whether nothing is on its way to any session.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.values().all(|lane| lane.waiting.is_empty() && lane.frame.is_none())
    }

    /// The next frame that can go out to some session: one whose answer was lost, or a new one, which `make` builds
    /// from a number and what waits. `make` may find nothing worth a frame.
    pub(crate) fn next(
        &mut self,
        incarnation: &Incarnation,
        mut make: impl FnMut(Boot, u64, &mut VecDeque<T>) -> Option<(Bytes, Vec<T>)>,
    ) -> Option<ToSend> {
        for (to, lane) in &mut self.lanes {
            if let Some(frame) = &mut lane.frame {
                if frame.asked || frame.incarnation != *incarnation {
                    continue;
                }
                frame.asked = true;
                let (number, bytes, messages) = (frame.number, frame.bytes.clone(), frame.items.len());
                return Some(ToSend { to: *to, number, bytes, messages });
            }
            if lane.waiting.is_empty() {
                continue;
            }
            let number = lane.last + 1;
            let Some((bytes, items)) = make(*to, number, &mut lane.waiting) else { continue };
            let messages = items.len();
            lane.last = number;
            lane.frame = Some(InFlight {
                number,
                bytes: bytes.clone(),
                incarnation: incarnation.clone(),
                items,
                asked: true,
                doubted: false,
            });
            return Some(ToSend { to: *to, number, bytes, messages });
        }
        None
    }

    /// Something came of the frame in flight to a session.
    pub(crate) fn settled(&mut self, to: Boot, result: &Result<Sent, Failure>) -> Settled<T> {
        let Some(lane) = self.lanes.get_mut(&to) else { return Settled::Again };
        let Some(mut frame) = lane.frame.take() else { return Settled::Again };
        match result {
            Ok(Sent::Now | Sent::Before | Sent::Kept) => Settled::Appended(frame.items),
            // A first copy of it may still come in, once there is room.
            Ok(Sent::Full) if frame.doubted => {
                frame.asked = false;
                lane.frame = Some(frame);
                Settled::Wait
            }
            Ok(Sent::Full) => {
                lane.last -= 1;
                Settled::Full(frame.items)
            }
            Ok(Sent::Gone) => {
                frame.items.extend(lane.waiting.drain(..));
                let last = lane.last - 1;
                self.lanes.remove(&to);
                self.remember(to, last);
                Settled::Gone(frame.items)
            }
            Err(Failure::Refused(_)) if !frame.doubted => {
                lane.last -= 1;
                // Before what waits behind it: a later one must not overtake.
                let again = frame.items.clone();
                for item in frame.items.into_iter().rev() {
                    lane.waiting.push_front(item);
                }
                Settled::Refused(again)
            }
            Err(failure) => {
                frame.asked = false;
                frame.doubted |= *failure == Failure::Silent;
                lane.frame = Some(frame);
                Settled::Again
            }
        }
    }

    /// Takes out of the frame in flight what `take` wants: mutants only.
    pub(crate) fn abandon(&mut self, to: Boot) -> Vec<T> {
        let lane = self.lanes.get_mut(&to);
        lane.and_then(|lane| lane.frame.take()).map_or_else(Vec::new, |frame| frame.items)
    }

    /// Forgets sessions that `keep` refuses and gives back what waited there without being in a frame. A frame in
    /// flight there stays, as it may have been appended.
    pub(crate) fn forget(&mut self, keep: impl Fn(Boot) -> bool) -> Vec<T> {
        let (mut back, mut gone) = (Vec::new(), Vec::new());
        self.lanes.retain(|to, lane| {
            if keep(*to) {
                return true;
            }
            back.extend(lane.waiting.drain(..));
            if lane.frame.is_none() {
                gone.push((*to, lane.last));
            }
            lane.frame.is_some()
        });
        for (boot, last) in gone {
            self.remember(boot, last);
        }
        back
    }

    /// The store lost its memory: what waited comes back, and what was in flight, both apart.
    pub(crate) fn reset(&mut self) -> (Vec<T>, Vec<T>) {
        let (mut waiting, mut in_flight) = (Vec::new(), Vec::new());
        for (boot, lane) in std::mem::take(&mut self.lanes) {
            self.remember(boot, lane.last);
            waiting.extend(lane.waiting);
            in_flight.extend(lane.frame.into_iter().flat_map(|frame| frame.items));
        }
        (waiting, in_flight)
    }
}
