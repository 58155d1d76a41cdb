use std::time::Duration;

use bytes::Bytes;
use callboard_cluster::{
    cache::{self, Arrived, Core, Input, Output, PublicationId, Stamp, Versions, memory::Store, store::Mark},
    clock::Instant,
    mutant::Mutants,
};
use callboard_protocol::{
    identity::ProcessId,
    revalidation::{Epoch, LogPosition, Profile, Revalidation, Tag},
};

use super::{
    Representation::{Html, Payload},
    *,
};
use crate::page_body::{PageBody, hole};

const KEY: PageKeyRef<'static> = PageKeyRef { host: "h", path: "/", query: "" };
const NOW: Instant = Instant::from_micros(1_000_000);

/// A cache, and the log that makes its entries stale: that of a node that is alone.
struct Bench {
    cache: RenderCache,
    versions: Arc<Versions>,
    core: Core,
    log: Store,
}

impl Bench {
    fn new(bytes_max: usize) -> Self {
        let settings = cache::Settings { shared: false, tag_cells: 1 << 12, ..cache::Settings::default() };
        let core = Core::new(ProcessId::from_u128(1), Arc::default(), Arc::new(settings), Mutants::NONE);
        let (versions, log) = (Arc::clone(core.versions()), Store::new(Mutants::NONE));
        let mut bench = Self { cache: RenderCache::new(bytes_max), versions, core, log };
        assert_eq!(bench.feed(Input::Tick), None);
        bench
    }

    /// Where what was published stands.
    fn feed(&mut self, input: Input) -> Option<LogPosition> {
        let (mut inputs, mut published) = (vec![input], None);
        while let Some(input) = inputs.pop() {
            for output in self.core.step(NOW, input) {
                match output {
                    Output::Connect(connection) => inputs.push(Input::Connected(connection)),
                    Output::Perform(request, command) => {
                        inputs.push(Input::Answered(request, Ok(self.log.execute(&command))));
                    }
                    Output::Published(_, position) => published = position,
                    Output::Placed(_)
                    | Output::Disconnect(_)
                    | Output::Epoch { .. }
                    | Output::Refused(_)
                    | Output::Left => {}
                }
            }
        }
        published
    }

    fn revalidate(&mut self, revalidation: &Revalidation) -> LogPosition {
        self.feed(Input::Publish(PublicationId(1), [Mark::from(revalidation)].into(), revalidation.wait));
        self.versions.applied()
    }

    /// A page that begins now.
    fn page(&self, names: &[&str]) -> Rendered<'static> {
        page(self.versions.applied().sequence(), names)
    }

    fn keep(&self, rendered: Rendered<'_>) {
        self.cache.keep(Arc::new(Entry::new(rendered)));
    }

    fn verdict_at(&self, now: Instant) -> Option<Verdict> {
        let entry = self.cache.page(KEY)?;
        Some(entry.verdict(self.versions.arrive(now), &self.versions, now))
    }

    fn verdict(&self) -> Option<Verdict> {
        self.verdict_at(NOW)
    }
}

/// A place in the first log that there is.
fn at(sequence: u64) -> LogPosition {
    LogPosition::new(Epoch::new(1).expect("small"), sequence).expect("small")
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::named(name)).collect()
}

fn forever() -> Lifetime {
    Lifetime::until(None, None, None)
}

fn page(birth: u64, names: &[&str]) -> Rendered<'static> {
    Rendered {
        key: KEY,
        html: PageBody::new(Bytes::from_static(b"page")),
        payload: None,
        birth: at(birth),
        tags: tags(names),
        fragments: Vec::new(),
        lifetime: forever(),
        made: NOW,
        render: 1,
        tag_names: Vec::new(),
    }
}

