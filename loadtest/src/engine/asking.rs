//! A request is sent, counted and judged.

use std::{cell::Cell, rc::Rc, time::Duration};

use tokio::time::Instant;

use super::Shared;
use crate::{
    client::Request,
    observation::{End, Observation, TargetId, Times},
    operation::{Asked, Asks},
};

/// What one operation that is being performed asks through.
pub(crate) struct Asking {
    shared: Rc<Shared>,
    /// When it should begin.
    due: Duration,
    /// The next request is the first, which alone can be sent when the operation should begin.
    is_first: Cell<bool>,
}

impl Asking {
    pub(super) fn new(shared: Rc<Shared>, due: Duration, is_on_time: bool) -> Self {
        shared.under_way.update(|count| count + 1);
        Self { shared, due, is_first: Cell::new(is_on_time) }
    }

    /// Sends it; when, and how that ended.
    async fn send(&self, asked: &Asked, request: Request, begin: impl FnOnce(Duration)) -> (Duration, End) {
        let shared = &*self.shared;
        let is_first = self.is_first.replace(false);
        let timeout = Instant::now() + shared.timeout;
        let Some(client) = shared.targets.client(asked.target) else {
            let sent = shared.now();
            begin(sent);
            return (sent, End::Broken("the target was removed before the request was sent".to_owned()));
        };
        let place = client.seat(timeout).await;
        let sent = shared.now();
        begin(sent);
        match place {
            Ok(place) => {
                if place.was_held_back {
                    shared.generator.borrow_mut().held_back();
                } else if is_first {
                    shared.generator.borrow_mut().lagged(sent.saturating_sub(asked.intended));
                }
                (sent, client.exchange(place, request, timeout).await)
            }
            Err(end) => {
                shared.generator.borrow_mut().held_back();
                (sent, end)
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.shared.under_way.update(|count| count - 1);
        self.shared.one_ended.notify_one();
    }
}

impl Asks for Asking {
    fn choose(&self) -> Option<TargetId> {
        let chosen = self.shared.targets.choose();
        if chosen.is_none() {
            self.shared.recorder.borrow_mut().never_sent(self.due, 1);
            self.shared.generator.borrow_mut().unserved();
        }
        chosen
    }

    async fn ask(&self, asked: Asked, request: Request) -> End {
        let shared = &*self.shared;
        if asked.is_preparation {
            return self.send(&asked, request, |_| {}).await.1;
        }
        shared.recorder.borrow_mut().asked(asked.operation, asked.intended);
        let mut expected = None;
        let sending = |at| {
            shared.recorder.borrow_mut().sent(at);
            let mut oracles = shared.oracles.borrow_mut();
            expected = oracles.as_mut().map(|oracles| oracles.sending(&asked.subject, at));
        };
        let (sent, end) = self.send(&asked, request, sending).await;
        if let End::Answered(answer) = &end {
            shared.see_redirect(asked.target, answer);
        }
        let observation = Observation {
            operation: asked.operation,
            target: asked.target,
            subject: asked.subject,
            times: Times { intended: asked.intended, sent, ended: shared.now() },
            end,
        };
        shared.recorder.borrow_mut().ended(&observation);
        if let (Some(oracles), Some(expected)) = (shared.oracles.borrow_mut().as_mut(), expected) {
            oracles.ended(&observation, expected);
        }
        observation.end
    }
}
