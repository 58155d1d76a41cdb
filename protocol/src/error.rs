//! The one table of what can go wrong with a call: code, HTTP status, what the caller may do next.
//!
//! `docs/errors/` has a page per code; a tidy test compares them.

use std::fmt;

/// Sorted by what the caller may do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The call did not start and never will as it is: mend it.
    Refused,
    /// The call did not start; sending it again after a wait is safe.
    Overloaded,
    /// The call may have run.
    OutcomeUnknown,
    /// The action's own answer.
    Failed,
    /// A mistake of ours.
    Bug,
}

impl Family {
    /// Value of the header `callboard-outcome` for an answer of this family.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Refused | Self::Overloaded => "not-run",
            Self::OutcomeUnknown | Self::Bug => "unknown",
            Self::Failed => "failed",
        }
    }
}

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident, $code:literal, $status:literal, $family:ident;)*) => {
        /// Names one way in which a call or a page can fail; stable, and the name of its page in `docs/errors/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[doc = $doc])+ $name,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable text.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)* } }

            /// The HTTP status it is answered with.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// What the caller may do next.
            #[must_use]
            pub fn family(self) -> Family { match self { $(Self::$name => Family::$family,)* } }
        }
    };
}

error_codes! {
    /// No `next-action` header and no action field in the form.
    NotAnAction, "not-an-action", 400, Refused;
    /// The reference is not of the right length or not lower-case hex.
    MalformedReference, "malformed-reference", 400, Refused;
    /// The reference was not signed by a key of this ring.
    BadSignature, "bad-signature", 400, Refused;
    /// The reference was signed by us, for an action this build does not have.
    UnknownAction, "unknown-action", 409, Refused;
    /// Sealed arguments were altered, expired, or sealed for another action or principal.
    BadSeal, "bad-seal", 400, Refused;
    /// A content type that carries no arguments.
    ContentType, "content-type", 400, Refused;
    /// The multipart framing is broken.
    MalformedMultipart, "malformed-multipart", 400, Refused;
    /// The encoded arguments are not React's encoding.
    MalformedReply, "malformed-reply", 400, Refused;
    /// The encoded arguments exceed a limit on depth, objects or references.
    ReplyLimit, "reply-limit", 400, Refused;
    /// More arguments than a call may have.
    TooManyArguments, "too-many-arguments", 400, Refused;
    /// An argument is not of the action's type.
    ArgumentMismatch, "argument-mismatch", 400, Refused;
    /// The body is larger than the action takes.
    BodyTooLarge, "body-too-large", 413, Refused;
    /// The body did not arrive in time, or ended early.
    BodyIncomplete, "body-incomplete", 400, Refused;
    /// The `Origin` header is not a URL.
    MalformedOrigin, "malformed-origin", 400, Refused;
    /// The request comes from another site.
    ForeignOrigin, "foreign-origin", 403, Refused;
    /// The guard does not know who is calling.
    Unauthorized, "unauthorized", 401, Refused;
    /// The guard refused who is calling.
    Forbidden, "forbidden", 403, Refused;
    /// There is no such page.
    NotFound, "not-found", 404, Refused;
    /// Only GET and HEAD on pages, and POST for actions.
    MethodNotAllowed, "method-not-allowed", 405, Refused;
    /// The idempotency key came before with another body.
    IdempotencyConflict, "idempotency-conflict", 422, Refused;
    /// The header `idempotency-key` is empty, too long, or not visible ASCII.
    BadIdempotencyKey, "bad-idempotency-key", 400, Refused;
    /// Too many calls, or renders of pages, run or wait already.
    Overloaded, "overloaded", 503, Overloaded;
    /// The deadline passed before the call started.
    Expired, "expired", 503, Overloaded;
    /// A large file of the call cannot be kept: the disk for temporary files is full or broken.
    SpillFailed, "spill-failed", 503, Overloaded;
    /// No node could take the call: those that it belonged to left or died before they began it.
    Moved, "moved", 503, Overloaded;
    /// The node cannot know at the moment whether what it keeps of the page is fresh, and the page wants no render.
    Fenced, "fenced", 503, Overloaded;
    /// The node is stopping.
    Draining, "draining", 503, Overloaded;
    /// The action was still running at its deadline.
    DeadlineExceeded, "deadline-exceeded", 504, OutcomeUnknown;
    /// What carried the call went silent after the call may have started.
    OutcomeUnknown, "outcome-unknown", 504, OutcomeUnknown;
    /// The action ended in an error.
    ActionFailed, "action-failed", 500, Failed;
    /// The action panicked.
    ActionPanicked, "action-panicked", 500, Failed;
    /// The page ended in an error.
    PageFailed, "page-failed", 500, Failed;
    /// A guard, or the expression of a key, panicked: the action did not start.
    RefusalFailed, "refusal-failed", 500, Refused;
    /// An invariant of ours broke.
    Internal, "internal", 500, Bug;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
