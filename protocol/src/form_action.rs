//! Calls by plain HTML forms, without JavaScript: fields named `$ACTION_…` say which action.
//!
//! [`find`] reads no more than the reference, so that it can be verified and a guard asked before the bound arguments
//! and the form are decoded. It serves forms of either encoding: entries of an urlencoded body are text parts.

use crate::{
    ErrorCode, Value,
    js::JsString,
    multipart::{Content, Part},
    reply::{self, Limits, ReplyError, Resolver},
    value::{Blob, Builder, Node, Slot},
};

/// What every field name of React's begins with; the action does not see these fields.
pub const FIELD: &str = "$ACTION_";
/// Tells a form that comes twice from two forms, as [`sign_form_nonce`](crate::sealing::sign_form_nonce) made it; the
/// action does not see it. It begins unlike React's fields, whose client takes all of those for its own.
pub const NONCE_FIELD: &str = "$CALLBOARD_NONCE";
/// Marks an action without bound arguments; the rest of the name is the reference.
const ID_FIELD: &str = "$ACTION_ID_";
/// Marks an action with bound arguments; the rest of the name says where they are.
const REF_FIELD: &str = "$ACTION_REF_";
/// Holds the place on the page that the form's state belongs to.
const KEY_FIELD: &str = "$ACTION_KEY";
/// Most fields of the second kind: a form's own, and that of the button that submitted it. Next.js refuses more.
const REF_FIELDS_MAX: usize = 2;
/// Longest description of a reference, in bytes: it is read before the reference is verified.
const DESCRIPTION_BYTES_MAX: usize = 4096;

/// Why the action fields of a form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormActionError {
    /// More action fields than a browser sends.
    #[error("the form has more than {max} fields named {REF_FIELD}…", max = REF_FIELDS_MAX)]
    TooManyFields,
    /// An action field without exactly one text field that describes the reference, short enough.
    #[error("the form does not describe its action")]
    Description,
    /// The description or the bound arguments are not React's encoding.
    #[error("the bound arguments of the form: {0}")]
    Reply(#[source] ReplyError),
}

impl FormActionError {
    /// The row of the error table.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyFields | Self::Description => ErrorCode::MalformedReference,
            Self::Reply(error) => error.code(),
        }
    }
}

/// A call by a form: the reference is read, everything else is not yet.
#[derive(Clone, Debug)]
pub struct FormCall<'a> {
    parts: &'a [Part],
    reference: JsString,
    bound: Option<BoundPart>,
    key: Option<&'a str>,
    nonce: Option<&'a str>,
}

#[derive(Clone, Debug)]
struct BoundPart {
    prefix: String,
    id: u64,
}

/// What React matches the form's new state by, when the page is rendered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormState {
    /// The place on the page: the value of `$ACTION_KEY`.
    pub key: String,
    /// The action's reference.
    pub reference: String,
    /// How many arguments are bound, without the state.
    pub bound: usize,
}

/// Finds the action that a form calls: the last action field counts. `None` if there is none.
///
/// # Errors
///
/// [`FormActionError`] if the fields are not as React writes them.
pub fn find<'a>(parts: &'a [Part], limits: &Limits) -> Result<Option<FormCall<'a>>, FormActionError> {
    let (mut chosen, mut ref_fields, mut key, mut nonce) = (None, 0, None, None);
    for part in parts {
        if part.name == NONCE_FIELD {
            // A file is no nonce, as little as an empty text.
            nonce = Some(part.as_text().map_or("", |text| &**text));
        }
        if !part.name.starts_with(FIELD) {
            continue;
        }
        if part.name.starts_with(REF_FIELD) {
            ref_fields += 1;
            chosen = Some(part);
        } else if part.name.starts_with(ID_FIELD) {
            chosen = Some(part);
        } else if part.name == KEY_FIELD && key.is_none() {
            key = part.as_text().map(|text| &**text);
        }
    }
    if ref_fields > REF_FIELDS_MAX {
        return Err(FormActionError::TooManyFields);
    }
    let Some(chosen) = chosen else { return Ok(None) };
    if let Some(reference) = chosen.name.strip_prefix(ID_FIELD) {
        let reference = chosen.name.slice_ref(reference).into();
        return Ok(Some(FormCall { parts, reference, bound: None, key, nonce }));
    }
    let prefix = format!("{FIELD}{}:", &chosen.name[REF_FIELD.len()..]);
    let (reference, bound) = described(parts, &prefix, limits)?;
    let bound = bound.map(|id| BoundPart { prefix, id });
    Ok(Some(FormCall { parts, reference, bound, key, nonce }))
}