#[test]
fn an_entry_is_served_until_one_of_its_tags_is_revalidated() {
    let mut bench = Bench::new(1 << 20);
    bench.keep(bench.page(&["book"]));
    assert_eq!(bench.verdict(), Some(Verdict::Fresh));
    bench.revalidate(&Revalidation::of_tag("other"));
    assert_eq!(bench.verdict(), Some(Verdict::Fresh));
    bench.revalidate(&Revalidation::of_tag("book"));
    assert_eq!(bench.verdict(), Some(Verdict::Dead));
}

#[test]
fn a_render_that_began_before_a_revalidation_is_never_served_after_it() {
    let mut bench = Bench::new(1 << 20);
    let position = bench.revalidate(&Revalidation::of_tag("book"));
    bench.keep(page(position.sequence() - 1, &["book"]));
    assert_eq!(bench.verdict(), Some(Verdict::Dead));
}

#[test]
fn what_was_killed_is_not_revived_by_a_soft_revalidation() {
    let mut bench = Bench::new(1 << 20);
    bench.keep(bench.page(&["book"]));
    bench.revalidate(&Revalidation::of_tag("book").soft(Profile::max()));
    assert_eq!(bench.verdict(), Some(Verdict::Stale));
    bench.revalidate(&Revalidation::of_tag("book"));
    bench.revalidate(&Revalidation::of_tag("book").soft(Profile::max()));
    assert_eq!(bench.verdict(), Some(Verdict::Dead));
}

/// Goal: the windows after the time to live. Method: a clock that is set.
#[test]
fn after_its_time_an_entry_is_stale_then_expired_and_dead_whenever_it_is_revalidated() {
    let mut bench = Bench::new(1 << 20);
    let second = Duration::from_secs(1);
    let lifetime = Lifetime::until(Some(NOW + second), Some(second), Some(3 * second));
    bench.keep(Rendered { lifetime, ..bench.page(&["book"]) });
    let just = |seconds: u32| NOW + seconds * second - Duration::from_micros(1);
    assert_eq!(bench.verdict_at(just(1)), Some(Verdict::Fresh));
    assert_eq!(bench.verdict_at(NOW + second), Some(Verdict::Stale));
    assert_eq!(bench.verdict_at(just(2)), Some(Verdict::Stale));
    assert_eq!(bench.verdict_at(NOW + 2 * second), Some(Verdict::Expired));
    assert_eq!(lifetime.error_until, NOW + 4 * second);
    bench.revalidate(&Revalidation::of_tag("book"));
    for now in [NOW, NOW + second, NOW + 2 * second] {
        assert_eq!(bench.verdict_at(now), Some(Verdict::Dead));
    }
}

/// What is sealed in a page would be refused: stale or not, it is of no use.
#[test]
fn what_ends_is_not_served_stale() {
    let second = Duration::from_secs(1);
    let lifetime = Lifetime::until(Some(NOW + second), Some(9 * second), Some(9 * second));
    let ends = NOW + 2 * second;
    let ending = lifetime.ending(Some(ends));
    assert_eq!((ending.fresh_until, ending.stale_until, ending.error_until), (NOW + second, ends, ends));
    assert_eq!(lifetime.ending(None), lifetime);
}

#[test]
fn a_page_is_as_old_as_the_oldest_fragment_in_it_and_its_own_tags_count_from_its_own_birth() {
    let mut bench = Bench::new(1 << 20);
    let fragment = Arc::new(Stamp::new(bench.versions.applied(), tags(&["nav"])));
    let position = bench.revalidate(&Revalidation::of_tag("book"));
    bench.keep(Rendered { birth: position, fragments: vec![fragment], ..page(0, &["book"]) });
    // Of the fragment's birth alone, the page would be dead.
    assert_eq!(bench.verdict(), Some(Verdict::Fresh));
    bench.revalidate(&Revalidation::of_tag("nav").soft(Profile::max()));
    assert_eq!(bench.verdict(), Some(Verdict::Stale));
    bench.revalidate(&Revalidation::of_tag("nav"));
    assert_eq!(bench.verdict(), Some(Verdict::Dead));
}

