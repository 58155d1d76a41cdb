//! What a runner says of a vector.

/// What became of one vector.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It came out as expected.
    Passed,
    /// It did not, in these words.
    Failed(String),
    /// It was not tried, for this reason.
    Skipped(String),
}
