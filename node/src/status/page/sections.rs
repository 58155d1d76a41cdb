//! What stands on the page.

use std::fmt::Display;

use super::{
    Line, Part, Row, Table, Tile, View, bytes, code, drawing, fact, milliseconds, text, time_of_day,
};
use crate::{
    html::Html,
    status::{ENDLESS_MS, ErrorSeen, SlowSeen, Status},
};

pub(super) fn all(status: &Status) -> Vec<View> {
    vec![
        overview(status),
        cluster(status),
        actions(status),
        pages(status),
        errors(&status.errors),
        slowest(&status.slowest),
        settings(status),
    ]
}

fn overview(status: &Status) -> View {
    let minute = &status.last_minute;
    let tiles = vec![
        Tile::rate("calls/s", &minute.calls_per_s),
        Tile::rate("of them not done/s", &minute.others_per_s),
        Tile::time("half within, last minute", minute.all_p50_ms, &minute.p50_ms),
        Tile::time("99 % within, last minute", minute.all_p99_ms, &minute.p99_ms),
    ];
    let (node, calls) = (&status.node, &status.calls);
    let outcome = |name: &str| calls.outcomes.get(name).copied().unwrap_or(0);
    let is_well = node.state == "serving" && !node.draining;
    let mut facts = vec![
        fact("state", &if node.draining { "draining" } else { node.state }).bad_if(!is_well),
        fact("build", &short(&node.build)),
        fact("up", &humantime::format_duration(std::time::Duration::from_secs(node.up_s))),
        fact("in flight", &calls.in_flight),
        fact("waiting", &calls.waiting),
        fact("waits longest", &milliseconds(calls.oldest_wait_ms as f64)),
    ];
    facts.extend(["done", "failed", "not-run", "unknown"].map(|name| fact(name, &outcome(name))));
    facts.extend([fact("moved", &calls.moved), fact("lost with a node", &calls.lost).bad_if(calls.lost > 0)]);
    facts.push(fact("processor time", &format!("{:.1} s", node.cpu_s)));
    facts.extend(node.memory_bytes.map(|memory| fact("memory", &bytes(memory))));
    facts.extend(node.open_files.map(|open| fact("open files", &open)));
    View { id: "overview", title: "This node", tiles, facts, ..View::default() }
}

fn cluster(status: &Status) -> View {
    let cluster = &status.cluster;
    let facts = vec![
        fact("members", &cluster.members.len()),
        fact("view", &cluster.view_version),
        fact("keyed calls run", &if cluster.open { "yes" } else { "no" }).bad_if(!cluster.open),
        fact("may start calls for", &left(cluster.hold_left_ms)).bad_if(cluster.hold_left_ms <= 0),
        fact("slots that moved", &cluster.slot_moves),
        fact("nodes it fenced", &cluster.fenced),
        fact("dead, looked after", &cluster.orphans),
    ];
    let rows = cluster.members.iter().enumerate().map(|(place, member)| {
        let build = text(&short(&member.build));
        let is_other = member.build != status.node.build;
        let lease = member.lease_unmoved_ms.map_or("–".to_owned(), |ms| milliseconds(ms as f64));
        let state = match (member.this, member.draining) {
            (true, true) => "this node, leaving",
            (true, false) => "this node",
            (false, true) => "leaving",
            (false, false) => "",
        };
        Row {
            is_marked: member.this,
            cells: vec![
                [drawing::swatch(place), code(short(&member.member))].into_iter().collect(),
                if is_other { Html::raw(format!("{build} <i>another</i>")) } else { build },
                text(&member.slots),
                text(&member.busy_slots),
                text(&member.view_version),
                text(&lease),
                text(&state),
            ],
        }
    });
    View {
        id: "cluster",
        title: "Cluster",
        facts,
        figure: drawing::slots(&cluster.slots, cluster.members.len()),
        table: Some(Table {
            head: &["member", "build", "slots", "still runs of others", "view", "lease moved before", ""],
            rows: rows.collect(),
            empty: "This node is no member of its cluster at the moment.",
        }),
        ..View::default()
    }
}

fn actions(status: &Status) -> View {
    let rows = status.hottest.iter().map(|action| Row {
        is_marked: false,
        cells: vec![
            code(action.name),
            text(&action.class),
            text(&format!("{:.2}", action.runs_per_s)),
            counted(&format!("{:.2}", action.failed_per_s), action.failed_per_s > 0.0),
            text(&milliseconds(action.mean_ms)),
            text(&action.running),
            text(&action.runs),
            counted(&action.failed, action.failed > 0),
        ],
    });
    View {
        id: "actions",
        title: "Hot actions",
        table: Some(Table {
            head: &["action", "class", "runs/s", "failed/s", "mean", "running", "runs", "failed"],
            rows: rows.collect(),
            empty: "No action ran here in the last minute.",
        }),
        ..View::default()
    }
}

