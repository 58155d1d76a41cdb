//! Whether a call comes from a page of this site: the defence against cross-site request forgery.
//!
//! The rules are Next's, made stricter: what is not a URL is an error of its own, an opaque origin never equals a host,
//! and a call without `Origin` has to show in another way that no foreign page can have sent it.

mod allowed;
mod host;

pub use allowed::{AllowedOrigins, PatternError};
pub use host::{Host, OriginError, host_of_origin};

use crate::ErrorCode;

/// What the decision depends on. Header values are given as they came.
#[derive(Clone, Copy, Debug)]
pub struct OriginCheck<'a> {
    /// Header `origin`.
    pub origin: Option<&'a str>,
    /// Header `sec-fetch-site`, which only browsers send and pages cannot set.
    pub sec_fetch_site: Option<&'a str>,
    /// Header `x-forwarded-host`; `None` unless the settings say that a trusted proxy sets it.
    pub x_forwarded_host: Option<&'a str>,
    /// Header `host`, or HTTP/2's `:authority`.
    pub host: Option<&'a str>,
    /// Whether the request carries a cookie.
    pub has_cookie: bool,
    /// Origins of other sites that may call.
    pub allowed: &'a AllowedOrigins,
    /// Whether a request may lack `Origin` although it carries a cookie.
    pub allow_missing: bool,
}

/// Why a call is refused before anything of it is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefused {
    /// `Origin` is not a URL.
    #[error("the origin is malformed")]
    Malformed(#[from] OriginError),
    /// The page is of another site. Both texts are for the log: proxies that change the host show up here.
    #[error("the call comes from {origin:?}, and this is {host:?}")]
    Foreign {
        /// Host of the page.
        origin: String,
        /// Host of this site, empty if the request names none.
        host: String,
    },
    /// The browser says that another site caused the request.
    #[error("the call comes from another site, and does not say which")]
    OtherSite,
    /// A request with a cookie says nothing about where it comes from.
    #[error("the call carries a cookie, but neither an origin nor a sec-fetch-site of this site")]
    Missing,
}

impl OriginRefused {
    /// How the call is answered.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) => ErrorCode::MalformedOrigin,
            Self::Foreign { .. } | Self::OtherSite | Self::Missing => ErrorCode::ForeignOrigin,
        }
    }
}

/// Decides whether a call may be read.
///
/// With `Origin`: its host has to be this site's, or allowed by the settings. Without: `sec-fetch-site` decides, and
/// without that the request has to be without cookies: then it is worth no more than the attacker's own.
///
/// This site's host is the first item of `x-forwarded-host` if that is trusted, else `host`.
///
/// # Errors
///
/// [`OriginRefused`], 400 or 403.
pub fn decide(check: OriginCheck<'_>) -> Result<(), OriginRefused> {
    let Some(origin) = check.origin else {
        return match check.sec_fetch_site {
            Some("same-origin" | "none") => Ok(()),
            Some("cross-site" | "same-site") => Err(OriginRefused::OtherSite),
            _ if !check.has_cookie || check.allow_missing => Ok(()),
            _ => Err(OriginRefused::Missing),
        };
    };
    let origin = host_of_origin(origin)?;
    let host = site_host(&check);
    if host.is_some_and(|host| origin.is_site(host)) || check.allowed.contains(&origin) {
        return Ok(());
    }
    Err(OriginRefused::Foreign { origin: origin.to_string(), host: host.unwrap_or_default().to_owned() })
}

