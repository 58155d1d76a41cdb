//! Who is asked: nodes of Callboard, or a Next.js server with the same actions.

mod catalogue;
mod place;
mod waiting;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

pub(crate) use catalogue::{Admin, Catalogue, Source};
pub(crate) use place::{Ownership, Place};
pub(crate) use waiting::wait;

use crate::{
    client::{self, Client, Trust},
    observation::TargetId,
    scenario::Load,
    view::TargetState,
};

/// What kind of server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Callboard,
    Next,
}

impl Kind {
    /// As the command line and the results name it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Callboard => "callboard",
            Self::Next => "next",
        }
    }
}

/// The servers of a run. They may come and go while it runs: handles are of the same servers.
#[derive(Clone)]
pub(crate) struct Targets(Rc<Inner>);

struct Inner {
    settings: client::Settings,
    trust: Trust,
    kind: Kind,
    /// By their numbers. Those that went away stay in it, as numbers are never used again.
    all: RefCell<Vec<Target>>,
    serving: RefCell<Vec<TargetId>>,
    turn: Cell<usize>,
}

struct Target {
    place: Place,
    /// None any more once it was removed.
    client: Option<Rc<Client>>,
}

impl Targets {
    /// None yet.
    pub(crate) fn new(load: &Load, kind: Kind, trust: Trust) -> Self {
        let settings = client::Settings { http: load.http, connections_max: load.connections_max };
        Self(Rc::new(Inner {
            settings,
            trust,
            kind,
            all: RefCell::default(),
            serving: RefCell::default(),
            turn: Cell::new(0),
        }))
    }

    /// One more, which is asked from now on.
    ///
    /// # Errors
    ///
    /// If its name is that of no host, or nothing that can be spoken TLS with.
    pub(crate) fn add(&self, place: Place) -> anyhow::Result<TargetId> {
        let endpoint = place.endpoint(&self.0.trust, self.0.settings.http)?;
        let client = Rc::new(Client::new(endpoint, &self.0.settings));
        let mut all = self.0.all.borrow_mut();
        all.push(Target { place, client: Some(client) });
        let id = TargetId(all.len() - 1);
        self.0.serving.borrow_mut().push(id);
        Ok(id)
    }

    /// It is chosen no more; what it was asked goes on.
    pub(crate) fn pause(&self, id: TargetId) {
        self.0.serving.borrow_mut().retain(|serving| *serving != id);
    }

    /// It is chosen again.
    pub(crate) fn resume(&self, id: TargetId) {
        let is_there = self.client(id).is_some();
        let mut serving = self.0.serving.borrow_mut();
        if is_there && !serving.contains(&id) {
            serving.push(id);
        }
    }

    /// It is asked no more. What waits for a connection to it gets none, what was sent goes on.
    pub(crate) fn remove(&self, id: TargetId) {
        self.pause(id);
        let client = self.0.all.borrow_mut().get_mut(id.0).and_then(|target| target.client.take());
        if let Some(client) = client {
            client.close();
        }
    }

    /// The one whose turn it is.
    pub(crate) fn choose(&self) -> Option<TargetId> {
        let serving = self.0.serving.borrow();
        let turn = self.0.turn.get();
        self.0.turn.set(turn.wrapping_add(1));
        serving.get(turn.checked_rem(serving.len())?).copied()
    }

    /// Who talks to it, unless it was removed.
    pub(crate) fn client(&self, id: TargetId) -> Option<Rc<Client>> {
        self.0.all.borrow().get(id.0)?.client.clone()
    }

    /// Whether it is asked.
    pub(crate) fn state(&self, id: TargetId) -> TargetState {
        match self.client(id) {
            None => TargetState::Down,
            Some(_) if self.0.serving.borrow().contains(&id) => TargetState::Up,
            Some(_) => TargetState::Paused,
        }
    }

    /// Where it is, or was.
    pub(crate) fn place(&self, id: TargetId) -> Option<Place> {
        self.0.all.borrow().get(id.0).map(|target| target.place.clone())
    }

    /// All there were so far, by their numbers.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.0.all.borrow().iter().map(|target| target.place.clone()).collect()
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{Http, Rate, Spacing};

    fn targets(count: u16) -> Targets {
        let load = Load {
            rate: Rate::Constant(1.0),
            spacing: Spacing::Even,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            connections_max: 1,
            http: Http::One,
            timeout: Duration::from_secs(1),
        };
        let targets = Targets::new(&load, Kind::Callboard, Trust::System);
        for port in 1..=count {
            targets.add(Place::parse(&format!("http://127.0.0.1:{port}")).unwrap()).unwrap();
        }
        targets
    }

    fn chosen(targets: &Targets, count: usize) -> Vec<usize> {
        (0..count).filter_map(|_| targets.choose()).map(|id| id.0).collect()
    }

    #[test]
    fn targets_take_turns() {
        assert_eq!(chosen(&targets(3), 6), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_number_is_never_used_again() {
        let targets = targets(2);
        targets.remove(TargetId(1));
        let id = targets.add(Place::parse("http://127.0.0.1:9").unwrap()).unwrap();
        assert_eq!(id, TargetId(2));
        assert_eq!(chosen(&targets, 4).iter().filter(|id| **id == 1).count(), 0);
        assert!(targets.client(TargetId(1)).is_none());
    }

    #[test]
    fn where_nobody_serves_nobody_is_chosen() {
        let targets = targets(1);
        targets.pause(TargetId(0));
        assert_eq!(targets.choose(), None);
        targets.resume(TargetId(0));
        assert_eq!(targets.choose(), Some(TargetId(0)));
    }
}
