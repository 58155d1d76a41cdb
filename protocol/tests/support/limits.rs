//! Limits that several test binaries decode with.

use callboard_protocol::reply::Limits;

/// Settings that let everything through but what would need memory beyond the body.
pub(crate) fn wide_open() -> Limits {
    let max = usize::MAX;
    Limits {
        depth_max: max,
        nodes_max: max,
        references_max: max,
        bytes_max: max,
        parts_max: max,
        array_slots_max: u64::MAX,
        work_max: u64::MAX,
        ..Limits::default()
    }
}