fn pages(status: &Status) -> View {
    let (minute, pages, cache) = (&status.last_minute, &status.pages, &status.cache);
    let shares: Vec<_> = minute.hit_share.iter().map(|share| share.map(|share| share * 100.0)).collect();
    let share = shares.iter().rev().find_map(|share| *share);
    let tiles = vec![
        Tile::rate("pages/s", &minute.pages_per_s),
        Tile {
            label: "from the cache",
            value: share.map_or("–".to_owned(), |share| format!("{share:.0} %")),
            spark: drawing::spark(&shares, "%"),
        },
        Tile::rate("revalidations/s", &minute.revalidations_per_s),
        Tile::time("99 % everywhere within", minute.all_wait_p99_ms, &minute.wait_p99_ms),
    ];
    let mut facts = vec![
        fact("may serve what it keeps", &if cache.leased { "yes" } else { "no, fenced" })
            .bad_if(!cache.leased),
        fact("lease left", &left(cache.lease_left_ms)),
        fact("log applied up to", &cache.position),
        fact("kept", &cache.entries),
        fact("memory of it", &format!("{} of {}", bytes(cache.bytes), bytes(cache.bytes_max as u64))),
        fact("leases that lapsed", &cache.lapses),
        fact("gaps read again", &cache.gaps),
        fact("all made stale", &cache.flushes),
        fact("renders", &pages.renders_running),
        fact("renders that wait", &pages.renders_waiting),
        fact("joined a render", &pages.coalesced),
    ];
    facts.extend(
        pages.results.iter().filter(|(_, count)| **count > 0).map(|(name, count)| fact(name, &count)),
    );
    View { id: "pages", title: "Pages and invalidation", tiles, facts, ..View::default() }
}

fn errors(errors: &[ErrorSeen]) -> View {
    let rows = errors.iter().map(|error| Row {
        is_marked: false,
        cells: vec![
            text(&time_of_day(error.at_ms)),
            code(&error.code),
            text(&error.what),
            text(&error.count),
            code(&error.trace),
            error.call.as_deref().map_or_else(Html::default, code),
        ],
    });
    View {
        id: "errors",
        title: "Recent errors",
        table: Some(Table {
            head: &["last", "code", "of", "times", "trace of the last", "call of the last"],
            rows: rows.collect(),
            empty: "None since the node started.",
        }),
        ..View::default()
    }
}

fn slowest(slowest: &[SlowSeen]) -> View {
    let lines = slowest.iter().map(|slow| Line {
        key: format!("{}-{}", slow.call.as_deref().unwrap_or(&slow.trace), slow.at_ms),
        what: slow.what.clone(),
        at: time_of_day(slow.at_ms),
        took: milliseconds(slow.took_ms),
        outcome: slow.outcome.clone(),
        trace: slow.trace.clone(),
        call: slow.call.clone(),
        parts: slow
            .parts
            .iter()
            .map(|part| Part {
                name: part.name,
                from: milliseconds(part.from_ms),
                took: milliseconds(part.took_ms),
                bar: drawing::bar(part.from_ms / slow.took_ms, part.took_ms / slow.took_ms),
            })
            .collect(),
    });
    View {
        id: "slowest",
        title: "Slowest requests of ten minutes",
        lines: Some(lines.collect()),
        ..View::default()
    }
}

fn settings(status: &Status) -> View {
    let rows = status.settings.iter().map(|setting| Row {
        is_marked: !setting.is_default,
        cells: vec![
            code(setting.name),
            text(&setting.value),
            text(&if setting.is_default { "default" } else { "set" }),
        ],
    });
    View {
        id: "settings",
        title: "Settings",
        table: Some(Table { head: &["setting", "value", ""], rows: rows.collect(), empty: "" }),
        ..View::default()
    }
}

/// How much of a lease is left. That of a node which is alone has no end.
fn left(ms: i64) -> String {
    if ms >= ENDLESS_MS { "no end".to_owned() } else { milliseconds(ms.max(0) as f64) }
}

/// The first characters of a long name; enough to tell it from the others.
fn short(name: &str) -> &str {
    name.get(..12).unwrap_or(name)
}

fn counted(number: &dyn Display, is_bad: bool) -> Html {
    let number = text(number);
    if is_bad { Html::raw(format!("<span class=\"bad\">{number}</span>")) } else { number }
}
