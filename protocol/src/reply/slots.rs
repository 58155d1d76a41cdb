//! React's account of array slots, which bounds what arrays nested in arrays may unfold to.

use super::ReplyErrorKind;
use crate::value::NodeId;

/// React's account of array slots: contexts, of which every array belongs to one.
#[derive(Debug, Default)]
pub(super) struct Slots {
    contexts: Vec<Context>,
    /// What each array took by itself, and whether its context had forked, by node id.
    sizes: Vec<(u64, bool)>,
}

#[derive(Debug, Default)]
struct Context {
    count: u64,
    /// Whether any array of this context has more than one item.
    fork: bool,
}

impl Slots {
    /// Adds to a context.
    pub(super) fn add(&mut self, context: u32, count: u64, max: u64) -> Result<(), ReplyErrorKind> {
        let context = &mut self.contexts[context as usize];
        context.count = context.count.saturating_add(count);
        if context.fork && context.count > max {
            return Err(ReplyErrorKind::Limit { setting: "array_slots_max", max });
        }
        Ok(())
    }

    /// Adds what another array took when it was parsed.
    pub(super) fn add_array(&mut self, context: u32, array: NodeId, max: u64) -> Result<(), ReplyErrorKind> {
        let (count, fork) = self.sizes.get(array.index()).copied().unwrap_or_default();
        self.contexts[context as usize].fork |= fork;
        self.add(context, count, max)
    }

    /// A context for an array that is not directly within another.
    pub(super) fn open(&mut self) -> u32 {
        self.contexts.push(Context::default());
        u32::try_from(self.contexts.len() - 1).expect("objects are limited far below 2^32")
    }

    /// What a context holds so far.
    pub(super) fn count(&self, context: u32) -> u64 {
        self.contexts[context as usize].count
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
        let number = context;
        let own = items as u64 + 1;
        let context = &mut self.contexts[context as usize];
        context.fork |= items > 1;
        if self.sizes.len() <= array.index() {
            self.sizes.resize(array.index() + 1, (0, false));
        }
        self.sizes[array.index()] = (context.count - before + own, context.fork);
        self.add(number, own, max)
    }
}
