//! How a node stands.

/// How a node stands in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// Not a member yet, or no more.
    Away,
    /// A member that may start calls.
    Serving,
    /// A member that heard nothing of the store for too long.
    Silent,
    /// A member that leaves.
    Draining,
    /// It left.
    Left,
}

impl SessionState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Away, Self::Serving, Self::Silent, Self::Draining, Self::Left];

    /// As it is counted and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Serving => "serving",
            Self::Silent => "silent",
            Self::Draining => "draining",
            Self::Left => "left",
        }
    }
}
