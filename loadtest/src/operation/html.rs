//! The forms of a page, as far as a browser needs them to send one.

use std::borrow::Cow;

/// A form that is posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageForm {
    /// Where it is sent; empty: to the page itself.
    pub(super) action: String,
    pub(super) is_multipart: bool,
    /// Names and values that are sent if nobody types anything, in the order of the page.
    pub(super) fields: Vec<(String, String)>,
}

/// A tag, and where it ends.
struct Tag<'h> {
    /// In lower case, with the slash of an end tag.
    name: String,
    attributes: Vec<(String, Cow<'h, str>)>,
    end: usize,
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.attribute(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }
}

/// A select that is open: its name, the value of the chosen option, and of the first.
#[derive(Default)]
struct Select {
    name: Option<String>,
    first: Option<String>,
    chosen: Option<String>,
}

/// The forms of a page that are posted. What is no HTML gives none.
pub(super) fn forms(html: &str) -> Vec<PageForm> {
    let (mut found, mut open, mut select) = (Vec::new(), None::<PageForm>, Select::default());
    let mut has_button = false;
    let mut at = 0;
    while let Some(tag) = next_tag(html, at) {
        at = tag.end;
        let content = raw_content(&tag.name, html, at);
        at += content.map_or(0, str::len);
        match (tag.name.as_str(), open.as_mut()) {
            ("form", None) => {
                let is_multipart = tag.is("enctype", "multipart/form-data");
                let action = tag.attribute("action").unwrap_or_default().trim().to_owned();
                open =
                    tag.is("method", "post").then(|| PageForm { action, is_multipart, fields: Vec::new() });
                has_button = false;
            }
            ("/form", _) => found.extend(open.take()),
            ("select", Some(_)) => select = Select { name: sent_name(&tag), ..Select::default() },
            ("option", Some(_)) => {
                let text = html[at..].split('<').next().unwrap_or_default();
                let value =
                    tag.attribute("value").map_or_else(|| decode(text.trim()), Cow::from).into_owned();
                if tag.attribute("selected").is_some() {
                    select.chosen.get_or_insert_with(|| value.clone());
                }
                select.first.get_or_insert(value);
            }
            ("/select", Some(form)) => {
                let Select { name, first, chosen } = std::mem::take(&mut select);
                form.fields.extend(name.zip(chosen.or(first)));
            }
            (_, Some(form)) => {
                let button = is_submit(&tag);
                // Whoever presses Enter presses the first button.
                if !button || !std::mem::replace(&mut has_button, true) {
                    form.fields.extend(sent_name(&tag).zip(value(&tag, content)));
                }
            }
            (_, None) => {}
        }
    }
    found.extend(open);
    found
}

/// The name of a control that is sent.
fn sent_name(tag: &Tag<'_>) -> Option<String> {
    let is_disabled = tag.attribute("disabled").is_some();
    tag.attribute("name").filter(|name| !name.is_empty() && !is_disabled).map(ToOwned::to_owned)
}

fn is_submit(tag: &Tag<'_>) -> bool {
    match tag.name.as_str() {
        "button" => tag.attribute("type").is_none() || tag.is("type", "submit"),
        "input" => tag.is("type", "submit"),
        _ => false,
    }
}

/// What a control sends if nobody touches it.
fn value(tag: &Tag<'_>, content: Option<&str>) -> Option<String> {
    let own = || tag.attribute("value").unwrap_or_default().to_owned();
    match tag.name.as_str() {
        "textarea" => {
            let text = content.unwrap_or_default();
            let text = text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text);
            Some(decode(text).into_owned())
        }
        "button" => is_submit(tag).then(own),
        "input" => match tag.attribute("type").unwrap_or("text").to_ascii_lowercase().as_str() {
            "checkbox" | "radio" => {
                tag.attribute("checked").map(|_| tag.attribute("value").unwrap_or("on").to_owned())
            }
            "button" | "reset" | "image" | "file" => None,
            _ => Some(own()),
        },
        _ => None,
    }
}

/// What stands in an element that holds no tags.
fn raw_content<'h>(name: &str, html: &'h str, at: usize) -> Option<&'h str> {
    if !["script", "style", "textarea", "title"].contains(&name) {
        return None;
    }
    let rest = &html[at..];
    let closes = |place: &usize| {
        rest.get(place + 2..place + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    };
    let end = rest.match_indices("</").map(|(place, _)| place).find(closes);
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// The next tag from here on; comments are skipped.
fn next_tag(html: &str, from: usize) -> Option<Tag<'_>> {
    let mut at = from;
    loop {
        at += html[at..].find('<')?;
        let rest = &html[at..];
        if rest.starts_with("<!--") {
            at += rest.find("-->")? + 3;
            continue;
        }
        let slash = usize::from(rest[1..].starts_with('/'));
        if !rest.as_bytes().get(1 + slash).is_some_and(u8::is_ascii_alphabetic) {
            at += 1;
            continue;
        }
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-:".contains(byte);
        let length = slash + rest[1 + slash..].bytes().take_while(is_name).count();
        let name = rest[1..=length].to_ascii_lowercase();
        let (attributes, used) = attributes(&rest[1 + length..]);
        return Some(Tag { name, attributes, end: at + 1 + length + used });
    }
}