#[test]
fn a_fragment_is_used_while_it_is_fresh_and_the_node_has_a_lease() {
    let mut bench = Bench::new(1 << 20);
    bench.cache.keep_fragment(Fragment {
        key: "nav".into(),
        html: "nav".into(),
        own: Arc::new(Stamp::new(bench.versions.applied(), tags(&["nav"]))),
        fragments: Box::default(),
        tag_names: Box::default(),
        expires: Some(NOW + Duration::from_secs(1)),
        ends: None,
    });
    let fragment = bench.cache.fragment("nav").expect("it is kept");
    let arrived = bench.versions.arrive(NOW);
    assert!(fragment.is_fresh(arrived, &bench.versions, NOW));
    assert!(!fragment.is_fresh(arrived, &bench.versions, NOW + Duration::from_secs(1)));
    assert!(!fragment.is_fresh(Arrived { leased: false, ..arrived }, &bench.versions, NOW));
    // Stale is not fresh: a page that is made anew is made of nothing old.
    bench.revalidate(&Revalidation::of_tag("nav").soft(Profile::max()));
    assert!(!fragment.is_fresh(bench.versions.arrive(NOW), &bench.versions, NOW));
}

#[test]
fn a_page_is_no_fragment_of_the_same_name() {
    let bench = Bench::new(1 << 20);
    bench.keep(page(0, &[]));
    assert!(bench.cache.fragment("/").is_none() && bench.cache.fragment("h/").is_none());
}

#[test]
fn one_at_a_time_makes_an_entry_anew() {
    let entry = Entry::new(page(0, &[]));
    assert!(entry.begin_refresh());
    assert!(!entry.begin_refresh());
    entry.end_refresh();
    assert!(entry.begin_refresh());
}

/// Goal: memory is bounded by bytes, with what is compressed. Method: pages that compress, all of them compressed.
#[test]
fn memory_is_bounded_by_bytes() {
    let bench = Bench::new(100 * 1024);
    let body = PageBody::new(Bytes::from(vec![0; 2048]));
    let mut held = Vec::new();
    for number in 0..1000 {
        let path = format!("/{number}");
        let key = PageKeyRef { path: &path, ..KEY };
        let entry = Arc::new(Entry::new(Rendered { key, html: body.clone(), ..page(0, &[]) }));
        bench.cache.keep(Arc::clone(&entry));
        let before = weight::of_page(&entry);
        entry.body(Html).compress();
        assert_eq!(weight::of_page(&entry), before, "the weight of what is kept does not change");
        held.push(entry);
    }
    assert!(bench.cache.entries.weight() <= 100 * 1024);
    assert!(bench.cache.entries.len() > 10);
    let kept: usize =
        held.iter().filter_map(|entry| entry.gzip.made()).map(|gzip| gzip.body.len()).max().unwrap_or(0);
    assert!(kept > 0 && kept <= 1024);
}

#[test]
fn a_page_that_is_another_in_each_response_has_no_etag() {
    let entry = |html: String| Entry::new(Rendered { html: PageBody::new(html.into()), ..page(0, &[]) });
    assert!(entry("page".into()).body(Html).etag().is_some());
    assert!(entry(format!("page {}", hole())).body(Html).etag().is_none());
}

#[test]
fn what_is_small_or_another_in_each_response_is_not_compressed() {
    let filled = format!("{}{}", "x".repeat(5000), hole());
    for text in ["x".repeat(1023), filled] {
        let entry = Entry::new(Rendered { html: PageBody::new(text.into()), ..page(0, &[]) });
        assert!(!entry.body(Html).varies());
    }
}

fn with_payload(html: &str, payload: &str) -> Rendered<'static> {
    let body = |text: &str| PageBody::new(Bytes::copy_from_slice(text.as_bytes()));
    Rendered { html: body(html), payload: Some(body(payload)), ..page(0, &[]) }
}

