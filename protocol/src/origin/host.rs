//! From the text of an `Origin` header to the host that it names.

use std::{
    borrow::Cow,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The host of an origin, with its port unless that is the scheme's own; what `new URL(origin).host` gives.
///
/// Browsers write origins in their final spelling, so that nothing is copied for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a> {
    name: Cow<'a, str>,
    port: Option<u16>,
    /// Of the scheme; `None` for schemes without one.
    default_port: Option<u16>,
    /// The text `null`, which stands for no host at all.
    opaque: bool,
}

/// Why the text of an `Origin` header names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It does not begin with a scheme and `://`.
    #[error("the origin does not begin with a scheme")]
    Scheme,
    /// There is no host, or it holds a character that no host may have, or it is an IP address written wrongly.
    #[error("the origin has no host, or a wrong one")]
    Host,
    /// The port is not a number up to 65535.
    #[error("the origin has a wrong port")]
    Port,
}

/// Reads the host out of an origin, as `new URL(origin).host` does; `null` is kept as `null`.
///
/// Where the URL standard mends a text that no browser sends as an origin (backslashes for slashes, missing slashes,
/// percent-encoded or non-ASCII hosts, other notations of IPv4), this refuses it.
///
/// # Errors
///
/// [`OriginError`] says which part is wrong.
pub fn host_of_origin(origin: &str) -> Result<Host<'_>, OriginError> {
    if origin == "null" {
        return Ok(Host { name: Cow::Borrowed(origin), port: None, default_port: None, opaque: true });
    }
    let (scheme, rest) = origin.split_once("://").ok_or(OriginError::Scheme)?;
    let is_scheme_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        || !scheme.bytes().all(is_scheme_character)
    {
        return Err(OriginError::Scheme);
    }
    let default_port = default_port(scheme);

    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    // What precedes the last `@` is user information, which is what an attacker may choose freely.
    let host_and_port = authority.rfind('@').map_or(authority, |at| &authority[at + 1..]);
    let (name, port) = split_port(host_and_port)?;
    let name = if name.starts_with('[') { ip_v6(name)? } else { host_name(name, default_port.is_some())? };
    let port = port.filter(|port| Some(*port) != default_port);
    Ok(Host { name, port, default_port, opaque: false })
}

impl Host<'_> {
    /// The name or address alone, without the port.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The port, unless it is the scheme's own.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether `site`, from a `host` header, is this host. The scheme's own port may be written there or not, and
    /// upper case is not a difference. The opaque origin is no site, even if a site is called `null`.
    pub(super) fn is_site(&self, site: &str) -> bool {
        let Ok((name, port)) = split_port(site) else { return false };
        !self.opaque
            && name.eq_ignore_ascii_case(&self.name)
            && port.filter(|port| Some(*port) != self.default_port) == self.port
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The port of the schemes that the URL standard calls special; their hosts are domains or addresses.
fn default_port(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    match () {
        () if is("https") || is("wss") => Some(443),
        () if is("http") || is("ws") => Some(80),
        () if is("ftp") => Some(21),
        () => None,
    }
}

/// Splits `host:port`; the colons of an IPv6 address stand in brackets. An empty port is none.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<u16>), OriginError> {
    let host_end = text.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = text[host_end..].find(':') else { return Ok((text, None)) };
    let (host, port) = (&text[..host_end + colon], &text[host_end + colon + 1..]);
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(OriginError::Port);
    }
    match port {
        "" => Ok((host, None)),
        _ => Ok((host, Some(port.parse().map_err(|_| OriginError::Port)?))),
    }
}

/// Checks a name. Hosts of special schemes are put in lower case; those of others are opaque and stay as they are.
fn host_name(name: &str, special: bool) -> Result<Cow<'_, str>, OriginError> {
    if name.is_empty() || name.bytes().any(is_forbidden) {
        return Err(OriginError::Host);
    }
    if !special {
        return Ok(Cow::Borrowed(name));
    }
    // A name whose last label is a number is an IPv4 address, or nothing.
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or(name);
    let digits = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = digits
        .map_or(!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()), |digits| {
            digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
    if is_number && name.parse::<Ipv4Addr>().is_err() {
        return Err(OriginError::Host);
    }
    Ok(lower_case(name))
}

