//! What crosses between nodes inside an envelope and a reply: what an action may see of its request, and what came of it.
//!
//! Both are sections, as frames are: small fields as bincode with a limit, and rows as raw bytes beside them. A section of a
//! kind that is not known is passed over.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::{
    ErrorCode,
    action::{Effects, Fallback, Outcome, Redirect, RedirectKind, Settled, Thrown},
    envelope::{FrameError, Sections, fields_within, put_fields, raw, section},
    list,
};

/// What an action may see of the request that called it, and how its arguments are framed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedHead {
    /// The reference by which the client called: sealed values are sealed for it.
    pub reference: String,
    /// Who calls, if the action has a guard.
    pub principal: Option<CarriedPrincipal>,
    /// The path that was posted to.
    pub path: String,
    /// Its query.
    pub query: String,
    /// Names and values of the headers.
    #[serde(with = "list")]
    pub headers: Vec<(String, Vec<u8>)>,
    /// The action's timeout, in milliseconds.
    pub timeout_ms: u64,
    /// What the arguments are.
    pub framing: Framing,
}

/// A principal, as its guard established it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedPrincipal {
    /// Its id.
    pub id: String,
    /// What else the guard knew.
    #[serde(with = "list")]
    pub claims: Vec<(String, String)>,
}

/// How the arguments of a call are framed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Framing {
    /// One text, as `encodeReply` gives it.
    Text,
    /// The parts that `encodeReply` gives, with this boundary.
    Multipart(String),
    /// A form that names its action, with this boundary.
    Form(String),
}

/// What came of a call.
#[derive(Debug, PartialEq, Eq)]
pub struct CarriedOutcome {
    /// How it ended. Of a value the rows stand in `bytes`, of the others the text.
    pub kind: OutcomeKind,
    /// The rows of the value or how they begin, the digest of an error, or what is wrong with the arguments.
    pub bytes: Bytes,
    /// What the action asked for, but for revalidations: whoever ran it published them.
    pub effects: Effects,
    /// Whether it is all there is of the body, where it is replayed.
    pub body_kept: bool,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutcomeKind {
    /// It returned.
    Value,
    /// It ended in an error.
    Failed,
    /// It panicked.
    Panicked,
    /// Its arguments are not of its types.
    Mismatch,
}

/// Rows of an answer that goes on, and which rows are still to come behind them: whoever hands them on can end those if
/// nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsPiece {
    /// The rows that are still to come, or `None` where this ends within a row.
    pub open: Option<Vec<u32>>,
    /// The bytes.
    pub rows: Bytes,
}

impl RowsPiece {
    /// Stands in place of the number of open rows.
    const WITHIN_ROW: u32 = u32::MAX;

    /// The bytes: how many rows are open, which, and the rows.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let open = self.open.as_deref().unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(4 + 4 * open.len() + self.rows.len());
        bytes.put_u32_le(if self.open.is_some() { open.len() as u32 } else { Self::WITHIN_ROW });
        open.iter().for_each(|row| bytes.put_u32_le(*row));
        bytes.put_slice(&self.rows);
        bytes.freeze()
    }

    /// Reads it; the rows are a slice of `bytes`.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if it is cut off.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let count = bytes.first_chunk().copied().map(u32::from_le_bytes).ok_or(FrameError::Truncated)?;
        if count == Self::WITHIN_ROW {
            return Ok(Self { open: None, rows: bytes.slice(4..) });
        }
        let end = 4 + 4 * count as usize;
        let ids = bytes.get(4..end).ok_or(FrameError::Truncated)?;
        let open = ids.as_chunks().0.iter().map(|id| u32::from_le_bytes(*id)).collect();
        Ok(Self { open: Some(open), rows: bytes.slice(end..) })
    }
}

/// Largest fields of either, in bytes: headers of a request, and cookies that an action sets.
const FIELDS_BYTES_MAX: usize = 256 << 10;

mod kind {
    pub(super) const HEAD: u8 = 32;
    pub(super) const OUTCOME: u8 = 33;
    pub(super) const BYTES: u8 = 34;
}

#[derive(Serialize, Deserialize)]
struct OutcomeFields {
    kind: OutcomeKind,
    redirect: Option<(String, bool)>,
    #[serde(with = "list")]
    cookies: Vec<String>,
    refresh: bool,
    fallback: Option<u16>,
    body_kept: bool,
}

