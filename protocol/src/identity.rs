//! Who takes part in a cluster, and the numbers by which its nodes know old from new.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// One start of a node's process: random, so never the same twice. Callers, frames and replies are addressed by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId(u128);

impl ProcessId {
    /// The process with this number.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One session of a process: one inbox, one lease. Sessions of a process are numbered 1, 2, 3 …, and a boot that is
/// gone stays gone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Boot {
    /// Whose session.
    pub process: ProcessId,
    /// Which of them.
    pub session: u32,
}

/// `<process>.<session>`, as it stands in the names of keys.
impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.process, self.session)
    }
}

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no boot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a boot (32 hex digits, a dot, a number), found {found:?}")]
pub struct NotABoot {
    found: String,
}

impl std::str::FromStr for Boot {
    type Err = NotABoot;

    fn from_str(text: &str) -> Result<Self, NotABoot> {
        let parse = || {
            let (process, session) = text.split_once('.')?;
            let process = (process.len() == 32).then(|| u128::from_str_radix(process, 16).ok())??;
            let boot = Self { process: ProcessId(process), session: session.parse().ok()? };
            // One boot has one spelling: no signs, no capitals, no zeros in front.
            (boot.to_string() == text).then_some(boot)
        };
        parse().ok_or_else(|| NotABoot { found: text.chars().take(80).collect() })
    }
}

/// Which memory of Redis: changes with every start and every promotion, so that what was written before can be told
/// from what was written after.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incarnation(Arc<str>);

impl Incarnation {
    /// The incarnation with this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(u64);

        impl $name {
            /// From its number.
            #[must_use]
            pub const fn from_u64(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A version of the view. It grows with every change of membership, and with the clock of Redis, so it grows
    /// across a roll-back, too.
    ViewVersion
}
number! {
    /// Given to an action that has a key: of two sessions that could run calls of one key, the later one has the
    /// higher token. A store that refuses lower tokens than it has seen is safe from a session that lost its lease.
    FencingToken
}
number! {
    /// An instant on the clock of Redis, in milliseconds since 1970. Only ever compared with other such instants.
    RedisMillis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_prints_as_it_parses() {
        let boot = Boot { process: ProcessId(0xab), session: 7 };
        assert_eq!(boot.to_string(), "000000000000000000000000000000ab.7");
        assert_eq!(boot.to_string().parse(), Ok(boot));
        let ab = "000000000000000000000000000000ab";
        let spellings = ["AB.7", "ab.07", "ab.+7", "ab.x", "ab."].map(|end| format!("{}{end}", &ab[..30]));
        let plus = format!("+{}.7", &ab[1..]);
        for wrong in ["", ".", "ab.7", ab, &plus].into_iter().chain(spellings.iter().map(String::as_str)) {
            assert!(wrong.parse::<Boot>().is_err(), "{wrong}");
        }
    }
}
