//! The two connections to Redis: one for commands, one that listens. Neither comes back by itself: the core says when.

use std::{rc::Rc, sync::Arc, time::Instant};

use actix::{ActorFutureExt as _, AsyncContext as _, Context, SpawnHandle, fut};
use callboard_cluster::{
    cache::{
        Connection, Input, RequestId,
        store::{Answer, Command},
    },
    redis::{CacheConnection, CacheStore, OpenError, Pushes},
    store::Failure,
};
use tracing::{info, warn};

use super::{Revalidator, SharedLog};
use crate::metrics::Metrics;

/// Where the log is, and what leads there.
pub(crate) struct CacheLinks {
    store: CacheStore,
    commands: Option<Rc<CacheConnection>>,
    /// What is done with each connection: dropped with it.
    tasks: [Vec<SpawnHandle>; 2],
    /// Why a connection could not be made last, so that it is said once.
    failures: [Option<String>; 2],
    metrics: Arc<Metrics>,
}

impl CacheLinks {
    pub(crate) fn new(store: CacheStore, metrics: Arc<Metrics>) -> Self {
        Self { store, commands: None, tasks: [Vec::new(), Vec::new()], failures: [None, None], metrics }
    }

    /// Nothing of this connection is wanted any more.
    pub(super) fn close(&mut self, connection: Connection, context: &mut Context<Revalidator>) {
        for task in self.tasks[connection as usize].drain(..) {
            context.cancel_future(task);
        }
        if connection == Connection::Commands {
            self.commands = None;
        }
    }

    /// Connects, to a master only.
    pub(super) fn open(&mut self, connection: Connection, context: &mut Context<Revalidator>) {
        self.close(connection, context);
        let store = self.store.clone();
        let task = match connection {
            Connection::Commands => {
                let opened = fut::wrap_future(async move { CacheConnection::open(&store).await });
                context.spawn(opened.map(Revalidator::can_ask))
            }
            Connection::Pushes => {
                let opened = fut::wrap_future(async move { Pushes::open(&store).await });
                context.spawn(opened.map(Revalidator::can_hear))
            }
        };
        self.tasks[connection as usize].push(task);
    }

    /// Asks; whether there is a connection.
    pub(super) fn perform(
        &mut self,
        request: RequestId,
        command: Command,
        context: &mut Context<Revalidator>,
    ) -> bool {
        let Some(connection) = &self.commands else { return false };
        let (name, metrics, asked) = (command.name(), Arc::clone(&self.metrics), Instant::now());
        // On its way when this returns; only its answer is awaited.
        let answer = fut::wrap_future::<_, Revalidator>(connection.perform(command));
        context.spawn(answer.map(move |answer, revalidator: &mut Revalidator, context| {
            metrics.redis(name, asked.elapsed(), answer.is_ok());
            Revalidator::tell_refusal(&answer);
            revalidator.feed(Input::Answered(request, answer), context);
        }));
        true
    }

    /// A connection was made, or could not be.
    fn made(&mut self, connection: Connection, error: Option<&OpenError>) {
        let failure = error.map(ToString::to_string);
        let last = std::mem::replace(&mut self.failures[connection as usize], failure);
        match &self.failures[connection as usize] {
            None => info!(link = ?connection, "pages: connected to Redis"),
            Some(reason) if last.as_ref() != Some(reason) => {
                warn!(link = ?connection, reason, "pages: no connection to Redis; this is tried again and again");
            }
            Some(_) => {}
        }
    }
}

