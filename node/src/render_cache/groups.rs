//! Tags as groups that a cache in between knows a page by (RFC 9875).

use std::fmt::Write as _;

use callboard_protocol::revalidation::Tag;

/// Most groups of one page, and most characters of one: what every cache has to take.
pub(crate) const GROUPS_MAX: usize = 32;
const GROUP_CHARACTERS_MAX: usize = 32;

/// The header: a list of strings (RFC 9651), in the order in which the tags were given. What does not fit is left out; a
/// page has to be asked for before it is shown from any cache, so nothing is shown wrongly for that. Empty without a tag.
pub(super) fn header(names: &[String]) -> String {
    let mut text = String::new();
    let mut seen: Vec<&String> = Vec::new();
    for name in names {
        if seen.contains(&name) {
            continue;
        }
        if seen.len() == GROUPS_MAX {
            break;
        }
        seen.push(name);
        let separator = if text.is_empty() { "" } else { ", " };
        text.push_str(separator);
        group(&mut text, name);
    }
    text
}

/// The name in quotes, or its hash where a string of the header cannot hold it.
fn group(text: &mut String, name: &str) {
    let fits = name.len() <= GROUP_CHARACTERS_MAX && name.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
    if !fits {
        write!(text, "\"~{:016x}\"", Tag::named(name).hash()).expect("writing to a String cannot fail");
        return;
    }
    text.push('"');
    for char in name.chars() {
        if matches!(char, '"' | '\\') {
            text.push('\\');
        }
        text.push(char);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn of(names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let header = header(&names);
        HeaderValue::from_str(&header).expect("a header value");
        header
    }

    #[test]
    fn tags_are_strings_of_the_header() {
        assert_eq!(of(&[]), "");
        assert_eq!(of(&["posts", "post:1", "posts"]), r#""posts", "post:1""#);
        assert_eq!(of(&[r#"a"b\c"#]), r#""a\"b\\c""#);
    }

    #[test]
    fn what_the_header_cannot_hold_is_there_as_its_hash() {
        for name in ["café", "a\r\nset-cookie: x", &"x".repeat(33)] {
            let header = of(&[name]);
            assert_eq!(header.len(), 19, "{header}");
        }
    }

    #[test]
    fn the_header_is_bounded() {
        let names: Vec<String> = (0..1000).map(|number| format!("tag-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(of(&names).split(", ").count(), GROUPS_MAX);
    }
}
