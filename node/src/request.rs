//! What actions, guards and pages may see of a request.

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, HeaderValue},
};

/// Path, query and headers of a request, as plain data that may leave its thread.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl RequestHead {
    pub(crate) fn of(request: &HttpRequest) -> Self {
        Self {
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            headers: request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        }
    }

    /// The first header of this name (in lower case), if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .and_then(|(_, value)| value.to_str().ok())
    }

    /// The value of a cookie as the browser sent it.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known == actix_web::http::header::COOKIE)
            .filter_map(|(_, value)| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}