/// Goal: what a payload takes is counted before it is there. Method: pages with payloads that compress, all of them
/// compressed.
#[test]
fn memory_is_bounded_with_payloads_and_what_is_compressed_of_them() {
    let bench = Bench::new(100 * 1024);
    let payload = "x".repeat(2048);
    for number in 0..100 {
        let path = format!("/{number}");
        let key = PageKeyRef { path: &path, ..KEY };
        let entry = Arc::new(Entry::new(Rendered { key, ..with_payload("page", &payload) }));
        bench.cache.keep(Arc::clone(&entry));
        let before = weight::of_page(&entry);
        entry.body(Payload).compress();
        assert_eq!(weight::of_page(&entry), before, "the weight of what is kept does not change");
        let gzip = entry.body(Payload).made_gzip().expect("it is worth it").body.len();
        assert!(before >= weight::of_page(&Entry::new(page(0, &[]))) + payload.len() + gzip);
        assert!(entry.body(Html).made_gzip().is_none());
    }
    assert!(bench.cache.entries.len() > 10 && bench.cache.entries.weight() <= 100 * 1024);
}

#[test]
fn a_page_without_a_payload_is_shown_as_html_whatever_is_wanted() {
    let entry = Arc::new(Entry::new(page(0, &[])));
    let shown = Shown::new(entry, || panic!("there is no choice, so nobody is asked"));
    assert_eq!(shown.representation(), Html);
}

#[test]
fn html_and_payload_have_etags_of_their_own_even_if_they_are_the_same_text() {
    let entry = Entry::new(with_payload("same", "same"));
    let etag = |representation| entry.body(representation).etag().expect("no holes").as_str().to_owned();
    assert_ne!(etag(Html), etag(Payload));
    assert_eq!(entry.payload_bytes(), Some(4));
}

/// A form in one of them does not make the other another in each response.
#[test]
fn holes_are_those_of_one_representation() {
    let filled = format!("{}{}", "x".repeat(5000), hole());
    let plain = "x".repeat(5000);
    let entry = Entry::new(with_payload(&filled, &plain));
    assert!(entry.body(Html).etag().is_none() && !entry.body(Html).varies());
    assert!(entry.body(Payload).etag().is_some() && entry.body(Payload).varies());
    let entry = Entry::new(with_payload(&plain, &filled));
    assert!(entry.body(Html).etag().is_some() && entry.body(Html).varies());
    assert!(entry.body(Payload).etag().is_none() && !entry.body(Payload).varies());
}

#[test]
fn the_tables_take_no_more_than_is_counted_for_them() {
    let bench = Bench::new(1 << 30);
    for number in 1..=5000 {
        let path = format!("/{number}");
        let key = PageKeyRef { path: &path, ..KEY };
        bench.cache.keep(Arc::new(Entry::new(Rendered { key, ..page(0, &[]) })));
        let taken = bench.cache.entries.memory_used().total();
        assert!(number < 1000 || taken <= number * weight::TABLES_BYTES, "{taken} by {number}");
    }
}

#[test]
fn keys_differ_by_host_path_and_query() {
    let bench = Bench::new(1 << 20);
    bench.keep(page(0, &[]));
    for other in [
        PageKeyRef { host: "other", ..KEY },
        PageKeyRef { path: "/other", ..KEY },
        PageKeyRef { query: "a=1", ..KEY },
    ] {
        assert!(bench.cache.page(other).is_none());
    }
    assert_eq!(bench.cache.pages_at("/", None, 9).len(), 1);
    assert_eq!(bench.cache.pages_at("/", Some("h"), 9).len(), 1);
    assert!(bench.cache.pages_at("/", Some("other"), 9).is_empty());
    assert!(bench.cache.pages_at("/", None, 0).is_empty());
    bench.cache.forget(KEY);
    assert!(bench.cache.page(KEY).is_none());
}
