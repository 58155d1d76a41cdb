use std::collections::BTreeMap;

use callboard_protocol::identity::{Boot, ProcessId, ViewVersion};

use super::{super::*, *};
use crate::{
    build_id::BuildId,
    metrics::{ClusterSeen, MemberSeen, MembershipReport},
};

#[test]
fn figures_are_as_short_as_they_are_read() {
    assert_eq!(time_of_day(1_700_000_000_123), "22:13:20 UTC");
    assert_eq!([0.123, 42.4, 2345.0].map(milliseconds), ["0.12 ms", "42 ms", "2.3 s"]);
    assert_eq!([0, 1023, 1024, 3 << 40].map(bytes), ["0 B", "1023 B", "1.0 KiB", "3072.0 GiB"]);
}

/// How a node stands that sees so many members, the last of which is itself.
fn status(members: u32) -> Status {
    let boots: Vec<_> = (0..members)
        .map(|id| Boot { process: ProcessId::from_u128(u128::from(id) << 96), session: 1 })
        .collect();
    let seen = ClusterSeen {
        me: boots.last().copied(),
        open: true,
        members: boots
            .iter()
            .map(|boot| MemberSeen {
                boot: *boot,
                build: BuildId::from_u128(7),
                draining: false,
                acked: ViewVersion::from_u64(3),
                busy: 0,
                lease_unmoved: Some(Duration::from_millis(250)),
            })
            .collect(),
        owners: boots.iter().cycle().take(1024).map(|boot| Some(*boot)).collect(),
        orphans: 0,
    };
    let membership = MembershipReport { seen: Arc::new(seen), ..MembershipReport::default() };
    Status {
        schema: SCHEMA,
        at_ms: 0,
        node: NodeStatus {
            application: "crowded",
            build: BuildId::from_u128(7).to_string(),
            member: None,
            state: "serving",
            is_clustered: true,
            draining: false,
            up_s: 1,
            actions: 1,
            pages: 0,
            cpu_s: 0.0,
            memory_bytes: None,
            open_files: None,
            open_files_max: None,
        },
        calls: CallsStatus {
            in_flight: 0,
            waiting: 0,
            oldest_wait_ms: 0,
            outcomes: BTreeMap::new(),
            moved: 0,
            lost: 0,
        },
        pages: PagesStatus { results: BTreeMap::new(), renders_running: 0, renders_waiting: 0, coalesced: 0 },
        cache: CacheStatus {
            leased: true,
            lease_left_ms: 1,
            position: "1".into(),
            entries: 0,
            bytes: 0,
            bytes_max: 1,
            applied: 0,
            published: 0,
            gaps: 0,
            lapses: 0,
            flushes: 0,
        },
        cluster: ClusterStatus::of(&Told { membership, ..Told::default() }),
        last_minute: LastMinute::default(),
        hottest: Vec::new(),
        errors: Vec::new(),
        slowest: Vec::new(),
        settings: Vec::new(),
    }
}

fn section(status: &Status, id: &str) -> String {
    let sections = Page::of(status).expect("a page").sections;
    sections.into_iter().find(|section| section.id == id).expect("is one").html
}

#[test]
fn two_hundred_nodes_have_a_line_and_a_colour_each_and_the_page_stays_small() {
    let status = status(200);
    assert_eq!(status.cluster.members.iter().map(|member| member.slots).sum::<usize>(), 1024);
    assert!(status.cluster.members[199].this && !status.cluster.members[0].this);
    let cluster = section(&status, "cluster");
    assert_eq!(cluster.matches("<tr").count(), 1 + 200);
    assert_eq!(cluster.matches("<path fill=").count(), 200);
    let whole = Page::of(&status).expect("a page").html("n").expect("a page");
    assert!(whole.len() < 256 * 1024, "{} bytes", whole.len());
}

#[test]
fn a_node_that_sees_nobody_says_so() {
    let status = status(0);
    assert!(status.cluster.slots.iter().all(Option::is_none));
    assert!(section(&status, "cluster").contains("no member of its cluster"));
}

#[test]
fn what_others_wrote_is_text() {
    let mut status = status(1);
    status.errors.push(ErrorSeen {
        code: "<em>".into(),
        what: "<script>".into(),
        count: 1,
        at_ms: 0,
        trace: "\"><s>".into(),
        call: Some("<u>".into()),
    });
    status.slowest.push(SlowSeen {
        what: "<script>".into(),
        at_ms: 0,
        took_ms: 1.0,
        outcome: Some("<em>".into()),
        trace: "\"><s>".into(),
        call: None,
        parts: vec![PartSeen { name: "run", from_ms: 0.0, took_ms: 1.0 }],
    });
    for id in ["errors", "slowest"] {
        let html = section(&status, id);
        for tag in ["<script", "<em>", "<u>", "\"><s>"] {
            assert!(!html.contains(tag), "{id}: {tag} in {html}");
        }
        assert!(html.contains("script"), "{html}");
    }
}