/// The attributes up to the end of a tag, and how many bytes that is.
fn attributes(text: &str) -> (Vec<(String, Cow<'_, str>)>, usize) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == '/');
        match rest.chars().next() {
            None => return (found, text.len()),
            Some('>') => return (found, text.len() - rest.len() + 1),
            // A name may begin with it; that is how names end otherwise.
            Some('=') => rest = &rest[1..],
            Some(_) => {}
        }
        let ends = |it: char| it.is_ascii_whitespace() || ['/', '>', '='].contains(&it);
        let (name, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
        let unspaced = after.trim_start_matches(|it: char| it.is_ascii_whitespace());
        let Some(valued) = unspaced.strip_prefix('=') else {
            found.push((name.to_ascii_lowercase(), Cow::from("")));
            rest = after;
            continue;
        };
        let valued = valued.trim_start_matches(|it: char| it.is_ascii_whitespace());
        let (value, after) = match valued.chars().next() {
            Some(quote @ ('"' | '\'')) => valued[1..].split_once(quote).unwrap_or((&valued[1..], "")),
            _ => {
                let ends = |it: char| it.is_ascii_whitespace() || it == '>';
                valued.split_at(valued.find(ends).unwrap_or(valued.len()))
            }
        };
        found.push((name.to_ascii_lowercase(), decode(value)));
        rest = after;
    }
}

/// Text with its character references read: those that servers escape with. Others stay as they are.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let named = rest[1..].split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        if let Some((character, after)) = named {
            decoded.push(character);
            rest = after;
        } else {
            decoded.push('&');
            rest = &rest[1..];
        }
    }
    decoded.push_str(rest);
    decoded.into()
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_sends_what_a_browser_would_send() {
        let html = "<!doctype html><!-- <form method=post><input name=no> --><title><form></title>\
            <script>if (a<b) '<form method=\"post\">'</script>\
            <form-x method=post><input name=no></form-x>\
            <FORM METHOD=Post action=\"/a?b=1&amp;c=2\" enctype='multipart/form-data' novalidate>\
            <input type=\"hidden\" name=\"$ACTION_REF_1\"/><input type=hidden name=k value='{&quot;id&quot;:&#34;x&#x22;}'>\
            <input/name=plain value=a/b><input name=off disabled value=1><input value=nameless>\
            <input type=checkbox name=c1 checked><input type=checkbox name=c2><input type=file name=f>\
            <textarea name=t>\n1 &lt; 2 <b>\n</textarea>\
            <select name=s><option value=1>one<option selected>two</select><select name=s2><option>three</option></select>\
            <button type=button name=b0 value=0>no</button><button name=b1 value=1>Go</button><button name=b2>No</button>\
            </FORM><form><input name=search></form>";
        let fields = [
            ("$ACTION_REF_1", ""),
            ("k", "{\"id\":\"x\"}"),
            ("plain", "a/b"),
            ("c1", "on"),
            ("t", "1 < 2 <b>\n"),
            ("s", "two"),
            ("s2", "three"),
            ("b1", "1"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(forms(html), [PageForm { action: "/a?b=1&c=2".into(), is_multipart: true, fields }]);
    }

    #[test]
    fn what_is_no_html_has_no_forms_and_does_no_harm() {
        for html in [
            "",
            "<",
            "<form",
            "<form method=post",
            "a < b & c",
            "<!--",
            "<form =",
            "<a b=\"",
            "&#x110000;",
            "<é>",
        ] {
            assert!(forms(html).iter().all(|form| form.fields.is_empty()), "{html}");
        }
        let text = "<form method=post><input name=a value='&#xd800;&nope;&'><textarea name=t>ü</textar";
        assert_eq!(
            forms(text)[0].fields,
            [("a".into(), "&#xd800;&nope;&".into()), ("t".into(), "ü</textar".into())]
        );
    }

    /// Goal: whatever a server sends, a page is read to its end. Method: pieces of pages in any order.
    #[test]
    fn pages_that_are_broken_anywhere_are_read() {
        use rand::{RngExt as _, SeedableRng as _};
        let pieces = [
            "<",
            ">",
            "/",
            "=",
            "\"",
            "'",
            "&",
            ";",
            "&#x",
            "<!--",
            "-->",
            "<form",
            " method=post",
            "</form>",
            "<input",
            " name=a",
            " value=",
            "<textarea",
            "</textarea",
            "<select",
            "<option",
            "</select>",
            "<script>",
            "</script>",
            "<button>",
            "ü",
            " ",
            "\n",
            "x",
        ];
        let mut random = rand::rngs::SmallRng::seed_from_u64(1);
        for _ in 0..20_000 {
            let length = random.random_range(0..20);
            let html: String = (0..length).map(|_| pieces[random.random_range(0..pieces.len())]).collect();
            forms(&html);
        }
    }
}
