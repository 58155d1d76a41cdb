//! Cookies: read as the browser sent them, set as effects; signed or sealed with the node's keys on request.

use std::{fmt::Write as _, time::Duration};

/// How a cookie travels with requests that other sites cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// With links that a person follows. The default.
    Lax,
    /// Always; browsers then ask for `Secure`.
    None,
}

/// A cookie to set. `HttpOnly`, `SameSite=Lax` and `Path=/` unless said otherwise.
#[derive(Clone, Debug)]
pub struct Cookie {
    name: String,
    value: String,
    max_age: Option<Duration>,
    path: String,
    same_site: SameSite,
    secure: bool,
    http_only: bool,
}

impl Cookie {
    /// A cookie with this name and value. What a cookie may not hold (`;`, `,`, blanks, quotes, backslashes,
    /// control characters and what is not ASCII) is percent-encoded in the value.
    ///
    /// # Panics
    ///
    /// If the name is not a token of RFC 9110: a mistake in the application's source.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl AsRef<str>) -> Self {
        let name = name.into();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(token), "{name:?} is not a cookie name");
        Self {
            name,
            value: encode(value.as_ref()),
            max_age: None,
            path: "/".into(),
            same_site: SameSite::Lax,
            secure: false,
            http_only: true,
        }
    }

    /// How long the browser keeps it; without, until it closes.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The paths it is sent with.
    #[must_use]
    pub fn path(mut self, path: impl AsRef<str>) -> Self {
        self.path = encode(path.as_ref());
        self
    }

    /// With which requests it travels.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Over HTTPS only.
    #[must_use]
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Lets scripts of the page read it.
    #[must_use]
    pub fn readable_by_scripts(mut self) -> Self {
        self.http_only = false;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn with_value(mut self, protect: impl FnOnce(&str) -> String) -> Self {
        self.value = protect(&self.value);
        self
    }

    /// The `set-cookie` header's value.
    pub(crate) fn header(&self) -> String {
        let mut header = format!("{}={}; Path={}", self.name, self.value, self.path);
        if let Some(max_age) = self.max_age {
            write!(header, "; Max-Age={}", max_age.as_secs()).expect("writing to a String cannot fail");
        }
        header.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if self.http_only {
            header.push_str("; HttpOnly");
        }
        if self.secure {
            header.push_str("; Secure");
        }
        header
    }
}

/// Percent-encodes what the cookie grammar (RFC 6265 §4.1.1) leaves out, and `%` itself.
fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b' ' | b'"' | b',' | b';' | b'\\' | b'%' | 0..=0x1F | 0x7F.. => {
                write!(encoded, "%{byte:02X}").expect("writing to a String cannot fail");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// Undoes [`encode`]; what is not such an encoding stays as it is.
pub(crate) fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_as_a_cookie_value() {
        for text in ["", "plain", "a;b,c d\"e\\f%g", "naïve 😀\r\n", "%41", "100%"] {
            let header = Cookie::new("n", text).header();
            let value = header.strip_prefix("n=").and_then(|rest| rest.split(';').next()).expect("a value");
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
            assert_eq!(decode(value), text);
        }
    }

    #[test]
    fn defaults_keep_scripts_and_other_sites_out() {
        assert_eq!(Cookie::new("n", "v").header(), "n=v; Path=/; SameSite=Lax; HttpOnly");
        let long = Cookie::new("n", "v").max_age(Duration::from_mins(1)).same_site(SameSite::Strict).secure();
        assert_eq!(long.header(), "n=v; Path=/; Max-Age=60; SameSite=Strict; HttpOnly; Secure");
    }
}
