//! Headers that say where a call comes from. One a line: origin, host, forwarded host, sec-fetch-site, cookie, and
//! then the patterns of the settings.

use callboard_protocol::origin::{AllowedOrigins, OriginCheck, OriginRefused, decide, host_of_origin};

/// Decides, and checks the decision against the rule in words.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let mut header = || lines.next().filter(|line| !line.is_empty());
    let (origin, host, x_forwarded_host) = (header(), header(), header());
    let (sec_fetch_site, has_cookie) = (header(), header().is_some());
    let patterns: Vec<_> = lines.take(4).collect();
    let Ok(allowed) = AllowedOrigins::parse(patterns.iter().copied()) else { return };
    let check = OriginCheck {
        origin,
        sec_fetch_site,
        x_forwarded_host,
        host,
        has_cookie,
        allowed: &allowed,
        allow_missing: false,
    };
    match (decide(check), origin) {
        (Ok(()), Some(origin)) => {
            let named = host_of_origin(origin).expect("an origin that is no URL is refused");
            let null_is_listed =
                patterns.iter().any(|pattern| pattern.trim_end_matches(':').eq_ignore_ascii_case("null"));
            assert!(origin != "null" || null_is_listed, "the opaque origin is no site");
            assert!(
                !patterns.is_empty() || host.is_some() || x_forwarded_host.is_some(),
                "{named} was allowed although nothing says that it is this site"
            );
        }
        (Ok(()), None) => {
            assert!(sec_fetch_site != Some("cross-site") && sec_fetch_site != Some("same-site"));
            assert!(!has_cookie || matches!(sec_fetch_site, Some("same-origin" | "none")));
        }
        (Err(OriginRefused::Malformed(_)), origin) => {
            assert!(host_of_origin(origin.expect("only an origin is malformed")).is_err());
        }
        (Err(_), _) => {}
    }
    if let Some(Ok(named)) = origin.map(host_of_origin)
        && origin != Some("null")
    {
        // A scheme without a port of its own, so that every port stays.
        let text = format!("x://{named}");
        let again = host_of_origin(&text).expect("what was read is a host");
        assert_eq!(again.to_string(), named.to_string());
    }
}
