//! Where a render comes from, and what it came to.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use actix_web::HttpRequest;
use callboard_cluster::{cache::flight_table::Takeoff, clock::Instant as CoreInstant};
use callboard_protocol::revalidation::{LogPosition, Tag};
use futures_util::FutureExt as _;
use tokio::sync::SemaphorePermit;
use tracing::{Instrument as _, Span, error, error_span, warn};

use crate::{
    PageError, clock,
    context::{Facts, FormState, Gathered, PageContext, Rendering},
    node::Node,
    page_body::PageBody,
    registry::PageEntry,
    render_cache::{Entry, Lifetime, PageKeyRef, Rendered},
    request::RequestHead,
    telemetry::{Phase, Timeline},
};

/// Where a render comes from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) node: Arc<Node>,
    pub(super) page: &'static PageEntry,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) head: RequestHead,
    /// Of the request that it is for, unless that has one of its own.
    pub(super) timeline: Option<Arc<Timeline>>,
}

/// A finished render. Private or not, and what it is made of, whatever it ended in.
pub(super) struct Render {
    pub(super) page: Result<Bodies, PageError>,
    pub(super) private: bool,
    pub(super) made_of: MadeOf,
}

/// What a page is shown as.
pub(super) struct Bodies {
    pub(super) html: PageBody,
    /// Its data, if it told them.
    pub(super) payload: Option<PageBody>,
}

/// What a render is made of, and when.
pub(super) struct MadeOf {
    gathered: Gathered,
    /// Every tag that revalidates it, those of the fragments in it too.
    pub(super) all_tags: Vec<Tag>,
    /// Tags that it was given, which are limited, and not by its path.
    tags_given: usize,
    birth: LogPosition,
    pub(super) id: u64,
}

impl Source {
    /// Of the page that a request asks for, if there is one.
    pub(super) fn of(request: &HttpRequest, node: &Arc<Node>) -> Option<Self> {
        let (page, parameters) = node.registry.page(request.path())?;
        Some(Self {
            node: Arc::clone(node),
            page,
            parameters,
            head: RequestHead::of(request),
            timeline: None,
        })
    }

    /// What is remembered of the request that came then, and for which nothing is kept.
    pub(super) fn timed(&self, request: &HttpRequest, came: CoreInstant) -> Arc<Timeline> {
        let timeline = Timeline::accept(&self.node, request, clock::core_now().since(came));
        timeline.is_page(self.page.pattern);
        timeline.over(Phase::Cache, timeline.begun());
        timeline
    }

    /// What the application logs in it names the page, and the request if there is one; what it opens belongs to that.
    fn log_span(&self) -> Span {
        let Some(timeline) = &self.timeline else { return error_span!("request", page = self.page.pattern) };
        let span = timeline.log_span();
        timeline.follow(&span, Phase::Render);
        span
    }

    /// Renders. The place is free again when it ended.
    pub(super) async fn render(
        &self,
        _place: SemaphorePermit<'_>,
        takeoff: Takeoff,
        form_state: Option<FormState>,
    ) -> Render {
        let id = self.node.cache.next_render_id();
        let cx = PageContext::new(Rendering {
            node: Arc::clone(&self.node),
            head: self.head.clone(),
            parameters: self.parameters.clone(),
            form_state,
            takeoff,
            id,
        });
        for tag in self.page.tags {
            cx.tag(tag);
        }
        let begun = Instant::now();
        // The inner block makes a panic before the first await one of the page's, too.
        let rendering = AssertUnwindSafe(async { (self.page.render)(&cx).await }).catch_unwind();
        let rendering = rendering.instrument(self.log_span());
        let page = match tokio::time::timeout(self.node.settings.render_timeout, rendering).await {
            Ok(rendered) => rendered.unwrap_or_else(|_| Err(PageError::Failed("panicked".into()))),
            Err(_) => Err(PageError::Failed("took longer than render_timeout".into())),
        };
        self.node.metrics.rendered(self.node.registry.page_label(self.page), begun.elapsed());
        if let Some(timeline) = &self.timeline {
            timeline.over(Phase::Render, begun);
        }
        let Facts { private, mut gathered, payload, too_long } = cx.into_facts();
        let page = match too_long {
            Some(too_long) => Err(PageError::Failed(too_long.to_string())),
            None => page,
        };
        if let Err(PageError::Failed(reason)) = &page {
            let trace = self.timeline.as_deref().map(Timeline::trace_id);
            error!(trace, page = self.page.pattern, reason, "page failed");
        }
        let mut all_tags = gathered.all_tags();
        let tags_given = all_tags.len();
        let own = [Tag::path(&self.head.path)].into_iter().chain(Tag::layouts(&self.head.path));
        for tag in own {
            gathered.tags.push(tag);
            all_tags.push(tag);
        }
        let page = page.map(|html| Bodies {
            html: PageBody::new(html.into_string().into()),
            payload: payload.map(PageBody::new),
        });
        Render { page, private, made_of: MadeOf { gathered, all_tags, tags_given, birth: takeoff.birth, id } }
    }

    /// Makes a page of a render that anybody may get, and keeps it, unless it has too many tags for that.
    pub(super) fn keep(&self, key: PageKeyRef<'_>, page: Bodies, made_of: MadeOf) -> Arc<Entry> {
        let Bodies { html, payload } = page;
        let MadeOf { mut gathered, tags_given, birth, id, .. } = made_of;
        self.remember_private(false);
        let now = clock::core_now();
        let ttl = self.page.ttl.map(|ttl| now + ttl);
        let fresh_until = ttl.into_iter().chain(gathered.expires).min();
        gathered.tags.sort_unstable();
        gathered.tags.dedup();
        let entry = Arc::new(Entry::new(Rendered {
            key,
            html,
            payload,
            birth,
            tags: gathered.tags,
            fragments: gathered.fragments,
            lifetime: Lifetime::until(
                fresh_until,
                self.page.stale_while_revalidate,
                self.page.stale_if_error,
            )
            .ending(gathered.ends),
            made: now,
            render: id,
            tag_names: gathered.tag_names,
        }));
        if tags_given <= self.node.settings.page_tags_max {
            self.node.cache.keep(Arc::clone(&entry));
        } else {
            let page = self.page.pattern;
            warn!(page, tags = tags_given, "a page with more tags than page_tags_max is not kept");
        }
        entry
    }

    /// The render turned out to be for one request only.
    pub(super) fn register_private(&self) {
        self.remember_private(true);
    }

    fn remember_private(&self, private: bool) {
        if let Some(last) = self.node.private_pages.get(self.page.pattern) {
            last.store(private, Ordering::Relaxed);
        }
    }

    /// Whether it is rendered for each request alone, so that nobody waits for a render that he may not use: as long as
    /// renders of its route turn out to be private, unless something is kept under this very key, which was for everybody.
    /// It is still kept when it turns out to be for everybody.
    pub(super) fn registered_private(&self, key: PageKeyRef<'_>) -> bool {
        let last = self.node.private_pages.get(self.page.pattern);
        last.is_some_and(|last| last.load(Ordering::Relaxed)) && self.node.cache.page(key).is_none()
    }
}
