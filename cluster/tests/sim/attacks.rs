//! States that somebody with bad intentions or bad luck could bring about, one exact order of events each.

use std::collections::BTreeSet;

use callboard_cluster::{
    clock::Instant,
    core::{Connection, Ended, Input},
    store::{Answer, Command, EntryId, Orphan, Stream},
};
use callboard_protocol::{
    envelope::{Answer as CallAnswer, Idempotency, TransferEnd},
    identity::{Boot, ProcessId, RedisMillis},
};

use crate::lab::Lab;

const KEY: Option<Idempotency> = Some(Idempotency { key: 7, digest: 1, retention_s: 86_400 });

/// The lab itself: a call goes to its owner and its outcome comes back.
#[test]
fn a_call_runs_at_its_owner() {
    let mut lab = Lab::new(2, 1);
    let call = lab.call_of(1);
    let call = lab.submit(0, &call);
    lab.run(5);
    lab.end(1, call, false);
    lab.run(5);
    assert_eq!(lab.said(0, call), Some(CallAnswer::Done));
}

/// A key beyond the limit of a section makes a frame that its owner cannot read. Whatever comes behind it, from the
/// same sender, waits for a frame that is not known to have been there.
#[test]
fn a_frame_that_cannot_be_read_holds_up_nobody_behind_it() {
    let mut lab = Lab::new(2, 1);
    let long = lab.keyed_call_of(1, &"k".repeat(70_000));
    lab.submit(0, &long);
    lab.run(5);
    let next = lab.call_of(1);
    let next = lab.submit(0, &next);
    lab.run(500);
    assert!(
        lab.run_of(1, next).is_some(),
        "{} bad frames, and the call behind them waits",
        lab.nodes[1].bad_frames
    );
}

/// The same, until the inbox is full: then nobody else can call that node either.
#[test]
fn a_frame_that_cannot_be_read_does_not_shut_out_other_callers() {
    let mut lab = Lab::new(3, 1);
    let long = lab.keyed_call_of(1, &"k".repeat(70_000));
    lab.submit(0, &long);
    lab.run(5);
    for _ in 0..300 {
        let call = lab.call_of(1);
        let call = lab.submit(0, &call);
        lab.run(2);
        if lab.run_of(1, call).is_some() {
            lab.end(1, call, false);
        }
    }
    let other = lab.call_of(1);
    let other = lab.submit(2, &other);
    lab.run(50);
    assert!(lab.run_of(1, other).is_some(), "another node's call was answered {:?}", lab.said(2, other));
}

/// An idempotent call's first attempt is given up for its owner that sleeps; the second runs here. The owner wakes,
/// and the first outcome comes, of which more follows: whoever reads has to be told so.
#[test]
fn an_outcome_of_an_earlier_attempt_is_not_taken_for_the_whole() {
    let mut lab = Lab::new(2, 1);
    let mut call = lab.call_of(1);
    call.idempotent = true;
    let call = lab.submit(0, &call);
    lab.run(5);
    assert!(lab.run_of(1, call).is_some());
    lab.nodes[1].paused = true;
    lab.run(1_500);
    assert!(lab.run_of(0, call).is_some(), "the second attempt runs here");
    lab.nodes[1].paused = false;
    lab.end(1, call, true);
    lab.run(20);
    let answered = lab.answer_of(0, call).expect("the first outcome came");
    assert_eq!((answered.answer, answered.attempt, answered.run), (CallAnswer::Done, 1, None));
    assert!(answered.rest.is_some(), "half of an outcome counts as all of it");
}

/// The same with the second attempt at a third node: the rest is asked of the node that has it.
#[test]
fn the_rest_of_an_outcome_is_asked_of_the_node_that_has_it() {
    let mut lab = Lab::new(3, 1);
    let mut call = lab.call_of(1);
    call.idempotent = true;
    let call = lab.submit(0, &call);
    lab.run(5);
    lab.nodes[1].paused = true;
    lab.run(1_500);
    if lab.run_of(2, call).is_none() {
        // Its second choice is the caller itself, which is the other test.
        return;
    }
    lab.nodes[1].paused = false;
    lab.end(1, call, true);
    lab.run(20);
    assert!(lab.answer_of(0, call).expect("it came").rest.is_some());
    let broken = lab.nodes[0].delivered.iter().any(|(_, _, end)| *end == Some(TransferEnd::Broken));
    assert!(!broken, "the transfer broke off although its writer is there");
}

