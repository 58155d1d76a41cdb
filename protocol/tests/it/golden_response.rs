//! The golden vectors of the direction server to client, recorded from React's own server and client.

use crate::{golden_reply::run, response};

#[test]
fn responses_read_as_react_reads_them_and_what_is_written_reads_back() {
    let (passed, skipped) = run("response", response::run);

    assert_eq!((passed, skipped.len()), (124, 11));
    for why in skipped {
        assert!(why == "streams are not read", "{why}");
    }
}