/// What the request says this site is called. An empty header counts as absent, as in Next.
fn site_host<'a>(check: &OriginCheck<'a>) -> Option<&'a str> {
    let forwarded = check.x_forwarded_host.and_then(|hosts| hosts.split(',').next()).map(str::trim);
    forwarded.filter(|host| !host.is_empty()).or(check.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allowed: &AllowedOrigins) -> OriginCheck<'_> {
        OriginCheck {
            origin: None,
            sec_fetch_site: None,
            x_forwarded_host: None,
            host: Some("example.com"),
            has_cookie: true,
            allowed,
            allow_missing: false,
        }
    }

    fn decide_origin(origin: &str, host: &str, allowed: &[&str]) -> Result<(), ErrorCode> {
        let allowed = AllowedOrigins::parse(allowed.iter().copied()).unwrap();
        decide(OriginCheck { origin: Some(origin), host: Some(host), ..check(&allowed) })
            .map_err(|refused| refused.code())
    }

    #[test]
    fn a_page_of_this_site_may_call() {
        for (origin, host) in [
            ("https://example.com", "example.com"),
            ("https://example.com", "EXAMPLE.com"),
            ("https://example.com", "example.com:443"),
            ("http://example.com", "example.com:80"),
            ("http://example.com:80", "example.com"),
            ("http://localhost:3000", "localhost:3000"),
            ("http://[::1]:3000", "[::1]:3000"),
            // The scheme does not count: behind a proxy that ends TLS, the node does not know it.
            ("http://example.com", "example.com"),
        ] {
            assert_eq!(decide_origin(origin, host, &[]), Ok(()), "{origin} at {host}");
        }
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        for (origin, host) in [
            ("https://evil.com", "example.com"),
            ("https://example.com:8443", "example.com"),
            ("https://example.com", "example.com:8443"),
            ("https://example.com", "example.com:80"),
            ("https://example.com.evil.com", "example.com"),
            ("https://example.com@evil.com", "example.com"),
            ("https://sub.example.com", "example.com"),
            ("null", "example.com"),
            ("null", "null"),
            ("https://example.com", ""),
        ] {
            assert_eq!(decide_origin(origin, host, &[]), Err(ErrorCode::ForeignOrigin), "{origin} at {host}");
        }
    }

    #[test]
    fn an_origin_that_is_no_url_is_malformed_even_if_all_else_is_well() {
        for origin in ["", "example.com", "https://", "://example.com", "https://a b", "NULL"] {
            assert_eq!(decide_origin(origin, "example.com", &["*.com"]), Err(ErrorCode::MalformedOrigin));
        }
    }

    #[test]
    fn an_allowed_origin_may_call() {
        assert_eq!(decide_origin("https://app.example.com", "api.example.com", &["*.example.com"]), Ok(()));
        assert_eq!(decide_origin("null", "example.com", &["null"]), Ok(()));
    }

    #[test]
    fn a_refusal_names_both_hosts_for_the_log() {
        let none = AllowedOrigins::default();
        let refused = decide(OriginCheck { origin: Some("https://Evil.com:1"), ..check(&none) }).unwrap_err();
        assert_eq!(refused.to_string(), r#"the call comes from "evil.com:1", and this is "example.com""#);
        let refused = decide(OriginCheck { origin: Some("https://evil.com"), host: None, ..check(&none) });
        assert_eq!(
            refused,
            Err(OriginRefused::Foreign { origin: "evil.com".to_owned(), host: String::new() })
        );
    }

    #[test]
    fn the_first_forwarded_host_wins_over_host() {
        let none = AllowedOrigins::default();
        let decide_forwarded = |forwarded| {
            let origin = Some("https://public.example");
            decide(OriginCheck { origin, x_forwarded_host: forwarded, ..check(&none) }).is_ok()
        };
        assert!(decide_forwarded(Some("public.example")));
        assert!(decide_forwarded(Some(" public.example , inner")));
        assert!(!decide_forwarded(Some("inner, public.example")));
        assert!(!decide_forwarded(Some("")));
        assert!(!decide_forwarded(None));
        let origin = Some("https://example.com");
        assert!(decide(OriginCheck { origin, x_forwarded_host: Some(""), ..check(&none) }).is_ok());
        assert!(decide(OriginCheck { origin, x_forwarded_host: Some("other"), ..check(&none) }).is_err());
    }

    /// Goal: every way to lack an origin is decided as the design says. Method: all combinations.
    #[test]
    fn without_an_origin_a_cookie_needs_a_browsers_word_or_the_settings() {
        let none = AllowedOrigins::default();
        for sec_fetch_site in [None, Some("same-origin"), Some("none"), Some("same-site"), Some("cross-site")]
        {
            for has_cookie in [false, true] {
                for allow_missing in [false, true] {
                    let expected = match sec_fetch_site {
                        Some("same-origin" | "none") => Ok(()),
                        // A browser that says so is believed, cookie or not: there are other credentials.
                        Some(_) => Err(OriginRefused::OtherSite),
                        None if has_cookie && !allow_missing => Err(OriginRefused::Missing),
                        None => Ok(()),
                    };
                    let given = OriginCheck { sec_fetch_site, has_cookie, allow_missing, ..check(&none) };
                    assert_eq!(decide(given), expected, "{given:?}");
                }
            }
        }
    }
}
