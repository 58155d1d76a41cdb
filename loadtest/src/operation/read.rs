//! Reads of pages.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Method,
    header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH},
};

use super::{Asked, Asks, draws::Draws};
use crate::{
    client::{Body, Request},
    observation::{End, Subject, TargetId},
    scenario::{Page, Picks, Text},
};

/// What a browser says that it takes.
pub(super) const HTML: HeaderValue =
    HeaderValue::from_static("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

/// Pages whose `etag` is kept; those beyond are asked for as if for the first time.
const ETAGS_MAX: usize = 10_000;

/// A page, ready to be read.
pub(super) struct Read {
    page: Page,
    path: Text,
    picks: Picks,
    /// What came last, of each target and path.
    etags: RefCell<HashMap<(TargetId, String), HeaderValue>>,
}

impl Read {
    pub(super) fn new(page: &Page, picks: Picks) -> Self {
        let path = Text::parse(&page.path).expect("a scenario's paths are read");
        Self { page: page.clone(), path, picks, etags: RefCell::default() }
    }

    /// Reads it once.
    pub(super) async fn perform<A: Asks>(
        &self,
        operation: usize,
        intended: Duration,
        draws: &Draws,
        asks: &A,
    ) {
        let Some(target) = asks.choose() else { return };
        let path = self.path.fill(draws.choose(self.picks));
        let mut request = get(path.clone());
        let place = self.page.conditional.then(|| (target, path.clone()));
        if let Some(etag) = place.as_ref().and_then(|place| self.etags.borrow().get(place).cloned()) {
            request.headers.insert(IF_NONE_MATCH, etag);
        }
        let path: Arc<str> = path.into();
        let subject = if self.page.shows_counters { Subject::Page { path } } else { Subject::Plain };
        let asked = Asked { operation, target, intended, subject, is_preparation: false };
        let end = asks.ask(asked, request).await;
        if let Some(place) = place {
            self.remember(place, &end);
        }
    }

    fn remember(&self, place: (TargetId, String), end: &End) {
        let End::Answered(answer) = end else { return };
        let mut etags = self.etags.borrow_mut();
        match (answer.status, answer.headers.get(ETAG)) {
            (200, Some(etag)) if etags.len() < ETAGS_MAX || etags.contains_key(&place) => {
                etags.insert(place, etag.clone());
            }
            // A page without one is not to be asked for with that of an older page.
            (200, None) => drop(etags.remove(&place)),
            _ => {}
        }
    }
}

/// A request for a page.
pub(super) fn get(path: String) -> Request {
    let headers = HeaderMap::from_iter([(ACCEPT, HTML)]);
    Request { method: Method::GET, path, headers, body: Body::Whole(bytes::Bytes::new()), abort_after: None }
}
