//! Forms that are filled in and sent without JavaScript.

use std::time::Duration;

use callboard_protocol::multipart::Part;
use hyper::{
    HeaderMap, Method,
    header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, SET_COOKIE},
};

use super::{
    Asked, Asks,
    body::Encoding,
    draws::Draws,
    html::{PageForm, forms},
    read::{HTML, get},
    together::together,
};
use crate::{
    client::{Body, Request},
    observation::{Answer, End, Subject},
    scenario::{Chosen, Form, Picks, Text, is_path},
};

/// What a browser says of itself, so that a server takes the form and its cookies for those of its own page.
const FROM_ITS_PAGE: [(&str, &str); 3] =
    [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

/// A form, ready to be filled in.
pub(super) struct FillIn {
    path: Text,
    fields: Vec<(String, Text)>,
    sends: u32,
    picks: Picks,
    boundary: String,
}

impl FillIn {
    pub(super) fn new(form: &Form, picks: Picks, boundary: &str) -> Self {
        let read = |text: &str| Text::parse(text).expect("a scenario's texts are read");
        let fields = form.fields.iter().map(|(name, text)| (name.clone(), read(text))).collect();
        Self { path: read(&form.path), fields, sends: form.sends, picks, boundary: boundary.to_owned() }
    }

    /// Gets the page, and sends its form: once, or several times at once. Each is somebody else, with their own cookies.
    ///
    /// # Errors
    ///
    /// Why there was nothing to send.
    pub(super) async fn perform<A: Asks>(
        &self,
        operation: usize,
        intended: Duration,
        draws: &Draws,
        asks: &A,
    ) -> Result<(), String> {
        let Some(target) = asks.choose() else { return Ok(()) };
        let chosen = draws.choose(self.picks);
        let path = self.path.fill(chosen);
        let asked = Asked { operation, target, intended, subject: Subject::Plain, is_preparation: true };
        let answer = match asks.ask(asked, get(path.clone())).await {
            End::Answered(answer) if answer.status == 200 => answer,
            End::Answered(answer) => return Err(format!("its page was answered with {}", answer.status)),
            End::HungUp | End::Broken(_) | End::TimedOut => return Err("its page did not come".into()),
        };
        let request = self.filled_in(&path, &answer, chosen)?;
        let send = || async {
            let Some(target) = asks.choose() else { return };
            let subject = Subject::Form { number: chosen.number };
            let asked = Asked { operation, target, intended, subject, is_preparation: false };
            asks.ask(asked, request.clone()).await;
        };
        together((0..self.sends).map(|_| send())).await;
        Ok(())
    }

    /// The form of a page, as it is sent.
    fn filled_in(&self, path: &str, answer: &Answer, chosen: Chosen) -> Result<Request, String> {
        let html = std::str::from_utf8(&answer.body).map_err(|_| "its page is not UTF-8")?;
        let has = |form: &PageForm, wanted: &str| form.fields.iter().any(|(name, _)| name == wanted);
        let form = forms(html)
            .into_iter()
            .find(|form| self.fields.iter().all(|(name, _)| has(form, name)))
            .ok_or("its page has no form that is posted and has all of its fields")?;
        let typed = form.fields.iter().map(|(name, value)| {
            let typed = self.fields.iter().find(|(wanted, _)| wanted == name);
            (name.as_str(), typed.map_or_else(|| value.clone(), |(_, text)| text.fill(chosen)))
        });
        // Browsers send line ends of text so.
        let entries = typed.map(|(name, value)| (name, value.replace("\r\n", "\n").replace('\n', "\r\n")));
        let encoding = if form.is_multipart {
            let parts: Vec<_> = entries.map(|(name, value)| Part::text(name, value)).collect();
            Encoding::form(&parts, &self.boundary)
        } else {
            url_encoded(entries)
        };
        let path = match form.action.as_str() {
            "" => path.to_owned(),
            other if is_path(other) && !other.starts_with("//") => other.to_owned(),
            other => return Err(format!("its form is sent to `{other}`, which is no path of the target")),
        };
        let mut headers = HeaderMap::from_iter([(ACCEPT, HTML), (CONTENT_TYPE, encoding.content_type)]);
        for (name, value) in FROM_ITS_PAGE {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.extend(cookies(&answer.headers).map(|cookies| (COOKIE, cookies)));
        let body = Body::Whole(encoding.bytes);
        Ok(Request { method: Method::POST, path, headers, body, abort_after: None })
    }
}

/// The cookies that came with a page, as they go back.
fn cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let pairs = headers.get_all(SET_COOKIE).iter().filter_map(|cookie| {
        let mut pieces = cookie.to_str().ok()?.split(';').map(str::trim);
        let pair = pieces.next()?;
        let is_deleted = pieces.any(|piece| piece.eq_ignore_ascii_case("max-age=0"));
        (!is_deleted).then_some(pair)
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() { None } else { HeaderValue::try_from(pairs.join("; ")).ok() }
}

/// A form without files whose page asks for no parts.
fn url_encoded<'n>(entries: impl Iterator<Item = (&'n str, String)>) -> Encoding {
    let pairs: Vec<_> =
        entries.map(|(name, value)| format!("{}={}", percent(name), percent(&value))).collect();
    let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    Encoding { content_type, bytes: pairs.join("&").into() }
}

fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
