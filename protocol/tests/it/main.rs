//! Tests of the crate as others use it, in one binary. The runners of the golden vectors are those of the example
//! `vectors`.

#[path = "../../examples/vectors/action.rs"]
mod action;
mod envelope_properties;
#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a crate of its own elsewhere")]
mod fuzz;
mod fuzz_replay;
mod golden_envelope;
mod golden_reply;
mod golden_response;
#[path = "../support/limits.rs"]
mod limits;
#[path = "../../examples/vectors/next.rs"]
mod next;
mod next_tables;
#[path = "../../examples/vectors/refused.rs"]
mod refused;
#[path = "../../examples/vectors/reply.rs"]
mod reply;
mod reply_properties;
mod reply_streaming;
#[path = "../../examples/vectors/response.rs"]
mod response;
#[path = "../../examples/vectors/tagged.rs"]
mod tagged;
#[path = "../../examples/vectors/verdict.rs"]
mod verdict;

use fuzz::drained;
use verdict::Verdict;
