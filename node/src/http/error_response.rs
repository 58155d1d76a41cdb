//! The one place that turns what went wrong into HTTP.

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use callboard_protocol::{
    ErrorCode,
    action::{CallError, CallId, Fallback, VALUE_ROW},
    error::Family,
    flight, form_action, headers, multipart, reference, reply, sealing,
};

use crate::{Html, context::Refusal, node::Node};

/// A call that is answered without an outcome: what it was refused for, or that nothing is known of it.
#[derive(Debug)]
pub(crate) struct Refused {
    code: ErrorCode,
    /// For the client: what is wrong, where, and what to do.
    detail: String,
    /// Where a plain form is sent instead.
    sign_in: Option<String>,
    call: Option<CallId>,
    /// Whether the request is at its end although what it carried is not: another may follow.
    is_read: bool,
}

/// Who asked, and so what kind of answer is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// React's or Next's client.
    Fetch,
    /// A browser that shows what it gets.
    Browser,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), sign_in: None, call: None, is_read: false }
    }

    pub(crate) fn unknown_action() -> Self {
        Self::new(ErrorCode::UnknownAction, "this page is of another build of the application; reload it")
    }

    pub(crate) fn of_call(mut self, call: CallId) -> Self {
        self.call = Some(call);
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).expect("the table holds valid statuses")
    }

    /// What the client is told.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the body did not come, or not all of it.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.code == ErrorCode::BodyIncomplete
    }

    /// Whether it is for want of room at this node, and not for anything that the client sent.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        self.code.family() == Family::Overloaded
    }

    /// Whether there is no sense in waiting for the rest of the body.
    pub(crate) fn ends_connection(&self) -> bool {
        self.code == ErrorCode::BodyIncomplete && !self.is_read
    }

    /// The answer.
    pub(crate) fn response(&self, node: &Node, asker: Asker) -> HttpResponse {
        match (asker, self.fallback()) {
            (Asker::Fetch, Some(fallback)) => {
                let mut body = node.root_row.clone();
                body.extend_from_slice(&flight::error_row(VALUE_ROW, &fallback.digest()));
                self.head().content_type("text/x-component").body(body)
            }
            // Exactly this type, without a charset: the stock client shows the text of no other.
            (Asker::Fetch, None) => {
                self.head().insert_header((header::CONTENT_TYPE, "text/plain")).body(self.detail.clone())
            }
            (Asker::Browser, _) => match &self.sign_in {
                Some(url) => {
                    let mut head = self.head();
                    head.status(StatusCode::SEE_OTHER)
                        .insert_header((header::LOCATION, url.as_str()))
                        .finish()
                }
                None => self.head().content_type("text/html; charset=utf-8").body(self.page()),
            },
        }
    }

    fn fallback(&self) -> Option<Fallback> {
        match self.code {
            ErrorCode::NotFound => Some(Fallback::NotFound),
            ErrorCode::Forbidden => Some(Fallback::Forbidden),
            ErrorCode::Unauthorized => Some(Fallback::Unauthorized),
            _ => None,
        }
    }

    fn head(&self) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(self.status());
        head.insert_header((headers::CALLBOARD_OUTCOME, self.code.family().outcome()));
        head.insert_header((headers::CALLBOARD_ERROR, self.code.as_str()));
        head.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(call) = self.call {
            head.insert_header((headers::CALLBOARD_CALL_ID, call.to_string()));
        }
        match self.code {
            ErrorCode::NotAnAction
            | ErrorCode::MalformedReference
            | ErrorCode::BadSignature
            | ErrorCode::UnknownAction => {
                head.insert_header((headers::X_NEXTJS_ACTION_NOT_FOUND, "1"));
            }
            ErrorCode::MethodNotAllowed => {
                head.insert_header((header::ALLOW, "GET, HEAD, POST"));
            }
            code if code.family() == Family::Overloaded => {
                head.insert_header((header::RETRY_AFTER, "1"));
            }
            _ => {}
        }
        head
    }

    fn page(&self) -> String {
        error_page(self.code.status(), &self.detail)
    }
}

/// A page for a person whom something did not work for.
pub(super) fn error_page(status: u16, detail: &str) -> String {
    let reason =
        StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let detail = Html::escape(detail);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{reason}</title><style>:root{{color-scheme:light \
         dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 \
         1rem}}</style><h1>{reason}</h1><p>{detail}</p></html>"
    )
}

impl From<reply::ReplyError> for Refused {
    fn from(error: reply::ReplyError) -> Self {
        Self::new(error.code(), reply_text(&error))
    }
}

/// A limit is named by the setting that whoever runs the node can raise.
fn reply_text(error: &reply::ReplyError) -> String {
    match error.kind {
        reply::ReplyErrorKind::Limit { setting, max } => format!("more than decode_{setting} = {max}"),
        _ => error.to_string(),
    }
}

impl From<multipart::MultipartError> for Refused {
    fn from(error: multipart::MultipartError) -> Self {
        let text = match &error {
            multipart::MultipartError::TooManyParts { max } => format!("more than decode_parts_max = {max}"),
            _ => error.to_string(),
        };
        let is_read = matches!(error, multipart::MultipartError::Truncated { .. });
        Self { is_read, ..Self::new(error.code(), text) }
    }
}

impl From<form_action::FormActionError> for Refused {
    fn from(error: form_action::FormActionError) -> Self {
        let text = match &error {
            form_action::FormActionError::Reply(inner) => {
                format!("the bound arguments of the form: {}", reply_text(inner))
            }
            _ => error.to_string(),
        };
        Self::new(error.code(), text)
    }
}

impl From<reference::ReferenceError> for Refused {
    fn from(error: reference::ReferenceError) -> Self {
        match error.code() {
            ErrorCode::UnknownAction => Self::unknown_action(),
            code => Self::new(code, error.to_string()),
        }
    }
}

impl From<sealing::SealError> for Refused {
    fn from(_: sealing::SealError) -> Self {
        // One text for all reasons: a client learns nothing about which check failed.
        Self::new(ErrorCode::BadSeal, "what this page sealed is not valid here any more; reload the page")
    }
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let detail = match refusal.code() {
            ErrorCode::Unauthorized => "sign in first",
            _ => "this is not for you",
        };
        Self { sign_in: refusal.sign_in_url().map(str::to_owned), ..Self::new(refusal.code(), detail) }
    }
}
