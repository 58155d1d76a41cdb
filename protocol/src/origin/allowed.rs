//! The origins of other sites that may call.

use super::host::{Host, split_port};

/// Patterns of hosts whose pages may call although they are of another site.
///
/// A pattern is a host and, if it is not the scheme's own, a port, which has to be the same. By dot-separated label,
/// `*` stands for exactly one and `**`, in front only, for one or more: `*.example.com`, `**.example.com:8443`. Neither
/// stands alone, because that would allow everyone. Upper and lower case are the same. `null` allows opaque origins,
/// which any site can bring about with a sandboxed frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    /// In lower case.
    name: String,
    port: Option<u16>,
}

/// Why a text is not a pattern of origins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is empty, or one of its labels is.
    #[error("the allowed origin {pattern:?} has an empty label")]
    EmptyLabel {
        /// As given.
        pattern: String,
    },
    /// It has a scheme or a path; both schemes of a host are allowed together.
    #[error("the allowed origin {pattern:?} is not a host; leave out the scheme and the path")]
    NotAHost {
        /// As given.
        pattern: String,
    },
    /// It is nothing but a wildcard.
    #[error("the allowed origin {pattern:?} would allow every site")]
    Everything {
        /// As given.
        pattern: String,
    },
    /// `**` stands elsewhere than in front.
    #[error("the allowed origin {pattern:?} has `**` elsewhere than in front")]
    WildcardInside {
        /// As given.
        pattern: String,
    },
    /// The port is not a number up to 65535.
    #[error("the allowed origin {pattern:?} has a wrong port")]
    Port {
        /// As given.
        pattern: String,
    },
}

impl AllowedOrigins {
    /// Reads patterns, as they stand in the settings.
    ///
    /// # Errors
    ///
    /// [`PatternError`] for the first that is none; Next ignores such patterns silently.
    pub fn parse<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        let patterns = patterns.into_iter().map(Pattern::parse).collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Whether pages of this host may call.
    #[must_use]
    pub fn contains(&self, host: &Host<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(host))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = || text.to_owned();
        if text.bytes().any(|byte| byte <= b' ' || b"/\\@?#".contains(&byte)) {
            return Err(PatternError::NotAHost { pattern: pattern() });
        }
        let (name, port) = split_port(text).map_err(|_| PatternError::Port { pattern: pattern() })?;
        if matches!(name, "*" | "**") {
            return Err(PatternError::Everything { pattern: pattern() });
        }
        // A dot at the end is no label: it makes a name absolute, and browsers keep it.
        let labels = name.strip_suffix('.').unwrap_or(name);
        if labels.split('.').any(str::is_empty) {
            return Err(PatternError::EmptyLabel { pattern: pattern() });
        }
        if name.split('.').skip(1).any(|label| label == "**") {
            return Err(PatternError::WildcardInside { pattern: pattern() });
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }

    /// Compares label by label from the right, so that the work is linear in the shorter of the two.
    fn matches(&self, host: &Host<'_>) -> bool {
        if self.port != host.port() {
            return false;
        }
        let mut labels = host.name().rsplit('.');
        for expected in self.name.rsplit('.') {
            let Some(label) = labels.next() else { return false };
            let same = match expected {
                // In front of everything by construction: what is left is at least this label.
                "**" => return !label.is_empty(),
                "*" => !label.is_empty(),
                _ => label.eq_ignore_ascii_case(expected),
            };
            if !same {
                return false;
            }
        }
        labels.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::host_of_origin, *};

    fn allows(pattern: &str, origin: &str) -> bool {
        let allowed = AllowedOrigins::parse([pattern]).unwrap();
        allowed.contains(&host_of_origin(origin).unwrap())
    }

    #[test]
    fn one_star_is_one_label_and_two_are_one_or_more() {
        assert!(allows("*.example.com", "https://a.example.com"));
        assert!(!allows("*.example.com", "https://a.b.example.com"));
        assert!(!allows("*.example.com", "https://example.com"));
        assert!(allows("**.example.com", "https://a.example.com"));
        assert!(allows("**.example.com", "https://a.b.example.com"));
        assert!(!allows("**.example.com", "https://example.com"));
        assert!(!allows("**.example.com", "https://evil-example.com"));
        assert!(allows("a.*.com", "https://a.b.com"));
        assert!(allows("**.*.com", "https://a.b.c.com"));
        assert!(!allows("**.*.com", "https://b.com"));
    }

    #[test]
    fn the_port_is_the_same_or_the_schemes_own() {
        assert!(allows("example.com:3000", "http://example.com:3000"));
        assert!(!allows("example.com:3000", "http://example.com"));
        assert!(!allows("example.com", "http://example.com:3000"));
        assert!(allows("example.com", "http://example.com:80"));
        assert!(allows("*.example.com:3000", "http://a.example.com:3000"));
        // Here Next takes `com:3000` for one label and allows the call.
        assert!(!allows("example.*", "http://example.com:3000"));
        assert!(allows("[::1]:3000", "http://[::1]:3000"));
    }

    #[test]
    fn case_is_no_difference_and_null_has_to_be_named() {
        assert!(allows("Example.COM", "https://EXAMPLE.com"));
        assert!(allows("*.ORG", "app://Example.Org"));
        assert!(allows("null", "null"));
        assert!(!allows("*.com", "null"));
        assert!(!AllowedOrigins::default().contains(&host_of_origin("null").unwrap()));
    }

    #[test]
    fn each_text_that_is_no_pattern_says_why() {
        let refused = |text: &str| AllowedOrigins::parse(["a.example", text]).unwrap_err();
        for text in ["", ".", "a..b", ".a", "*..a", ":80"] {
            assert_eq!(refused(text), PatternError::EmptyLabel { pattern: text.to_owned() });
        }
        for text in ["https://example.com", "example.com/", "a b", "u@a", "a\\b", " a"] {
            assert_eq!(refused(text), PatternError::NotAHost { pattern: text.to_owned() });
        }
        for text in ["*", "**", "*:80"] {
            assert_eq!(refused(text), PatternError::Everything { pattern: text.to_owned() });
        }
        for text in ["a.**.com", "*.**", "**.**"] {
            assert_eq!(refused(text), PatternError::WildcardInside { pattern: text.to_owned() });
        }
        for text in ["a:b", "a:65536", "a:1:2", "https:a"] {
            assert_eq!(refused(text), PatternError::Port { pattern: text.to_owned() });
        }
    }

    proptest! {
        #[test]
        fn a_host_without_wildcards_allows_itself_alone(
            one in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}", other in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}",
        ) {
            prop_assert_eq!(allows(&one, &format!("https://{other}")), one == other);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|[a-z.*:0-9]{0,30}") {
            let _ = AllowedOrigins::parse([text.as_str()]);
        }
    }
}
