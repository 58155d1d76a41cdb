//! Why a page is fresh or stale, as JSON on the admin port.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use callboard_cluster::cache::{Freshness, Newest, Stamp};
use callboard_protocol::revalidation::{LogPosition, Tag};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Asked;
use crate::{
    clock,
    node::Node,
    render_cache::{Entry, Verdict},
};

/// Most entries of one answer: a path may be kept under any number of queries.
const ENTRIES_MAX: usize = 100;

#[derive(Deserialize)]
pub(super) struct About {
    path: String,
    #[serde(default)]
    host: Option<String>,
}

/// `GET /explain?path=…[&host=…]`: what is kept of a path on this node, how old it is, and whether it would be served. The
/// path may be escaped or not, as that of a revalidation.
pub(super) async fn explain(request: HttpRequest, about: web::Query<About>) -> HttpResponse {
    let node: &Arc<Node> = request.app_data().expect("the server was made with a node");
    let About { path, host } = about.into_inner();
    let asked = Asked::at(node, clock::core_now());
    let page = node.registry.page(&path).map(|(page, _)| page);
    let names = Names::new(&path, page.map(|page| page.tags).unwrap_or_default());
    let mut kept = node.cache.pages_at(&path, host.as_deref(), ENTRIES_MAX + 1);
    let more = kept.len() > ENTRIES_MAX;
    kept.truncate(ENTRIES_MAX);
    kept.sort_by(|one, other| {
        let (one, other) = (one.key(), other.key());
        (one.host, one.query).cmp(&(other.host, other.query))
    });
    let entries: Vec<_> = kept.iter().map(|entry| of_entry(node, &names, asked, entry)).collect();
    HttpResponse::Ok().json(json!({
        "path": path,
        "page": page.map(|page| page.pattern),
        "applied": asked.arrived.applied.to_string(),
        "floor": node.versions.floor().to_string(),
        "leased": asked.arrived.leased,
        "found": kept.len(),
        "more": more,
        "entries": entries,
    }))
}

/// The names of tags that are known without being kept: those of the path and of the page's attribute.
struct Names(Vec<(Tag, String)>);

impl Names {
    fn new(path: &str, tags: &[&str]) -> Self {
        let named = tags.iter().map(|tag| (Tag::named(tag), format!("tag {tag}")));
        let layouts = Tag::named_layouts(path).into_iter();
        let layouts = layouts.map(|(tag, above)| (tag, format!("layout {above}")));
        Self(named.chain([(Tag::path(path), format!("path {path}"))]).chain(layouts).collect())
    }

    fn of(&self, tag: Tag) -> String {
        let known = self.0.iter().find(|(known, _)| *known == tag);
        known.map_or_else(|| format!("tag with the hash {:016x}", tag.hash()), |(_, name)| name.clone())
    }
}

fn of_entry(node: &Node, names: &Names, asked: Asked, entry: &Entry) -> Value {
    let verdict = entry.verdict(asked.arrived, &node.versions, asked.now);
    let word = match verdict {
        Verdict::Dead => "dead",
        _ if asked.fenced => "fenced",
        Verdict::Fresh => "fresh",
        Verdict::Stale => "stale",
        Verdict::Expired => "expired",
    };
    let key = entry.key();
    let parts: Vec<_> = entry.parts().map(|part| of_part(node, names, part)).collect();
    json!({
        "host": key.host,
        "query": key.query,
        "render": entry.render.to_string(),
        "birth": entry.birth().to_string(),
        "age_ms": entry_age_ms(entry, asked),
        "payload_bytes": entry.payload_bytes(),
        "verdict": word,
        "because": because(node, names, asked, entry, verdict),
        "parts": parts,
    })
}

fn entry_age_ms(entry: &Entry, asked: Asked) -> u64 {
    asked.now.since(entry.made).as_millis() as u64
}

fn of_part(node: &Node, names: &Names, part: &Stamp) -> Value {
    let tags = part.tags().iter().map(|tag| {
        let Newest { hard, soft } = node.versions.newest(*tag);
        json!({ "tag": names.of(*tag), "hard": position(hard), "soft": position(soft) })
    });
    json!({ "birth": part.birth().to_string(), "tags": tags.collect::<Vec<_>>() })
}

/// As text: JavaScript's numbers do not hold it. Nothing where there was none.
fn position(position: LogPosition) -> Option<String> {
    (position != LogPosition::default()).then(|| position.to_string())
}

/// The reason, as a sentence.
fn because(node: &Node, names: &Names, asked: Asked, entry: &Entry, verdict: Verdict) -> String {
    match verdict {
        Verdict::Dead => revalidated(node, names, entry, |newest| newest.hard).unwrap_or_else(|| {
            let (birth, floor) = (entry.birth(), node.versions.floor());
            format!("it began at {birth}; whatever began before {floor} is dead, as part of the log was lost")
        }),
        _ if asked.fenced => {
            "this node has no lease on the log: it cannot know what others revalidated".to_owned()
        }
        Verdict::Fresh => "nothing of it was revalidated since it began".to_owned(),
        Verdict::Stale | Verdict::Expired => {
            let is_soft = entry.freshness(asked.arrived, &node.versions) == Freshness::Stale;
            let soft = if is_soft { revalidated(node, names, entry, |newest| newest.soft) } else { None };
            soft.unwrap_or_else(|| "its time to live is over".to_owned())
        }
    }
}

/// Which tag was revalidated after the part began that carries it.
fn revalidated(
    node: &Node,
    names: &Names,
    entry: &Entry,
    of: impl Fn(Newest) -> LogPosition,
) -> Option<String> {
    entry.parts().find_map(|part| {
        let birth = part.birth();
        let tag = part.tags().iter().find(|tag| of(node.versions.newest(**tag)) > birth)?;
        let at = of(node.versions.newest(*tag));
        Some(format!("the {} was revalidated at {at}, and it began at {birth}", names.of(*tag)))
    })
}
