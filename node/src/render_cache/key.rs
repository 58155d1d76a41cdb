//! What renders are kept under.

use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

/// What a page is kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageKey {
    pub(crate) host: Box<str>,
    pub(crate) path: Box<str>,
    pub(crate) query: Box<str>,
}

/// [`PageKey`] as a request holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageKeyRef<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl PageKeyRef<'_> {
    pub(crate) fn to_key(self) -> PageKey {
        PageKey { host: self.host.into(), path: self.path.into(), query: self.query.into() }
    }
}

impl PageKey {
    pub(crate) fn as_ref(&self) -> PageKeyRef<'_> {
        PageKeyRef { host: &self.host, path: &self.path, query: &self.query }
    }

    pub(super) fn bytes(&self) -> usize {
        self.host.len() + self.path.len() + self.query.len()
    }
}

impl Hash for PageKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.host, self.path, self.query).hash(state);
    }
}

impl Hash for PageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_ref().hash(state);
    }
}

impl PartialEq<PageKey> for PageKeyRef<'_> {
    fn eq(&self, key: &PageKey) -> bool {
        *self.host == *key.host && *self.path == *key.path && *self.query == *key.query
    }
}

/// What anything is kept under: no page is taken for a fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Page(PageKey),
    Fragment(Box<str>),
}

/// [`Key`] as whoever looks for it holds it; hashed alike.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum KeyRef<'a> {
    Page(PageKeyRef<'a>),
    Fragment(&'a str),
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::Page(asked), Key::Page(key)) => asked == key,
            (Self::Fragment(asked), Key::Fragment(key)) => **asked == **key,
            _ => false,
        }
    }
}
