//! The path of a page: literal text, `{name}` for a part of a segment, `{*name}` for all that is left.

use syn::{ext::IdentExt, parse::Parser};

/// Why a path is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("a path starts with `/`; write \"/{pattern}\"")]
    NoSlash { pattern: String },
    #[error("a path has no `{char}`; a page reads what stands after `?` with `cx.query()`")]
    NoPath { char: char },
    #[error(
        "a brace is left open or closes nothing; `{{id}}` is a parameter, `{{{{` and `}}}}` are braces as text"
    )]
    Brace,
    #[error(
        "`{{{name}}}` is no name; a parameter is named as in Rust, as in `{{id}}`, or `{{*rest}}` for all that is left"
    )]
    Name { name: String },
    #[error("`{{{name}}}` stands twice in the path; give each parameter a name of its own")]
    Twice { name: String },
    #[error("`{{*{name}}}` takes all that is left, so it is a segment of its own and the last one")]
    RestNotLast { name: String },
    #[error(
        "`{{{name}}}` is the second parameter between two slashes, and nothing tells where it starts; put a `/` before it"
    )]
    SecondInSegment { name: String },
}

/// The names of a path's parameters, in order.
pub(super) fn parameters(pattern: &str) -> Result<Vec<String>, PatternError> {
    if !pattern.starts_with('/') {
        return Err(PatternError::NoSlash { pattern: pattern.to_owned() });
    }
    if let Some(char) = pattern.chars().find(|char| matches!(char, '?' | '#')) {
        return Err(PatternError::NoPath { char });
    }
    let mut names: Vec<String> = Vec::new();
    let mut segments = pattern[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if let Some(name) = parameter(segment, last)? {
            if names.contains(&name) {
                return Err(PatternError::Twice { name });
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// The parameter in a segment; a segment has one at most.
fn parameter(segment: &str, last: bool) -> Result<Option<String>, PatternError> {
    let mut found = None;
    let mut rest = segment;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        if brace.starts_with("{{") || brace.starts_with("}}") {
            rest = &brace[2..];
            continue;
        }
        let (name, after) =
            brace.strip_prefix('{').and_then(|inner| inner.split_once('}')).ok_or(PatternError::Brace)?;
        let (catches_all, name) = name.strip_prefix('*').map_or((false, name), |name| (true, name));
        if syn::Ident::parse_any.parse_str(name).is_err() {
            return Err(PatternError::Name { name: name.to_owned() });
        }
        let name = name.to_owned();
        if found.is_some() {
            return Err(PatternError::SecondInSegment { name });
        }
        let alone = before.is_empty() && rest.len() == segment.len() && after.is_empty();
        if catches_all && !(last && alone) {
            return Err(PatternError::RestNotLast { name });
        }
        found = Some(name);
        rest = after;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{PatternError::*, *};

    #[test]
    fn parameters_are_named_in_order() {
        for (pattern, names) in [
            ("/", vec![]),
            ("/about/", vec![]),
            ("/posts/{id}", vec!["id"]),
            ("/posts/{id}/images/img-{number}.png", vec!["id", "number"]),
            ("/files/{*rest}", vec!["rest"]),
            ("/{{literal}}/{{{id}}}", vec!["id"]),
        ] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(parameters(pattern), Ok(names), "{pattern}");
        }
    }

    #[test]
    fn a_path_that_is_none_says_why() {
        let name = || "id".to_owned();
        for (pattern, error) in [
            ("", NoSlash { pattern: String::new() }),
            ("posts", NoSlash { pattern: "posts".into() }),
            ("/posts?page={id}", NoPath { char: '?' }),
            ("/{id", Brace),
            ("/id}", Brace),
            ("/{}", Name { name: String::new() }),
            ("/{id:u64}", Name { name: "id:u64".into() }),
            ("/{id}/{id}", Twice { name: name() }),
            ("/{*id}/more", RestNotLast { name: name() }),
            ("/a{*id}", RestNotLast { name: name() }),
            ("/{*id}b", RestNotLast { name: name() }),
            ("/{year}-{id}", SecondInSegment { name: name() }),
        ] {
            assert_eq!(parameters(pattern), Err(error), "{pattern}");
        }
    }

    /// The checks here are the router's own, earlier and in more words.
    #[test]
    fn a_segment_of_many_braces_ends() {
        assert_eq!(parameters(&format!("/{}", "{".repeat(10_001))), Err(Brace));
    }
}