/// A run that did not start gives its idempotency key back; if that is lost with its connection, the key is taken by
/// a run that nobody runs, for as long as the session lives.
#[test]
fn a_key_that_was_not_given_back_is_not_taken_for_ever() {
    let mut lab = Lab::new(1, 1);
    let mut call = lab.call_of(0);
    call.idempotency = KEY;
    let first = lab.submit(0, &call);
    lab.run(2);
    let run = lab.run_of(0, first).expect("it has the key");
    lab.nodes[0].loses = |command| matches!(command, Command::IdempotencyAbandon { .. });
    lab.step(0, Input::Ended(run, Ended::NotStarted(CallAnswer::Busy)));
    lab.run(1);
    assert_eq!(lab.nodes[0].lost.len(), 1, "it was asked once");
    lab.nodes[0].loses = |_| false;
    lab.disconnect(0, Connection::Commands);
    lab.run(100);
    assert_eq!(lab.said(0, first), Some(CallAnswer::Busy));

    let mut again = lab.call_of(0);
    again.idempotency = KEY;
    let again = lab.submit(0, &again);
    lab.run(5_200);
    assert!(
        lab.run_of(0, again).is_some(),
        "nothing ran, and the retry was answered {:?}",
        lab.said(0, again)
    );
}

/// A begin that was sent on a connection that is gone may be executed after everything else.
#[test]
fn a_begin_that_comes_late_does_not_take_the_key() {
    let mut lab = Lab::new(1, 1);
    let mut call = lab.call_of(0);
    call.idempotency = KEY;
    lab.nodes[0].loses = |command| matches!(command, Command::IdempotencyBegin { .. });
    let first = lab.submit(0, &call);
    lab.run(1);
    let begin = lab.nodes[0].lost.pop().expect("it was asked");
    lab.step(0, Input::Cancel(first));
    lab.disconnect(0, Connection::Commands);
    lab.nodes[0].loses = |_| false;
    lab.run(100);
    lab.comes_late(0, &begin);

    let mut again = lab.call_of(0);
    again.idempotency = KEY;
    let again = lab.submit(0, &again);
    lab.run(5_200);
    assert!(
        lab.run_of(0, again).is_some(),
        "nothing ran, and the retry was answered {:?}",
        lab.said(0, again)
    );
}

/// A node is led to a new master, and back to the old one: the cursors there know its frames from before.
#[test]
fn a_node_that_comes_back_to_an_old_master_can_send() {
    let mut lab = Lab::new(2, 2);
    for _ in 0..3 {
        let call = lab.call_of(1);
        let call = lab.submit(0, &call);
        lab.run(5);
        lab.end(1, call, false);
        lab.run(5);
    }
    lab.lead(0, 1);
    lab.run(200);
    lab.lead(0, 0);
    lab.run(3_000);
    let call = lab.call_of(1);
    let call = lab.submit(0, &call);
    lab.run(200);
    assert!(lab.run_of(1, call).is_some(), "its frame is taken for one that was there before");
}

/// A node that drains turns away what waits in its own queue. Until the others know, it is still the place for it by
/// the view: it must not send the call to itself until the attempts are used up.
#[test]
fn a_node_that_drains_does_not_use_up_attempts_on_itself() {
    let mut lab = Lab::new(2, 1);
    let running = lab.keyed_call_of(0, "k");
    let mut waiting = lab.keyed_call_of(0, "k");
    waiting.key.clone_from(&running.key);
    waiting.slot = running.slot;
    lab.submit(0, &running);
    let waiting = lab.submit(0, &waiting);
    lab.run(2);
    lab.step(0, Input::Drain);
    // A busy node has that many events in less than a round trip.
    for _ in 0..20 {
        lab.step(0, Input::Tick);
    }
    assert_eq!(lab.said(0, waiting), None, "the other node could have run it");
}

/// A caller sleeps, and is fenced. What is in its reply stream and was not read is kept as long as its owner would have
/// kept it: until the deadline, and a little longer.
#[test]
fn a_reply_in_an_orphan_waits_for_its_caller() {
    let mut lab = Lab::new(2, 1);
    let calls = [lab.call_of(1), lab.call_of(1)].map(|call| lab.submit(0, &call));
    lab.run(5);
    lab.nodes[0].paused = true;
    for call in calls {
        lab.end(1, call, false);
        lab.run(5);
    }
    lab.run(2_000);
    lab.nodes[0].paused = false;
    lab.run(3_500);
    let answers = calls.map(|call| lab.said(0, call));
    assert_eq!(answers, [Some(CallAnswer::Done); 2], "the second reply was in the stream, and was dropped");
}

