//! What actions, guards and pages may see of a request.

use actix_web::{
    HttpRequest,
    http::header::{COOKIE, HeaderName, HeaderValue},
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
    pub(crate) fn cookie<'h>(&'h self, name: &'h str) -> Option<&'h str> {
        self.cookies(name).next()
    }

    /// Every value under a cookie's name: a sibling domain may have set one, too.
    pub(crate) fn cookies<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> + 'h {
        self.headers
            .iter()
            .filter(|(known, _)| known == COOKIE)
            .filter_map(|(_, value)| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter_map(move |(known, value)| (known == name).then_some(value))
    }

    /// Changes the cookies as the browser will, once it has the answer with these `set-cookie` values.
    pub(crate) fn set_cookies(&mut self, changes: &[String]) {
        for change in changes {
            let mut parts = change.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let removed = parts.any(|part| part == "Max-Age=0");
            let kept = |pair: &&str| pair.split_once('=').is_none_or(|(known, _)| known != name);
            let lines = self
                .headers
                .iter()
                .filter(|(known, _)| known == COOKIE)
                .filter_map(|(_, line)| line.to_str().ok());
            let others = lines.flat_map(|line| line.split(';')).map(str::trim).filter(kept);
            let own = (!removed).then(|| format!("{name}={value}"));
            let line = others.map(str::to_owned).chain(own).collect::<Vec<_>>().join("; ");
            self.headers.retain(|(known, _)| known != COOKIE);
            if let Ok(line) = HeaderValue::from_str(&line) {
                self.headers.push((COOKIE, line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_change_as_the_browser_will_change_them() {
        let line = HeaderValue::from_static("a=1; b=2");
        let mut head = RequestHead { path: "/".into(), query: String::new(), headers: vec![(COOKIE, line)] };
        head.set_cookies(&["a=3; Path=/".into(), "b=; Path=/; Max-Age=0".into(), "c=4; Path=/".into()]);
        assert_eq!((head.cookie("a"), head.cookie("b"), head.cookie("c")), (Some("3"), None, Some("4")));
    }

    #[test]
    fn every_value_of_a_repeated_cookie_is_seen() {
        let line = HeaderValue::from_static("a=1; b=2; a=3");
        let head = RequestHead { path: "/".into(), query: String::new(), headers: vec![(COOKIE, line)] };
        assert_eq!(head.cookies("a").collect::<Vec<_>>(), ["1", "3"]);
    }
}
