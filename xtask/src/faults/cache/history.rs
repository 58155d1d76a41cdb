//! What clients read and wrote, as they saw it.
//!
//! Times are microseconds of this machine's monotonic clock since the run began.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A read that was answered with a page.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// One who waits for each answer and has a token, if it is one of those.
    pub(crate) client: Option<usize>,
    /// The process that was asked.
    pub(crate) asked: u32,
    pub(crate) path: String,
    pub(crate) sent: u64,
    pub(crate) ended: u64,
    pub(crate) origin: Origin,
    pub(crate) shown: Shown,
}

/// Where a page came from, by the header `cache-status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was kept.
    Kept,
    /// It was made, and is kept now if it may be.
    Made,
    /// It was made, by a node that may not trust what it keeps.
    Fenced,
}

/// What a page shows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Shown {
    /// The process that rendered it.
    pub(crate) pid: u32,
    pub(crate) render: u64,
    /// The counter of each of its tags.
    pub(crate) counts: BTreeMap<String, i64>,
}

/// Something that makes pages stale, as far as whoever caused it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) client: Option<usize>,
    pub(crate) tag: String,
    pub(crate) wait: Wait,
    pub(crate) sent: u64,
    pub(crate) ended: u64,
    /// What the counter of the tag was raised to, if that is certain.
    pub(crate) count: Option<i64>,
}

/// What the answer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// That no node serves anything older.
    Strict,
    /// That whoever wrote it sees it.
    Session,
    /// Nothing: pages are served until there is another one, or until the log reached everybody.
    Nothing,
    /// Nobody was answered, as the node died. Others clear up behind it, which takes until `ended`.
    Reaping,
}

/// A time in which a node has no lease: it was cut off before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lapse {
    pub(crate) pid: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Origin {
    /// What `cache-status` says.
    pub(crate) fn of(cache_status: Option<&str>) -> Self {
        let cache_status = cache_status.unwrap_or_default();
        let says = |word: &str| cache_status.split(';').any(|part| part.trim() == word);
        if says("hit") {
            Self::Kept
        } else if says("detail=fenced") {
            Self::Fenced
        } else {
            Self::Made
        }
    }
}

impl Shown {
    /// What is shown by a page of the workload.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let (_, json) = text.split_once("<script type=\"application/json\">")?;
        serde_json::from_str(json.strip_suffix("</script>")?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_it_was_made_of() {
        let page = "<!doctype html><title>tagged 0</title><script type=\"application/json\">\
            {\"pid\":7,\"render\":18446744073709551615,\"counts\":{\"tagged-0\":3,\"tagged-1\":0}}</script>";
        let shown = Shown::of(page.as_bytes()).expect("it is one");
        assert_eq!((shown.pid, shown.render), (7, u64::MAX));
        assert_eq!(shown.counts, BTreeMap::from([("tagged-0".to_owned(), 3), ("tagged-1".to_owned(), 0)]));
        assert_eq!(Shown::of(b"<!doctype html><title>503</title>"), None);
    }

    #[test]
    fn a_header_says_where_a_page_came_from() {
        assert_eq!(Origin::of(Some("callboard; hit")), Origin::Kept);
        assert_eq!(Origin::of(Some("callboard; hit; ttl=3")), Origin::Kept);
        assert_eq!(Origin::of(Some("callboard; fwd=miss")), Origin::Made);
        assert_eq!(Origin::of(Some("callboard; fwd=bypass; detail=fenced")), Origin::Fenced);
        assert_eq!(Origin::of(None), Origin::Made);
    }
}
