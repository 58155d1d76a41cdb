//! React's account of array slots, which bounds what arrays nested in arrays may unfold to.

use super::ReplyErrorKind;
use crate::value::NodeId;

/// React's account of array slots: contexts, of which every array belongs to one.
///
/// A context is numbered as the node of its outermost array.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Account>);

/// What is known of a node: arrays have a size, and outermost arrays a context.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// What the context holds so far.
    count: u64,
    /// Whether any array of the context has more than one item.
    fork: bool,
    /// What the array took by itself when it was parsed, and whether its context had forked then.
    size: u64,
    size_fork: bool,
}

impl Slots {
    /// Adds to a context.
    pub(super) fn add(&mut self, context: u32, count: u64, max: u64) -> Result<(), ReplyErrorKind> {
        let context = &mut self.0[context as usize];
        context.count = context.count.saturating_add(count);
        if context.fork && context.count > max {
            return Err(ReplyErrorKind::Limit { setting: "array_slots_max", max });
        }
        Ok(())
    }

    /// Adds what another array took when it was parsed.
    pub(super) fn add_array(&mut self, context: u32, array: NodeId, max: u64) -> Result<(), ReplyErrorKind> {
        let array = self.0.get(array.index()).copied().unwrap_or_default();
        self.0[context as usize].fork |= array.size_fork;
        self.add(context, array.size, max)
    }

    /// A context for an array that is not directly within another.
    pub(super) fn open(&mut self, array: NodeId) -> u32 {
        self.account(array);
        u32::try_from(array.index()).expect("objects are limited far below 2^32")
    }

    fn account(&mut self, array: NodeId) -> &mut Account {
        if self.0.len() <= array.index() {
            self.0.resize(array.index() + 1, Account::default());
        }
        &mut self.0[array.index()]
    }

    /// What a context holds so far.
    pub(super) fn count(&self, context: u32) -> u64 {
        self.0[context as usize].count
    }

    /// Notes an array that is complete, given what its context held before it, and counts its own slots.
    pub(super) fn close(
        &mut self,
        array: NodeId,
        context: u32,
        items: usize,
        before: u64,
        max: u64,
    ) -> Result<(), ReplyErrorKind> {
        let own = items as u64 + 1;
        let outermost = &mut self.0[context as usize];
        outermost.fork |= items > 1;
        let (size, size_fork) = (outermost.count - before + own, outermost.fork);
        let account = self.account(array);
        (account.size, account.size_fork) = (size, size_fork);
        self.add(context, own, max)
    }
}