/// Reading what a fenced session left has to fit a command's patience, a tenth of a second or two of any network:
/// else nobody can ever read it, and everybody who tries loses the connection that renews its own lease.
#[test]
fn what_an_orphan_left_is_read_in_pieces() {
    let mut lab = Lab::new(1, 1);
    let boot = Boot { process: ProcessId::from_u128(99), session: 1 };
    let time = RedisMillis::from_u64(5_000_000);
    let store = &mut lab.stores[0];
    let view = store.view().expect("there is one").clone();
    let profile = callboard_cluster::store::Profile { build: 1, ..Default::default() };
    let incarnation = view.incarnation;
    store.execute(time, &Command::OpenInbox { boot });
    store.execute(time, &Command::Join { boot, profile, incarnation, busy: BTreeSet::new() });
    let frame = vec![0; 256 << 10];
    for stream in [Stream::Requests, Stream::Replies] {
        for number in 1..=256 {
            let sender = ProcessId::from_u128(1);
            let frame = frame.clone().into();
            store.execute(time, &Command::Send { to: boot, stream, sender, number, frame });
        }
    }
    store.execute(time, &Command::Fence { boot, counter: 1 });
    store.execute(time, &Command::Evict { boot });
    let start = EntryId::default();
    let orphan = Command::Orphan { boot, requests_after: start, replies_after: start, frames_max: 8 };
    let Some(Answer::Orphan(Some(orphan))) = store.execute(time, &orphan) else { panic!("it is an orphan") };
    let Orphan { claimed, undelivered, replies } = orphan;
    let bytes =
        |entries: &[(EntryId, bytes::Bytes)]| entries.iter().map(|(_, frame)| frame.len()).sum::<usize>();
    let all = bytes(&claimed) + bytes(&undelivered) + bytes(&replies);
    assert!(all <= 8 << 20, "{} MiB in one answer", all >> 20);
}

/// A client with many connections sends one call with an idempotency key, again and again. Who waits for the one that
/// runs must not cost the store more the more they are.
#[test]
fn twins_do_not_each_ask_the_store() {
    let mut lab = Lab::new(1, 1);
    let call = lab.call_of(0);
    for _ in 0..200 {
        let mut twin = lab.call_of(0);
        twin.idempotency = KEY;
        twin.action = call.action;
        lab.submit(0, &twin);
    }
    lab.run(10);
    assert_eq!(lab.nodes[0].starts.len(), 1);
    let before = lab.nodes[0].key_commands;
    lab.run(1_000);
    let asked = lab.nodes[0].key_commands - before;
    assert!(asked <= 400, "{asked} commands in a second, for 200 calls that wait for one");
}

/// A duplicate waits for the call that runs; its node drains and turns it away while its caller sleeps beyond the
/// deadline. The one that it waited for ran: nobody may say of the two that they did not.
#[test]
fn a_duplicate_that_is_turned_away_too_late_is_not_told_that_nothing_ran() {
    let mut lab = Lab::new(2, 1);
    let mut call = lab.call_of(1);
    call.idempotency = KEY;
    let first = lab.submit(0, &call);
    lab.run(5);
    let mut twin = lab.call_of(1);
    (twin.idempotency, twin.deadline) = (KEY, Instant::from_micros((lab.now_ms + 100) * 1_000));
    let twin = lab.submit(0, &twin);
    lab.run(5);
    assert!(lab.run_of(1, first).is_some() && lab.run_of(1, twin).is_none(), "one runs, one waits for it");

    lab.nodes[0].paused = true;
    lab.step(1, Input::Drain);
    lab.run(110);
    lab.nodes[0].paused = false;
    lab.run(200);
    assert_eq!(lab.said(0, twin), Some(CallAnswer::Unknown));
}

/// After the store lost its memory, whoever joins first says which keys are right. If that is the one node that is set
/// up wrongly, and it dies, the others have to come back.
#[test]
fn a_dead_member_with_other_keys_keeps_nobody_out() {
    let mut lab = Lab::of(&[(0, 1), (1, 2)], 2);
    lab.run(2_000);
    assert!(lab.nodes.iter().all(|node| node.core.view().is_some()), "each is a member of its store");
    lab.nodes[1].paused = true;
    lab.lead(0, 1);
    lab.run(10_000);
    let members = lab.stores[1].view().expect("there is one").members.keys().collect::<Vec<_>>();
    assert!(lab.nodes[0].core.view().is_some(), "the only member is one that died: {members:?}");
}

