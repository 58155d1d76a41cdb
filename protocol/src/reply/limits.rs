//! How much a reply may ask of the decoder.

use super::{ReplyError, ReplyErrorKind};

/// Settings of the decoder. Bytes of the body are limited where it is read; what is here limits what they may grow
/// into, so that no body costs more than a small multiple of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of arrays, objects and parts within parts.
    ///
    /// Default 512: hand-written data stays below 100, and the reference decoder overflows its stack at some
    /// thousand levels. Since 0.1.0.
    pub depth_max: usize,
    /// Most objects of all kinds in one call.
    ///
    /// Default `262_144`: at some 100 bytes each they take no more than 25 MB, and a body of 1 MiB of ordinary
    /// data has a tenth of them. Since 0.1.0.
    pub nodes_max: usize,
    /// Most references in one call: from value to value, to parts, and arguments bound to server references.
    ///
    /// Default `262_144`: the body limit of 1 MiB leaves room for half as many. Since 0.1.0.
    pub references_max: usize,
    /// Most bytes copied out of the body: strings with escapes, paths of temporary references.
    ///
    /// Default `16_777_216`: escapes shrink, so a body of the default limit cannot come near it honestly. Raise it
    /// together with the body limit. Since 0.1.0.
    pub bytes_max: usize,
    /// Most parts of a form.
    ///
    /// Default `16_384`: about what fits into 1 MiB as the smallest parts a browser writes. Since 0.1.0.
    pub parts_max: usize,
    /// Most slots that arrays nested directly in each other may take, with the text and bytes in them.
    ///
    /// Default `1_000_000`: React's own `arraySizeLimit`, counted as React counts it, but for references. One to an
    /// array adds what stands in that array itself and not what references in it add, so that some calls are taken
    /// here that React refuses; `references_max` bounds them. One to a string, which no client sends, adds its bytes
    /// instead of its UTF-16 units. Since 0.1.0.
    pub array_slots_max: u64,
    /// Longest text of a big integer, in characters.
    ///
    /// Default 300: React's own limit; parsing takes time in the square of it. Since 0.1.0.
    pub bigint_chars_max: usize,
    /// Most arguments bound to one server reference or form action.
    ///
    /// Default `1_000`: React's own limit. Since 0.1.0.
    pub bound_arguments_max: usize,
    /// Most arguments of one call.
    ///
    /// Default `1_000`: the limit of Next.js. Since 0.1.0.
    pub arguments_max: usize,
    /// Most elementary steps of one call: bytes of text, objects, references, steps along their paths, slots and
    /// members, entries, promises, rows.
    ///
    /// Default `16_777_216`: 16 for each byte of the default body limit of 1 MiB, where the worst body known takes
    /// less than 8 and ordinary data less than 3. Files count only where they are copied. Raise it together with the
    /// body limit. Since 0.1.0.
    pub work_max: u64,
    /// Whether values that only the client can hold are taken, as [`crate::value::Node::Temporary`].
    ///
    /// Default `true`: Next.js' client always offers to send them. Since 0.1.0.
    pub temporary_references: bool,
    /// Whether the names that React 19.0 to 19.2 wrote are read too: `$F` for a server reference, `<id>_<name>` for an
    /// entry of form data, `<id>` for a row of a stream.
    ///
    /// Default `false`: `$F1` is also a reference to part 241, and today's clients write none of them. Since 0.1.0.
    pub old_clients: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: 512,
            nodes_max: 262_144,
            references_max: 262_144,
            bytes_max: 16_777_216,
            parts_max: 16_384,
            array_slots_max: 1_000_000,
            bigint_chars_max: 300,
            bound_arguments_max: 1000,
            arguments_max: 1000,
            work_max: 16_777_216,
            temporary_references: true,
            old_clients: false,
        }
    }
}

/// What is spent so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    nodes: usize,
    references: usize,
    bytes: usize,
    work: u64,
}

impl Budget {
    #[inline]
    pub(super) fn node(&mut self, limits: &Limits) -> Result<(), ReplyErrorKind> {
        self.nodes += 1;
        self.spend(1, limits)?;
        check("nodes_max", self.nodes, limits.nodes_max)
    }

    pub(super) fn references(&mut self, count: usize, limits: &Limits) -> Result<(), ReplyErrorKind> {
        self.references = self.references.saturating_add(count);
        self.spend(count, limits)?;
        check("references_max", self.references, limits.references_max)
    }

    pub(super) fn copy(&mut self, bytes: usize, limits: &Limits) -> Result<(), ReplyErrorKind> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.spend(bytes, limits)?;
        check("bytes_max", self.bytes, limits.bytes_max)
    }

    /// Counts elementary steps, before they are taken.
    #[inline]
    pub(super) fn spend(&mut self, steps: usize, limits: &Limits) -> Result<(), ReplyErrorKind> {
        self.work(steps);
        if self.work > limits.work_max { Err(overspent(limits)) } else { Ok(()) }
    }

    /// Counts steps where nothing can be refused; the next [`Self::spend`] refuses.
    #[inline]
    pub(super) fn work(&mut self, steps: usize) {
        self.work = self.work.saturating_add(steps as u64);
    }

    pub(super) fn steps(&self) -> u64 {
        self.work
    }
}

#[cold]
fn overspent(limits: &Limits) -> ReplyErrorKind {
    ReplyErrorKind::Limit { setting: "work_max", max: limits.work_max }
}

/// Refuses a count beyond a limit.
#[inline]
pub(super) fn check(setting: &'static str, count: usize, max: usize) -> Result<(), ReplyErrorKind> {
    if count > max { Err(ReplyErrorKind::Limit { setting, max: max as u64 }) } else { Ok(()) }
}

impl From<ReplyErrorKind> for ReplyError {
    fn from(kind: ReplyErrorKind) -> Self {
        Self { kind, at: None }
    }
}
