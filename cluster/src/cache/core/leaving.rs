//! How a node goes: everything is published, then nothing that is kept is served any more, then nobody waits for it.

use super::{Core, Purpose};
use crate::{
    cache::{
        io::{Connection, Output},
        store::{Answer, Command},
    },
    mutant::Mutant,
    store::Failure,
};

#[derive(Debug, Default)]
pub(super) struct Leaving {
    is_wanted: bool,
    is_asked: bool,
    /// The store does not answer. Others will find this node dead.
    is_given_up: bool,
}

impl Leaving {
    pub(super) fn begin(&mut self) {
        self.is_wanted = true;
        self.is_given_up = false;
    }

    /// The store cannot be asked.
    pub(super) fn give_up(&mut self) {
        self.is_given_up = self.is_wanted;
    }

    pub(super) fn enter(&mut self) {
        self.is_asked = false;
    }
}

impl Core {
    pub(super) fn leave(&mut self) {
        let cannot_ask = self.leaving.is_given_up || !self.io.is_connected();
        let is_done = self.outbox.is_empty() || (cannot_ask && self.outbox.is_answered());
        if !self.leaving.is_wanted || self.leaving.is_asked {
            return;
        }
        if !is_done {
            // Something may have come after all.
            return self.resume_lease();
        }
        self.end_lease();
        if cannot_ask || !self.io.settings.shared {
            return self.go();
        }
        if let Some(epoch) = self.epochs.current().filter(|_| self.may_ask()) {
            self.leaving.is_asked = true;
            self.io.ask(Command::Leave { epoch, process: self.me }, Purpose::Leave);
        }
    }

    pub(super) fn left(&mut self, answer: &Result<Answer, Failure>) {
        self.leaving.is_asked = false;
        match answer {
            // What this node declared is still known in the next epoch.
            Ok(Answer::Superseded) => {}
            Ok(_) if self.outbox.is_empty() || self.io.has(Mutant::LeavesBehind) => self.go(),
            // It was published meanwhile: be registered again until everybody has it.
            Ok(_) => {}
            Err(_) => self.leaving.give_up(),
        }
    }

    fn go(&mut self) {
        self.io.close(Connection::Commands);
        self.io.close(Connection::Pushes);
        self.epochs.set_left();
        self.io.put(Output::Left);
    }
}