impl CarriedHead {
    /// The bytes, unless they are too many to be read again.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let mut bytes = BytesMut::with_capacity(512);
        section(&mut bytes, kind::HEAD, |bytes| put_fields(bytes, self));
        (bytes.len() <= FIELDS_BYTES_MAX).then(|| bytes.freeze())
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`FrameError`] for everything that [`encode`](Self::encode) did not write.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let mut head = None;
        for section in Sections(bytes.clone()) {
            if let (kind::HEAD, content) = section? {
                let read = fields_within::<_, FIELDS_BYTES_MAX>(kind::HEAD, &content)?;
                if head.replace(read).is_some() {
                    return Err(FrameError::Section { kind: kind::HEAD });
                }
            }
        }
        head.ok_or(FrameError::Section { kind: kind::HEAD })
    }
}

impl CarriedOutcome {
    /// What crosses of an outcome: the rows that are ready, and nothing of what only a log may know.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let (kind, bytes) = match &outcome.settled {
            Settled::Value(answer) => (OutcomeKind::Value, answer.head.clone()),
            Settled::Thrown(thrown) if thrown.code == ErrorCode::ActionPanicked => {
                (OutcomeKind::Panicked, thrown.digest.clone().into())
            }
            Settled::Thrown(thrown) => (OutcomeKind::Failed, thrown.digest.clone().into()),
            Settled::Mismatch(detail) => (OutcomeKind::Mismatch, detail.clone().into()),
        };
        let effects = Effects { revalidations: Vec::new(), ..outcome.effects.clone() };
        Self { kind, bytes, effects, body_kept: true }
    }

    /// The same without the rows of a value: they are too many to be kept.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        if self.kind == OutcomeKind::Value {
            (self.bytes, self.body_kept) = (Bytes::new(), false);
        }
        self
    }

    /// The bytes, unless the fields are too many to be read again.
    #[must_use]
    pub fn encode(&self) -> Option<Bytes> {
        let Effects { revalidations: _, redirect, cookies, refresh, fallback } = &self.effects;
        let fields = OutcomeFields {
            kind: self.kind,
            redirect: redirect.as_ref().map(|to| (to.url.clone(), to.kind == RedirectKind::Replace)),
            cookies: cookies.clone(),
            refresh: *refresh,
            fallback: fallback.map(|fallback| fallback.code().status()),
            body_kept: self.body_kept,
        };
        let mut bytes = BytesMut::with_capacity(64 + self.bytes.len());
        section(&mut bytes, kind::OUTCOME, |bytes| put_fields(bytes, &fields));
        if bytes.len() > FIELDS_BYTES_MAX {
            return None;
        }
        raw(&mut bytes, kind::BYTES, &self.bytes);
        Some(bytes.freeze())
    }

    /// Reads it; the rows are a slice of `bytes`.
    ///
    /// # Errors
    ///
    /// [`FrameError`] for everything that [`encode`](Self::encode) did not write.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let (mut read, mut rows) = (None, None);
        for section in Sections(bytes.clone()) {
            let (kind, content) = section?;
            let twice = match kind {
                kind::OUTCOME => {
                    read.replace(fields_within::<OutcomeFields, FIELDS_BYTES_MAX>(kind, &content)?).is_some()
                }
                kind::BYTES => rows.replace(content).is_some(),
                _ => false,
            };
            if twice {
                return Err(FrameError::Section { kind });
            }
        }
        let malformed = FrameError::Section { kind: kind::OUTCOME };
        let OutcomeFields { kind, redirect, cookies, refresh, fallback, body_kept } =
            read.ok_or_else(|| malformed.clone())?;
        let fallback = match fallback {
            None => None,
            Some(404) => Some(Fallback::NotFound),
            Some(403) => Some(Fallback::Forbidden),
            Some(401) => Some(Fallback::Unauthorized),
            Some(_) => return Err(malformed),
        };
        let redirect = redirect.map(|(url, replaces)| {
            let kind = if replaces { RedirectKind::Replace } else { RedirectKind::Push };
            Redirect { url, kind }
        });
        let bytes = rows.unwrap_or_default();
        if kind != OutcomeKind::Value && std::str::from_utf8(&bytes).is_err() {
            return Err(malformed);
        }
        let effects = Effects { revalidations: Vec::new(), redirect, cookies, refresh, fallback };
        Ok(Self { kind, bytes, effects, body_kept })
    }

    /// The outcome again, as far as it crossed.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        let text = || String::from_utf8_lossy(&self.bytes).into_owned();
        let thrown = |code| Settled::Thrown(Thrown { code, digest: text(), private: String::new() });
        let settled = match self.kind {
            OutcomeKind::Value if self.body_kept => Settled::Value(self.bytes.into()),
            OutcomeKind::Value => Settled::default(),
            OutcomeKind::Failed => thrown(ErrorCode::ActionFailed),
            OutcomeKind::Panicked => thrown(ErrorCode::ActionPanicked),
            OutcomeKind::Mismatch => Settled::Mismatch(text()),
        };
        Outcome { settled, effects: self.effects }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head() -> impl Strategy<Value = CarriedHead> {
        let claims = prop::collection::vec((any::<String>(), any::<String>()), 0..3);
        let principal = prop::option::of((any::<String>(), claims));
        let headers = prop::collection::vec((any::<String>(), any::<Vec<u8>>()), 0..5);
        let framing = prop_oneof![
            Just(Framing::Text),
            "[a-z]{1,20}".prop_map(Framing::Multipart),
            "[a-z]{1,20}".prop_map(Framing::Form),
        ];
        (principal, any::<(String, String)>(), headers, any::<u64>(), framing).prop_map(
            |(principal, (path, query), headers, timeout_ms, framing)| CarriedHead {
                reference: path.clone(),
                principal: principal.map(|(id, claims)| CarriedPrincipal { id, claims }),
                path,
                query,
                headers,
                timeout_ms,
                framing,
            },
        )
    }

    fn outcome() -> impl Strategy<Value = CarriedOutcome> {
        let kinds = [OutcomeKind::Value, OutcomeKind::Failed, OutcomeKind::Panicked, OutcomeKind::Mismatch];
        let redirect = prop::option::of((any::<String>(), any::<bool>()));
        let fallbacks = [Fallback::NotFound, Fallback::Forbidden, Fallback::Unauthorized];
        let effects = (
            redirect,
            prop::collection::vec(any::<String>(), 0..3),
            any::<bool>(),
            prop::option::of(prop::sample::select(fallbacks.to_vec())),
        );
        (prop::sample::select(kinds.to_vec()), any::<String>(), effects, any::<bool>()).prop_map(
            |(kind, text, (redirect, cookies, refresh, fallback), body_kept)| CarriedOutcome {
                kind,
                bytes: text.into(),
                effects: Effects {
                    revalidations: Vec::new(),
                    redirect: redirect.map(|(url, replaces)| Redirect {
                        url,
                        kind: if replaces { RedirectKind::Replace } else { RedirectKind::Push },
                    }),
                    cookies,
                    refresh,
                    fallback,
                },
                body_kept,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_carried_comes_back(head in head(), outcome in outcome(), open in any::<Option<Vec<u32>>>()) {
            let bytes = head.encode().expect("small");
            prop_assert_eq!(CarriedHead::decode(&bytes), Ok(head));
            let bytes = outcome.encode().expect("small");
            prop_assert_eq!(CarriedOutcome::decode(&bytes), Ok(outcome));
            let piece = RowsPiece { open, rows: bytes };
            prop_assert_eq!(RowsPiece::decode(&piece.encode()), Ok(piece));
        }

        #[test]
        fn nothing_else_is_read_or_panics(bytes in any::<Vec<u8>>(), head in head(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let bytes = Bytes::from(bytes);
            let _read = (CarriedHead::decode(&bytes), CarriedOutcome::decode(&bytes), RowsPiece::decode(&bytes));
            let mut damaged = head.encode().expect("small").to_vec();
            let at = at.index(damaged.len());
            damaged[at] ^= 1 << bit;
            // Whatever it reads, it wrote: two spellings of one thing would not be told apart.
            if let Ok(read) = CarriedHead::decode(&damaged.into()) {
                prop_assert!(read.encode().is_some());
            }
        }
    }

    #[test]
    fn what_only_a_log_may_know_stays_where_it_is() {
        let thrown =
            Thrown { code: ErrorCode::ActionFailed, digest: "full".into(), private: "password".into() };
        let outcome = Outcome { settled: Settled::Thrown(thrown), effects: Effects::default() };
        let bytes = CarriedOutcome::of(&outcome).encode().expect("small");
        assert!(!bytes.windows(8).any(|window| window == b"password"));
    }

    #[test]
    fn fields_that_could_not_be_read_again_are_not_written() {
        let effects = Effects { cookies: vec!["c".repeat(FIELDS_BYTES_MAX)], ..Effects::default() };
        let outcome = Outcome { settled: Settled::default(), effects };
        assert_eq!(CarriedOutcome::of(&outcome).encode(), None);
    }
}