/// The reference described in the root part of this prefix, and the part with its bound arguments.
fn described(
    parts: &[Part],
    prefix: &str,
    limits: &Limits,
) -> Result<(JsString, Option<u64>), FormActionError> {
    let mut roots = parts.iter().filter(|part| part.name.strip_prefix(prefix) == Some("0"));
    let (Some(root), None) = (roots.next(), roots.next()) else { return Err(FormActionError::Description) };
    let text = root.as_text().filter(|text| text.len() <= DESCRIPTION_BYTES_MAX);
    let text = text.ok_or(FormActionError::Description)?;
    let (id, bound) = reply::describe(text.clone(), limits).map_err(FormActionError::Reply)?;
    match id {
        Some(id) if id.as_str().is_some() => Ok((id, bound)),
        _ => Err(FormActionError::Description),
    }
}

impl FormCall<'_> {
    /// The action's reference, not verified yet.
    ///
    /// # Panics
    ///
    /// Never: [`find`] refuses references that are not text.
    #[must_use]
    pub fn reference(&self) -> &str {
        self.reference.as_str().expect("find refuses references that are not text")
    }

    /// The value of `$ACTION_KEY`, if the form belongs to a `useActionState`.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key
    }

    /// What the form's nonce says, not verified yet: the last one, as the last action counts.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce
    }

    /// Decodes the bound arguments into an array, which is empty if nothing is bound.
    ///
    /// # Errors
    ///
    /// [`FormActionError::Reply`] if they are not React's encoding, exceed a limit or are too many.
    pub fn bound(&self, limits: &Limits, resolver: &dyn Resolver) -> Result<Value, FormActionError> {
        if let Some(BoundPart { prefix, id }) = &self.bound {
            let value = reply::decode_root(self.parts, prefix, *id, limits, resolver);
            let value = value.map_err(FormActionError::Reply)?;
            if let Some(arguments) = value.as_array() {
                let max = limits.bound_arguments_max;
                return if arguments.len() > max {
                    let setting = "bound_arguments_max";
                    let kind = reply::ReplyErrorKind::Limit { setting, max: max as u64 };
                    Err(FormActionError::Reply(kind.into()))
                } else {
                    Ok(value)
                };
            }
        }
        let mut builder = Builder::new();
        let none = builder.add(Node::Array(Vec::new()));
        Ok(builder.finish(Slot::Node(none)))
    }

    /// The form as the action sees it: all fields but React's and our own, in order.
    #[must_use]
    pub fn form_data(&self) -> Value {
        form_data(self.parts)
    }

    /// What React matches the new state by, given how many arguments were bound, the state included; `None` if the
    /// form does not belong to a `useActionState`.
    #[must_use]
    pub fn form_state(&self, bound_arguments: usize) -> Option<FormState> {
        self.bound.as_ref()?;
        let (key, reference) = (self.key?.to_owned(), self.reference().to_owned());
        Some(FormState { key, reference, bound: bound_arguments.checked_sub(1)? })
    }
}