/// A frame in doubt is sent again, and the inbox is full. Its first copy may still come, once there is room: nobody
/// may have said that its calls do not run.
#[test]
fn a_full_inbox_proves_nothing_about_a_frame_in_doubt() {
    let mut lab = Lab::new(3, 1);
    lab.nodes[1].paused = true;
    let mut first = Vec::new();
    for _ in 0..255 {
        let call = lab.call_of(1);
        first.push(lab.submit(0, &call));
        lab.run(1);
    }
    lab.nodes[0].loses = |command| matches!(command, Command::Send { stream: Stream::Requests, .. });
    let doubted = lab.call_of(1);
    let doubted = lab.submit(0, &doubted);
    lab.run(1);
    let send = lab.nodes[0].lost.pop().expect("it was sent");
    let last = lab.call_of(1);
    lab.submit(2, &last);
    lab.run(1);
    lab.nodes[0].loses = |_| false;
    lab.disconnect(0, Connection::Commands);
    lab.run(50);
    let said = lab.said(0, doubted);

    lab.nodes[1].paused = false;
    lab.run(60);
    for call in first.into_iter().take(100) {
        lab.end(1, call, false);
    }
    lab.run(10);
    lab.comes_late(0, &send);
    lab.run(20);
    let runs = lab.run_of(1, doubted).is_some();
    assert!(!(runs && said.is_some_and(CallAnswer::is_not_run)), "it was answered {said:?}, and runs");
}

/// What a member says of its busy slots may be executed late as well. The last word must not be an old one, or the
/// slot's new owner waits for calls that ended.
#[test]
fn an_old_word_about_busy_slots_is_not_the_last() {
    let mut lab = Lab::of(&[(0, 1), (0, 1)], 1);
    lab.nodes[1].paused = true;
    lab.run(2_000);
    let running: Vec<_> = (0..20)
        .map(|number| {
            let call = lab.keyed_call_of(0, &format!("{number}-"));
            lab.submit(0, &call)
        })
        .collect();
    lab.run(5);
    lab.nodes[0].loses = |command| matches!(command, Command::AckView { busy, .. } if !busy.is_empty());
    lab.nodes[1].paused = false;
    for _ in 0..2_000 {
        if !lab.nodes[0].lost.is_empty() {
            break;
        }
        lab.run(1);
    }
    let ack = lab.nodes[0].lost.pop().expect("slots moved while calls of them run");
    lab.disconnect(0, Connection::Commands);
    for call in running {
        lab.end(0, call, false);
    }
    lab.nodes[0].loses = |_| false;
    lab.run(300);
    lab.comes_late(0, &ack);
    lab.run(500);
    let Command::AckView { busy, .. } = ack else { unreachable!("only those are lost") };

    let mut calls = (0..20_000).map(|number| lab.keyed_call_of(1, &format!("again {number}-")));
    let call = calls.find(|call| busy.contains(&call.slot)).expect("one is in a slot that moved");
    drop(calls);
    let call = lab.submit(1, &call);
    lab.run(3_000);
    assert!(lab.run_of(1, call).is_some(), "its owner waits for a call that ended");
}

/// A stream of arguments can be read once. It must not be asked for before the call really began: whoever was to begin
/// it may have no room, and the next attempt needs all of it.
#[test]
fn arguments_are_asked_for_once_although_a_call_moves() {
    let mut lab = Lab::new(2, 1);
    let mut call = lab.call_of(1);
    call.arguments_follow = true;
    let call = lab.submit(0, &call);
    lab.run(5);
    let run = lab.run_of(1, call).expect("it arrived");
    lab.step(1, Input::Ended(run, Ended::NotStarted(CallAnswer::Moved)));
    lab.run(20);
    let attempts: Vec<_> = lab.nodes[0].rooms.iter().map(|transfer| transfer.attempt).collect();
    assert!(attempts.len() <= 1, "the same stream was asked for by attempts {attempts:?}");
}

/// The same where the first attempt began, and its node died: its call is declared idempotent, its arguments are not.
#[test]
fn a_call_whose_arguments_were_read_is_not_tried_again() {
    let mut lab = Lab::new(3, 1);
    let mut call = lab.call_of(1);
    (call.arguments_follow, call.idempotent) = (true, true);
    let call = lab.submit(0, &call);
    lab.run(5);
    let run = lab.run_of(1, call).expect("it arrived");
    lab.step(1, Input::Began(run));
    lab.run(5);
    assert_eq!(lab.nodes[0].rooms.len(), 1, "its arguments are asked for");
    lab.nodes[1].paused = true;
    lab.run(1_500);
    let elsewhere = lab.run_of(0, call).or(lab.run_of(2, call));
    assert!(elsewhere.is_none(), "it runs again, without its arguments");
}
