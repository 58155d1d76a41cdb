//! Forms that work without JavaScript: the hidden fields that name an action, its sealed values and its state.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use callboard_protocol::{
    Value, flight,
    form_action::NONCE_FIELD,
    js::JsString,
    reply::{self, Encoded},
    sealing::{self, SealOptions},
    value::{Builder, Node as ValueNode, Promise, Slot},
};
use serde::Serialize;

use crate::{Html, PageError, clock, context::Principal, node::Node, page_body, registry::ActionEntry};

/// An action, as pages and tests name it: the unit struct that `#[action]` makes of a function, or that with values
/// bound to it.
pub trait Action {
    /// What the attribute knows of it.
    #[doc(hidden)]
    fn entry(&self) -> &'static ActionEntry;

    /// The values bound to it, encoded and not yet sealed.
    #[doc(hidden)]
    fn captured(&self) -> Option<&Captured> {
        None
    }
}

/// Values bound to an action at render time.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Captured {
    pub(crate) rows: Result<Bytes, String>,
    pub(crate) expires_in: Option<Duration>,
    pub(crate) principal: Option<Principal>,
}

/// An action with values bound to it. The client carries them sealed: it can neither read nor change them.
#[derive(Clone, Debug)]
pub struct Bound<A> {
    action: A,
    captured: Captured,
}

impl<A: Action> Bound<A> {
    /// Binds encoded values. Used by generated code.
    #[doc(hidden)]
    pub fn new(action: A, rows: Result<Bytes, String>) -> Self {
        Self { action, captured: Captured { rows, expires_in: None, principal: None } }
    }

    /// The values are refused after this time.
    #[must_use]
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.captured.expires_in = Some(lifetime);
        self
    }

    /// The values are refused from anybody else. Makes the page private.
    #[must_use]
    pub fn for_principal(mut self, principal: &Principal) -> Self {
        self.captured.principal = Some(principal.clone());
        self
    }
}

impl<A: Action> Action for Bound<A> {
    fn entry(&self) -> &'static ActionEntry {
        self.action.entry()
    }

    fn captured(&self) -> Option<&Captured> {
        Some(&self.captured)
    }
}

/// Encodes values to bind. Used by generated code.
///
/// # Errors
///
/// Why a value cannot be encoded; a page says so when it prints the form.
#[doc(hidden)]
pub fn bound_values(values: &impl Serialize) -> Result<Bytes, String> {
    flight::encode(values, 0).map_err(|error| error.to_string())
}

/// Tells forms of one page apart: React's `$ACTION_KEY`, for forms that Rust rendered.
///
/// It stands in the page, so it says nothing of the bound values to whoever lacks the node's keys.
pub(crate) fn key(node: &Node, action: &impl Action) -> String {
    let rows = action.captured().and_then(|captured| captured.rows.as_deref().ok()).unwrap_or_default();
    let hash = xxhash_rust::xxh3::xxh3_128(rows);
    let signed =
        sealing::sign_cookie(&node.keys, "$ACTION_KEY", &format!("{}:{hash:032x}", action.entry().name));
    format!("k{}", signed.rsplit('.').next().unwrap_or_default())
}

pub(crate) fn fields(node: &Arc<Node>, action: &impl Action) -> Result<Html, PageError> {
    let reference = reference(node, action);
    let Some(sealed) = sealed(node, action)? else {
        let marker = field(&format!("$ACTION_ID_{reference}"), "");
        return Ok(with_key_and_nonce(marker, node, action));
    };
    let fields = bound_fields(&reference, Builder::new(), vec![Slot::String(sealed.into())])?;
    Ok(with_key_and_nonce(fields, node, action))
}

pub(crate) fn fields_with_state(
    node: &Arc<Node>,
    action: &impl Action,
    state: &impl Serialize,
) -> Result<Html, PageError> {
    let mut builder = Builder::new();
    let mut bound = Vec::new();
    if let Some(sealed) = sealed(node, action)? {
        bound.push(Slot::String(sealed.into()));
    }
    bound.push(builder.import(&to_value(state)?));
    let fields = bound_fields(&reference(node, action), builder, bound)?;
    Ok(with_key_and_nonce(fields, node, action))
}

/// What every form has besides its action: its place on the page, and a nonce, which each response puts there.
fn with_key_and_nonce(fields: Html, node: &Node, action: &impl Action) -> Html {
    let (key, nonce) = (field("$ACTION_KEY", &key(node, action)), field(NONCE_FIELD, page_body::hole()));
    [fields, key, nonce].into_iter().collect()
}

/// A Rust value as the wire would bring it back.
pub(crate) fn to_value(value: &impl Serialize) -> Result<Value, PageError> {
    let rows = flight::encode(value, 0)?;
    flight::parse(&rows, &flight::Limits::default())?
        .root
        .map_err(|_| PageError::Failed("the form's state cannot be read back".into()))
}

fn reference(node: &Node, action: &impl Action) -> String {
    let registered = node.registry.of(action).unwrap_or_else(|| {
        panic!("action {} is not callable: name its crate in App::allow_actions_from", action.entry().name)
    });
    registered.reference.to_string()
}

/// The values bound to an action, as a client carries them; an error if it lacks those that it needs.
pub(crate) fn sealed(node: &Node, action: &impl Action) -> Result<Option<String>, PageError> {
    let expected = action.entry().arguments.iter().any(|argument| argument.bound);
    let Some(captured) = action.captured() else {
        let name = action.entry().name;
        return if expected {
            Err(PageError::Failed(format!("action {name} has bound parameters: use {name}.bind(…)")))
        } else {
            Ok(None)
        };
    };
    let rows = captured.rows.as_ref().map_err(|reason| PageError::Failed(reason.clone()))?;
    let registered = node.registry.of(action).ok_or(PageError::NotFound)?;
    let options = SealOptions {
        expires_at_ms: captured.expires_in.map(|lifetime| clock::unix_ms() + lifetime.as_millis() as u64),
        principal: captured.principal.as_ref().map(Principal::id),
    };
    Ok(Some(sealing::seal(&node.keys, &registered.reference, rows, options, rand::random())))
}

/// `{"id":…,"bound":"$@1"}` and what it refers to, each part in a field of the prefix that React uses.
fn bound_fields(reference: &str, mut builder: Builder, bound: Vec<Slot>) -> Result<Html, PageError> {
    let array = builder.add(ValueNode::Array(bound));
    let promise = builder.add(ValueNode::Promise(Promise::Fulfilled(Slot::Node(array))));
    let metadata = builder.add(ValueNode::Object(vec![
        (JsString::from("id"), Slot::String(reference.into())),
        (JsString::from("bound"), Slot::Node(promise)),
    ]));
    let mut fields = vec![field("$ACTION_REF_1", "")];
    match reply::encode(&builder.finish(Slot::Node(metadata)))? {
        Encoded::Text(text) => fields.push(field("$ACTION_1:0", &text)),
        Encoded::Form(parts) => {
            for part in &parts {
                let text = part.as_text();
                let text = text
                    .ok_or_else(|| PageError::Failed("a form's state cannot hold a file or bytes".into()))?;
                fields.push(field(&format!("$ACTION_1:{}", part.name), text));
            }
        }
    }
    Ok(fields.into_iter().collect())
}

fn field(name: &str, value: &str) -> Html {
    let (name, value) = (Html::escape(name), Html::escape(value));
    Html::raw(format!(r#"<input type="hidden" name="{name}" value="{value}">"#))
}