/// A form as an action sees it: all fields but React's and our own, in order.
#[must_use]
pub fn form_data(parts: &[Part]) -> Value {
    let mut builder = Builder::new();
    let mut entries = Vec::with_capacity(parts.len());
    for part in parts {
        if part.name.starts_with(FIELD) || part.name == NONCE_FIELD {
            continue;
        }
        let slot = match &part.content {
            Content::Text(text) => Slot::String(text.clone().into()),
            Content::File { name, media_type, content } => {
                let (name, media_type) = (Some(name.clone().into()), media_type.clone());
                Slot::Node(builder.add(Node::Blob(Blob { name, media_type, content: content.clone() })))
            }
        };
        entries.push((part.name.clone().into(), slot));
    }
    let root = builder.add(Node::FormData(entries));
    builder.finish(Slot::Node(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Resolution;

    fn form(fields: &[(&str, &str)]) -> Vec<Part> {
        fields.iter().map(|(name, value)| Part::text(*name, *value)).collect()
    }

    #[test]
    fn the_reference_is_found_without_decoding_what_is_bound() {
        let fields = [
            ("$ACTION_REF_1", ""),
            ("$ACTION_1:0", r#"{"id":"a","bound":"$@1"}"#),
            ("$ACTION_1:1", "not JSON"),
            ("$ACTION_KEY", "k1"),
        ];
        let parts = form(&fields);
        let limits = Limits::default();
        let call = find(&parts, &limits).unwrap().unwrap();
        assert_eq!((call.reference(), call.key()), ("a", Some("k1")));
        let error = call.bound(&limits, &|_: &JsString| Resolution::Known).unwrap_err();
        assert_eq!(error.code(), ErrorCode::MalformedReply);
    }

    #[test]
    fn the_nonce_is_read_and_no_field_of_the_action() {
        let limits = Limits::default();
        let parts =
            form(&[("$ACTION_ID_a", ""), (NONCE_FIELD, "one"), ("name", "Ada"), (NONCE_FIELD, "two")]);
        let call = find(&parts, &limits).unwrap().unwrap();
        assert_eq!(call.nonce(), Some("two"));
        let without = form(&[("$ACTION_ID_a", ""), ("name", "Ada")]);
        assert_eq!(call.form_data(), form_data(&without));
        assert_eq!(find(&without, &limits).unwrap().unwrap().nonce(), None);
        let file = [Part::text("$ACTION_ID_a", ""), Part::file(NONCE_FIELD, "n", "text/plain", "one")];
        assert_eq!(find(&file, &limits).unwrap().unwrap().nonce(), Some(""));
    }

    #[test]
    fn more_action_fields_than_a_browser_sends_are_refused() {
        let root = |n: usize| (format!("$ACTION_{n}:0"), r#"{"id":"a","bound":null}"#.to_owned());
        let fields: Vec<_> =
            (1..=3).flat_map(|n| [(format!("$ACTION_REF_{n}"), String::new()), root(n)]).collect();
        let parts: Vec<_> = fields.into_iter().map(|(name, value)| Part::text(name, value)).collect();
        assert!(find(&parts[..4], &Limits::default()).is_ok());
        assert_eq!(find(&parts, &Limits::default()).unwrap_err(), FormActionError::TooManyFields);
    }

    #[test]
    fn a_reference_has_one_short_description() {
        let twice =
            [("$ACTION_REF_1", ""), ("$ACTION_1:0", r#"{"id":"a"}"#), ("$ACTION_1:0", r#"{"id":"b"}"#)];
        let long = format!(r#"{{"id":"{}"}}"#, "a".repeat(5000));
        let half_a_pair = r#"{"id":"\ud800"}"#;
        for fields in [
            &twice[..],
            &twice[..1],
            &[("$ACTION_REF_1", ""), ("$ACTION_1:0", &*long)],
            &[("$ACTION_REF_1", ""), ("$ACTION_1:0", half_a_pair)],
            &[("$ACTION_REF_1", ""), ("$ACTION_1:0", "[]")],
        ] {
            let error = find(&form(fields), &Limits::default()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::MalformedReference, "{fields:?}");
        }
    }
}
