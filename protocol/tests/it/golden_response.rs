//! The golden vectors of the direction server to client, recorded from React's own server and client.

use crate::{golden_reply::run, response};

#[test]
fn responses_read_as_react_reads_them_and_what_is_written_reads_back() {
    assert_eq!(run("response", response::run), (135, Vec::new()));
}