/// What no host may have: the URL standard's forbidden code points, and all that is not ASCII.
fn is_forbidden(byte: u8) -> bool {
    matches!(
        byte,
        0..=b' ' | b'#' | b'%' | b'/' | b':' | b'<' | b'>' | b'?' | b'@' | b'['..=b'^' | b'|' | 0x7f..
    )
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// Checks an address in brackets and puts it in the one spelling that the URL standard gives it.
fn ip_v6(text: &str) -> Result<Cow<'_, str>, OriginError> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).ok_or(OriginError::Host)?;
    let address: Ipv6Addr = inner.parse().map_err(|_| OriginError::Host)?;
    // The standard never writes the last four bytes as IPv4; the standard library does for mapped addresses.
    let spelling = match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => format!("[::ffff:{high:x}:{low:x}]"),
        _ => format!("[{address}]"),
    };
    Ok(if spelling == text { Cow::Borrowed(text) } else { Cow::Owned(spelling) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expected texts are what `new URL(origin).host` gave on Node 20.
    #[test]
    fn hosts_are_spelt_as_the_url_standard_spells_them() {
        for (origin, host) in [
            ("https://example.com", "example.com"),
            ("https://example.com/", "example.com"),
            ("https://example.com/path?q#f", "example.com"),
            ("https://example.com?@evil.com", "example.com"),
            ("https://example.com#@evil.com", "example.com"),
            ("https://example.com.", "example.com."),
            ("https://example.com:", "example.com"),
            ("https://example.com:0443", "example.com"),
            ("https://example.com:00080", "example.com:80"),
            ("http://example.com:443", "example.com:443"),
            ("ws://example.com:80", "example.com"),
            ("wss://example.com:443", "example.com"),
            ("ftp://example.com:21", "example.com"),
            ("https://a@b@example.com", "example.com"),
            ("https://:pw@example.com", "example.com"),
            ("https://127.0.0.1:3000", "127.0.0.1:3000"),
            ("https://a_b.example", "a_b.example"),
            ("https://[2001:DB8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"),
            ("https://[0:0:0:0:0:0:0:1]:443", "[::1]"),
            ("https://[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
            ("https://[1:0:2:3:4:5:6:7]", "[1:0:2:3:4:5:6:7]"),
            ("https://[::1.2.3.4]", "[::102:304]"),
            ("https://[1:0:0:2:0:0:0:3]", "[1:0:0:2::3]"),
            ("https://[64:ff9b::1.2.3.4]", "[64:ff9b::102:304]"),
            ("chrome-extension://abcdef", "abcdef"),
            ("capacitor://localhost", "localhost"),
            ("app://Example.COM:80", "Example.COM:80"),
        ] {
            assert_eq!(host_of_origin(origin).map(|host| host.to_string()), Ok(host.to_owned()), "{origin}");
        }
    }

    #[test]
    fn each_malformed_origin_says_which_part_is_wrong() {
        for (origin, error) in [
            ("", OriginError::Scheme),
            ("example.com", OriginError::Scheme),
            ("//example.com", OriginError::Scheme),
            ("1a://example.com", OriginError::Scheme),
            ("ht tp://example.com", OriginError::Scheme),
            (" https://example.com", OriginError::Scheme),
            ("https:example.com", OriginError::Scheme),
            ("https://", OriginError::Host),
            ("https://user@", OriginError::Host),
            ("https://:80", OriginError::Host),
            ("https:///path", OriginError::Host),
            ("https://a b", OriginError::Host),
            ("https://a\\b", OriginError::Host),
            ("https://a%62", OriginError::Host),
            ("https://bücher.example", OriginError::Host),
            ("https://a^b", OriginError::Host),
            ("https://a\tb", OriginError::Host),
            ("https://1.2.3.256", OriginError::Host),
            ("https://1.2.3", OriginError::Host),
            ("https://0x7f.1", OriginError::Host),
            ("https://0x7f.0.0.0x1", OriginError::Host),
            ("https://[::1", OriginError::Port),
            ("https://[::g]", OriginError::Host),
            ("https://[::1%25eth0]", OriginError::Host),
            ("https://[::1]x", OriginError::Host),
            ("https://x[::1]", OriginError::Host),
            ("https://a:b", OriginError::Port),
            ("https://a:65536", OriginError::Port),
            ("https://a:-1", OriginError::Port),
            ("https://a:1:2", OriginError::Port),
            ("https://a, https://b", OriginError::Host),
        ] {
            assert_eq!(host_of_origin(origin), Err(error), "{origin}");
        }
    }

    #[test]
    fn nothing_is_copied_for_an_origin_as_browsers_write_it() {
        for origin in ["https://example.com:8443", "http://[::1]:3000", "http://127.0.0.1:3000", "null"] {
            assert!(matches!(host_of_origin(origin).unwrap().name, Cow::Borrowed(_)), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}", tail in "[a-zA-Z0-9:.@/?#\\[\\]é-]{0,40}") {
            let _ = host_of_origin(&text);
            let _ = host_of_origin(&format!("https://{text}"));
            let _ = host_of_origin(&format!("https://{tail}"));
            let _ = split_port(&tail);
        }

        #[test]
        fn what_is_read_reads_again_to_itself(tail in "[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?") {
            if let Ok(host) = host_of_origin(&format!("https://{tail}")) {
                let again = format!("https://{host}");
                prop_assert_eq!(host_of_origin(&again).unwrap().to_string(), host.to_string());
            }
        }
    }
}
