//! Parts of pages that are kept for themselves.

use std::{
    cell::RefCell,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use callboard_cluster::cache::Stamp;
use futures_util::future::LocalBoxFuture;

use super::page::{Gathered, PageContext};
use crate::{Html, PageError, clock, render_cache::Fragment};

impl PageContext {
    /// A part of this page that is kept for itself, under `key`: other pages that name it and later renders of this one
    /// use it until one of its tags is revalidated or `ttl` is over.
    ///
    /// ```
    /// use callboard::{Html, PageContext, PageError, page};
    /// # async fn popular() -> Result<Vec<String>, PageError> { Ok(vec![]) }
    ///
    /// #[page("/posts/{id}")]
    /// async fn post(cx: &PageContext, id: u64) -> Result<Html, PageError> {
    ///     let aside = cx
    ///         .fragment("popular", &["posts"], None, async || {
    ///             let titles = popular().await?.join(", ");
    ///             Ok(Html::raw(Html::escape(&titles).to_string()))
    ///         })
    ///         .await?;
    ///     Ok(Html::raw(format!("<main>{id}</main><aside>{aside}</aside>")))
    /// }
    /// ```
    ///
    /// The key belongs to the whole application, so it names whatever the fragment depends on: `format!("post-{id}")`. Its
    /// tags are the page's, too. Each part of a page is judged by what was revalidated since it itself was rendered, so
    /// that an old fragment does not make a page old that is newer.
    ///
    /// A fragment that reads something of the one who asks makes the page private and is not kept. Nor is one that is
    /// rendered after the page has: it may have got hold of it. So a private page asks for its fragments first. What is
    /// kept already, it may use at any time.
    ///
    /// # Errors
    ///
    /// Those of `render`; then nothing is kept.
    pub async fn fragment(
        &self,
        key: impl AsRef<str>,
        tags: &[&str],
        ttl: Option<Duration>,
        render: impl AsyncFnOnce() -> Result<Html, PageError>,
    ) -> Result<Html, PageError> {
        let (node, key) = (&self.rendering.node, key.as_ref());
        let now = clock::core_now();
        let arrived = node.versions.arrive(now);
        // Whom the page is for may have seen more than this node: then he may have seen what a kept part lacks.
        let kept = if self.rendering.takeoff.kept_parts { node.cache.fragment(key) } else { None };
        if let Some(fragment) = kept.filter(|fragment| fragment.is_fresh(arrived, &node.versions, now)) {
            self.gathered.borrow_mut().use_kept(&fragment);
            return Ok(Html::raw(fragment.html.clone()));
        }
        let rendering = Gathering {
            gathered: Gathered { is_fragment: true, ..Gathered::default() }.into(),
            cx: self,
            rendering: Box::pin(async {
                for tag in tags {
                    self.tag(tag);
                }
                render().await
            }),
        };
        let (html, mut part) = rendering.await;
        part.expire(ttl.map(|ttl| clock::core_now() + ttl));
        let is_kept = html.is_ok() && !self.private.get() && !self.has_too_long_tag();
        if let Some(html) = html.as_ref().ok().filter(|_| is_kept) {
            self.keep(key, html, &part);
        }
        self.gathered.borrow_mut().take_in(part);
        html
    }

    fn keep(&self, key: &str, html: &Html, part: &Gathered) {
        let node = &self.rendering.node;
        if part.tags.len() > node.settings.page_tags_max {
            tracing::warn!(
                key,
                tags = part.tags.len(),
                "a fragment with more tags than page_tags_max is not kept"
            );
            return;
        }
        // Whatever the page read before it may be in it: it is no younger than the page.
        let own = Stamp::new(self.rendering.takeoff.birth, part.tags.clone());
        let fragment = Fragment {
            key: key.into(),
            html: html.as_str().into(),
            own: Arc::new(own),
            fragments: part.fragments.clone().into(),
            tag_names: part.tag_names.clone().into(),
            expires: part.expires,
            ends: part.ends,
        };
        node.cache.keep_fragment(fragment);
    }
}

impl Gathered {
    fn use_kept(&mut self, fragment: &Fragment) {
        self.take_in(Self {
            tag_names: fragment.tag_names.to_vec(),
            fragments: fragment.stamps().cloned().collect(),
            expires: fragment.expires,
            ends: fragment.ends,
            ..Self::default()
        });
    }
}

/// Renders a part of a page. Whatever the context is told while this is polled is of the part, and of nothing that is
/// rendered beside it.
struct Gathering<'a> {
    gathered: RefCell<Gathered>,
    cx: &'a PageContext,
    rendering: LocalBoxFuture<'a, Result<Html, PageError>>,
}

/// Puts back what was exchanged, also after a panic.
struct Exchanged<'a>(&'a RefCell<Gathered>, &'a RefCell<Gathered>);

impl<'a> Exchanged<'a> {
    fn new(one: &'a RefCell<Gathered>, other: &'a RefCell<Gathered>) -> Self {
        one.swap(other);
        Self(one, other)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        self.0.swap(self.1);
    }
}

impl Future for Gathering<'_> {
    type Output = (Result<Html, PageError>, Gathered);

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { gathered, cx, rendering } = &mut *self;
        let polled = {
            let _own = Exchanged::new(&cx.gathered, gathered);
            rendering.as_mut().poll(context)
        };
        polled.map(|html| (html, mem::take(gathered.get_mut())))
    }
}
