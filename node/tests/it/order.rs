//! Calls of one key run one at a time, in order of arrival; and the journal that tests read.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use callboard::{ActionContext, action};
use tokio::sync::Notify;

use crate::client::Caller;

/// What actions note down for their test to wait for, and what they wait for themselves.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Notes>);

#[derive(Default)]
struct Notes {
    notes: Mutex<Vec<String>>,
    noted: Condvar,
    release: Notify,
    /// Whether the last release reached somebody.
    taken: AtomicBool,
}

impl Journal {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.notes.lock().expect("not poisoned").push(text.into());
        self.0.noted.notify_all();
    }

    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_for_many(text, 1);
    }

    /// Waits until something was noted so many times.
    pub(crate) fn wait_for_many(&self, text: &str, count: usize) {
        let notes = self.0.notes.lock().expect("not poisoned");
        let missing = |notes: &mut Vec<String>| notes.iter().filter(|note| *note == text).count() < count;
        let waited =
            self.0.noted.wait_timeout_while(notes, Duration::from_secs(20), missing).expect("not poisoned");
        assert!(!waited.1.timed_out(), "not noted {count} times: {text:?}");
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.notes.lock().expect("not poisoned").clone()
    }

    pub(crate) async fn released(&self) {
        self.0.release.notified().await;
        self.0.taken.store(true, Ordering::SeqCst);
    }

    /// Releases whoever waits, or comes next.
    pub(crate) fn release_waiting(&self) {
        // A permit that is there is not given twice: wait until it is taken.
        self.0.taken.store(false, Ordering::SeqCst);
        self.release();
        let until = Instant::now() + Duration::from_secs(20);
        while !self.0.taken.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "nobody waits to be released");
            std::thread::yield_now();
        }
    }

    pub(crate) fn release(&self) {
        self.0.release.notify_one();
    }
}

#[action(public, name = "line", key = key)]
async fn line(cx: &ActionContext, key: String, number: u32, hold: bool) -> u32 {
    let journal = cx.state::<Journal>();
    journal.note(format!("{key} begins {number}"));
    if hold {
        journal.released().await;
    }
    journal.note(format!("{key} ends {number}"));
    number
}

#[action(public, name = "serially", serial)]
async fn serially(cx: &ActionContext, number: u32) -> u32 {
    let journal = cx.state::<Journal>();
    journal.note(format!("begins {number}"));
    tokio::task::yield_now().await;
    journal.note(format!("ends {number}"));
    number
}

#[test]
fn calls_of_one_key_wait_for_each_other_and_other_keys_do_not() {
    let caller = Caller::start(&[("key_queue_max", "1")]);
    let journal = &caller.journal;
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| caller.call("line", r#"["a",1,true]"#));
        journal.wait_for("a begins 1");
        // Another key is not held up.
        assert_eq!(caller.call("line", r#"["b",1,false]"#).status, 200);
        // Of two more, one finds room in the line and the other does not: the only answer there can be by now.
        for _ in 0..2 {
            let (caller, answered) = (&caller, answered.clone());
            scope.spawn(move || {
                answered.send(caller.call("line", r#"["a",2,false]"#)).expect("somebody listens")
            });
        }
        let full = answers.recv().expect("an answer");
        assert_eq!((full.status, full.header("callboard-outcome")), (503, "not-run"));
        assert_eq!(full.body, "key_queue_max is full at 1");

        journal.release();
        let second = answers.recv().expect("an answer");
        assert_eq!((first.join().expect("an answer").row(), second.row()), ("1", "2"));
    });
    let notes = journal.notes();
    let of_a: Vec<_> = notes.iter().filter(|note| note.starts_with('a')).map(String::as_str).collect();
    assert_eq!(of_a, ["a begins 1", "a ends 1", "a begins 2", "a ends 2"]);
}

#[action(public, name = "brief_line", key = key, timeout = "100ms")]
async fn brief_line(cx: &ActionContext, key: String) {
    let journal = cx.state::<Journal>();
    journal.note(format!("{key} begins"));
    journal.released().await;
}

/// Goal: who waits in line past his deadline is told the truth then, and never runs.
#[test]
fn a_call_that_waits_past_its_deadline_expires_and_never_runs() {
    let caller = Caller::start(&[]);
    let first = caller.call("brief_line", r#"["a"]"#);
    assert_eq!((first.status, first.header("callboard-outcome")), (504, "unknown"));

    let second = caller.call("brief_line", r#"["a"]"#);
    assert_eq!((second.status, second.header("callboard-outcome")), (503, "not-run"));
    assert_eq!(second.body, "the call waited past its deadline");

    // The first ends, and with it the line; a third starts, so the second was passed over.
    caller.journal.release();
    caller.journal.release();
    let third =
        std::iter::repeat_with(|| caller.call("brief_line", r#"["a"]"#)).find(|answer| answer.status != 503);
    assert!(third.is_some_and(|third| third.status == 504 || third.status == 200));
    let begun = caller.journal.notes().len();
    assert_eq!(begun, 2, "the second call began");
}

#[test]
fn serial_calls_never_overlap() {
    let caller = Caller::start(&[("workers", "2")]);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let caller = &caller;
            scope.spawn(move || assert_eq!(caller.call("serially", &format!("[{number}]")).status, 200));
        }
    });
    let notes = caller.journal.notes();
    assert_eq!(notes.len(), 16);
    for pair in notes.chunks(2) {
        assert_eq!(pair[0].replace("begins", "ends"), pair[1]);
    }
}
