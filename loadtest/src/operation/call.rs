//! Calls of actions, as React's client makes them.

use std::{sync::Arc, time::Duration};

use callboard_protocol::{Value, reply::EncodeError};
use hyper::{
    HeaderMap, Method,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{Asked, Asks, body::Encoding, draws::Draws, together::together};
use crate::{
    client::{Body, Request},
    observation::{LedgerCall, LedgerClass, Subject},
    scenario::{Action, ActionOracle, Arguments, Chosen, Picks, Text},
    target,
};

/// The header that names an action.
pub(super) const NEXT_ACTION: HeaderName = HeaderName::from_static("next-action");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const ROUTER_STATE: HeaderName = HeaderName::from_static("next-router-state-tree");

/// An action, ready to be called.
pub(super) struct Call {
    action: Action,
    reference: HeaderValue,
    path: Text,
    picks: Picks,
    boundary: String,
    /// The body, if it is always the same.
    fixed: Option<Encoding>,
    kind: target::Kind,
}

impl Call {
    /// Of an action with this reference.
    ///
    /// # Errors
    ///
    /// If a client would refuse to send its arguments.
    pub(super) fn new(
        action: &Action,
        reference: HeaderValue,
        picks: Picks,
        boundary: &str,
        kind: target::Kind,
    ) -> Result<Self, EncodeError> {
        let path = Text::parse(&action.path).expect("a scenario's paths are read");
        let encoded = Encoding::of(&value(&action.arguments, Chosen::default()), action.multipart, boundary)?;
        let fixed = matches!(action.arguments, Arguments::Fixed(_)).then_some(encoded);
        let (action, boundary) = (action.clone(), boundary.to_owned());
        Ok(Self { action, reference, path, picks, boundary, fixed, kind })
    }

    /// Makes a call: once, or several times at once.
    pub(super) async fn perform<A: Asks>(
        &self,
        operation: usize,
        intended: Duration,
        draws: &Draws,
        asks: &A,
    ) {
        let chosen = draws.choose(self.picks);
        let request = self.request(chosen, draws);
        let subject = self.subject(chosen);
        let asked = |target| {
            let subject = subject.clone();
            Asked { operation, target, intended, subject, is_preparation: false }
        };
        if self.action.duplicates == 0 {
            let Some(target) = asks.choose() else { return };
            asks.ask(asked(target), request).await;
            return;
        }
        let send = || async {
            let Some(target) = asks.choose() else { return };
            asks.ask(asked(target), request.clone()).await;
        };
        together((0..self.action.duplicates).map(|_| send())).await;
    }

    fn request(&self, chosen: Chosen, draws: &Draws) -> Request {
        let encoding = self.fixed.clone().unwrap_or_else(|| {
            let value = value(&self.action.arguments, chosen);
            Encoding::of(&value, self.action.multipart, &self.boundary)
                .expect("what can be sent does not depend on the placeholders")
        });
        let path = self.path.fill(chosen);
        let mut headers = HeaderMap::new();
        headers.insert(NEXT_ACTION, self.reference.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("text/x-component"));
        headers.insert(CONTENT_TYPE, encoding.content_type);
        if self.kind == target::Kind::Next {
            headers.insert(ROUTER_STATE, router_state(&path));
        }
        if self.action.duplicates > 0 {
            let key = draws.idempotency_key(chosen.number);
            headers.insert(IDEMPOTENCY_KEY, HeaderValue::try_from(key).expect("a key is letters and digits"));
        }
        let bytes = encoding.bytes;
        let body = match self.action.bytes_per_second {
            Some(bytes_per_second) => Body::Slow { bytes, bytes_per_second },
            None => Body::Whole(bytes),
        };
        Request { method: Method::POST, path, headers, body, abort_after: self.action.abort_after }
    }

    /// What the oracles have to know of a call.
    fn subject(&self, chosen: Chosen) -> Subject {
        let first = || match &self.action.arguments {
            Arguments::Template(template) => template.first_text(chosen),
            Arguments::Fixed(value) => {
                let slot = value.as_array().and_then(<[_]>::first);
                slot.and_then(|slot| value.at(slot).as_str().map(ToOwned::to_owned))
            }
        };
        let first: Arc<str> = match self.action.oracle {
            ActionOracle::None => return Subject::Call,
            _ => first().expect("a scenario's oracles fit their arguments").into(),
        };
        match self.action.oracle {
            ActionOracle::Ledger(class) => self.ledger(class, chosen.number, first),
            _ => Subject::Bump { tag: first },
        }
    }

    fn ledger(&self, class: LedgerClass, number: u64, account: Arc<str>) -> Subject {
        let has_idempotency_key = self.action.duplicates > 0;
        Subject::Ledger(LedgerCall { number, account, class, has_idempotency_key })
    }
}

fn value(arguments: &Arguments, chosen: Chosen) -> Value {
    match arguments {
        Arguments::Fixed(value) => value.clone(),
        Arguments::Template(template) => template.fill(chosen),
    }
}

/// Where the router of Next.js is, as it says with each call: the segments of a path, one in the other.
fn router_state(path: &str) -> HeaderValue {
    let segments = path.split(['?', '#']).next().unwrap_or_default().split('/');
    let segments: Vec<_> = segments.filter(|segment| !segment.is_empty()).collect();
    let page = serde_json::json!(["__PAGE__", {}]);
    let tree = segments
        .iter()
        .rev()
        .fold(page, |inner, segment| serde_json::json!([segment, { "children": inner }]));
    let tree = serde_json::json!(["", { "children": tree }, null, null, true]).to_string();
    let byte = |byte: u8| match byte {
        b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let encoded: String = tree.bytes().map(byte).collect();
    HeaderValue::try_from(encoded).expect("what is encoded so is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_router_says_where_it_is() {
        let decoded = |path: &str| {
            let text = router_state(path).to_str().unwrap().to_owned();
            let pairs = [
                ("%5B", "["),
                ("%5D", "]"),
                ("%7B", "{"),
                ("%7D", "}"),
                ("%22", "\""),
                ("%2C", ","),
                ("%3A", ":"),
            ];
            pairs.iter().fold(text, |text, (from, to)| text.replace(from, to))
        };
        assert_eq!(decoded("/"), r#"["",{"children":["__PAGE__",{}]},null,null,true]"#);
        assert_eq!(
            decoded("/a/b?c"),
            r#"["",{"children":["a",{"children":["b",{"children":["__PAGE__",{}]}]}]},null,null,true]"#
        );
    }
}
