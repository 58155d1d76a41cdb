//! The texts of a kept page, which are one piece of memory: each by itself would take a pointer and an allocation more.

use std::{ops::Range, str};

use super::key::PageKeyRef;

/// How long each of them is, in the order in which they stand: host, path, query and the header `cache-groups`. The HTML is
/// the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    host: u32,
    path: u16,
    query: u16,
    groups: u16,
}

impl Lengths {
    /// The texts, and how long they are.
    pub(super) fn join(key: PageKeyRef<'_>, groups: &str, body: &[u8]) -> (Box<[u8]>, Self) {
        let short = |text: &str| u16::try_from(text.len()).expect("the parser takes no longer URI");
        let lengths = Self {
            host: u32::try_from(key.host.len()).expect("the parser takes no longer head"),
            path: short(key.path),
            query: short(key.query),
            groups: u16::try_from(groups.len()).expect("groups are limited"),
        };
        let texts = [key.host.as_bytes(), key.path.as_bytes(), key.query.as_bytes(), groups.as_bytes(), body];
        (texts.concat().into(), lengths)
    }

    /// What they are kept under.
    pub(super) fn key(self, texts: &[u8]) -> PageKeyRef<'_> {
        let [host, path, query] = self.of_key(texts);
        let text = |bytes| str::from_utf8(bytes).expect("it was put in as a text");
        PageKeyRef { host: text(host), path: text(path), query: text(query) }
    }

    /// Whether they are kept under this key.
    pub(super) fn is_of(self, texts: &[u8], key: PageKeyRef<'_>) -> bool {
        self.of_key(texts) == [key.host.as_bytes(), key.path.as_bytes(), key.query.as_bytes()]
    }

    fn of_key(self, texts: &[u8]) -> [&[u8]; 3] {
        let (host, rest) = texts.split_at(self.host as usize);
        let (path, rest) = rest.split_at(self.path.into());
        [host, path, &rest[..self.query.into()]]
    }

    /// Where the groups are.
    pub(super) fn groups(self) -> Range<usize> {
        let body = self.body();
        body - usize::from(self.groups)..body
    }

    /// Where the body begins.
    pub(super) fn body(self) -> usize {
        self.host as usize + usize::from(self.path) + usize::from(self.query) + usize::from(self.groups)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_they_were_put_in() {
        let key = PageKeyRef { host: "h", path: "/päth", query: "a=1" };
        let (texts, lengths) = Lengths::join(key, r#""tag""#, b"body");
        let PageKeyRef { host, path, query } = lengths.key(&texts);
        assert_eq!((host, path, query), ("h", "/päth", "a=1"));
        assert_eq!(&texts[lengths.groups()], br#""tag""#);
        assert_eq!(&texts[lengths.body()..], b"body");
    }

    /// Their bytes one after the other are the same.
    #[test]
    fn a_key_is_told_from_one_that_is_cut_elsewhere() {
        let key = PageKeyRef { host: "h", path: "/a", query: "b" };
        let (texts, lengths) = Lengths::join(key, "", b"");
        assert!(lengths.is_of(&texts, key));
        assert!(!lengths.is_of(&texts, PageKeyRef { path: "/ab", query: "", ..key }));
        assert!(!lengths.is_of(&texts, PageKeyRef { host: "h/", path: "a", ..key }));
    }
}