/// Why Redis did not do what it was asked for, and what there is to be done.
fn refusal(answer: &Result<Answer, Failure>) -> Option<(&str, &'static str)> {
    let reason = match answer {
        Err(Failure::Refused(reason)) => reason.as_str(),
        Ok(Answer::Unreplicated { .. }) => {
            return Some((
                "too few replicas confirmed it",
                "bring replicas back, or lower cache_replicas_wait",
            ));
        }
        _ => return None,
    };
    let todo = [
        ("OOM", "give Redis more memory: see maxmemory"),
        ("MISCONF", "Redis cannot write to its disk: make room there"),
        ("NOREPLICAS", "bring replicas back, or lower min-replicas-to-write"),
        ("BUSY", "a script of somebody else takes long: see SCRIPT KILL"),
        ("LOADING", "wait until Redis has read its data"),
        ("NOPERM", "give the user the permissions of docs/OPERATIONS.md"),
    ];
    let found = todo.into_iter().find(|(code, _)| reason.contains(code));
    Some((reason, found.map_or("this is asked again and again", |(_, what)| what)))
}

impl Revalidator {
    /// Says why nothing is confirmed.
    fn tell_refusal(answer: &Result<Answer, Failure>) {
        if let Some((reason, todo)) = refusal(answer) {
            warn!(reason, todo, "pages: Redis does not do what it is asked for; revalidations wait");
        }
    }

    fn can_ask(opened: Result<CacheConnection, OpenError>, this: &mut Self, context: &mut Context<Self>) {
        let SharedLog::Redis(links) = &mut this.log else { return };
        links.made(Connection::Commands, opened.as_ref().err());
        let Ok(connection) = opened else {
            return this.feed(Input::Disconnected(Connection::Commands), context);
        };
        let connection = Rc::new(connection);
        let watched = Rc::clone(&connection);
        let closed = fut::wrap_future(async move { watched.closed().await });
        let task = context.spawn(closed.map(|reason: String, this: &mut Self, context| {
            this.lost(Connection::Commands, &reason, context);
        }));
        links.tasks[Connection::Commands as usize].push(task);
        links.commands = Some(connection);
        this.feed(Input::Connected(Connection::Commands), context);
    }

    fn can_hear(opened: Result<Pushes, OpenError>, this: &mut Self, context: &mut Context<Self>) {
        let SharedLog::Redis(links) = &mut this.log else { return };
        links.made(Connection::Pushes, opened.as_ref().err());
        match opened {
            Ok(pushes) => {
                this.feed(Input::Connected(Connection::Pushes), context);
                this.hear(pushes, context);
            }
            Err(_) => this.feed(Input::Disconnected(Connection::Pushes), context),
        }
    }

    /// Takes what is pushed, until the connection is gone.
    fn hear(&mut self, mut pushes: Pushes, context: &mut Context<Self>) {
        let heard = async move {
            match pushes.next().await {
                Some(push) => Ok((push, pushes)),
                None => Err(pushes.closed().await),
            }
        };
        let task =
            context.spawn(fut::wrap_future(heard).map(|heard, this: &mut Self, context| match heard {
                Ok((push, pushes)) => {
                    this.feed(Input::Pushed(push), context);
                    this.hear(pushes, context);
                }
                Err(reason) => this.lost(Connection::Pushes, &reason, context),
            }));
        if let SharedLog::Redis(links) = &mut self.log {
            links.tasks[Connection::Pushes as usize] = vec![task];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        for (reason, todo) in [
            ("OOM: command not allowed when used memory > 'maxmemory'.", "maxmemory"),
            ("MISCONF: Redis is configured to save RDB snapshots", "disk"),
            ("NOREPLICAS: Not enough good replicas to write.", "replicas"),
            ("something new", "again and again"),
        ] {
            let answer = Err(Failure::Refused(reason.to_owned()));
            let (told, advice) = refusal(&answer).expect("it is one");
            assert!(told == reason && advice.contains(todo), "{told}: {advice}");
        }
        let (_, advice) = refusal(&Ok(Answer::Unreplicated { appended: None })).expect("it is one");
        assert!(advice.contains("cache_replicas_wait"));
        assert_eq!(refusal(&Ok(Answer::Left)), None);
        assert_eq!(refusal(&Err(Failure::Silent)), None);
    }
}
