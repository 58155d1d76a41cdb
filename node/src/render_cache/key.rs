//! What renders are kept under.

use std::hash::{BuildHasher, Hash, Hasher};

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

/// Where anything is kept: the hash of what it is kept under, which stands in it anyway. Whoever finds something there asks
/// whether it is what he looked for; two that have one place drive each other out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(u64);

impl Place {
    pub(super) fn of_page(hasher: &impl BuildHasher, key: PageKeyRef<'_>) -> Self {
        Self(hasher.hash_one((Kind::Page, key)))
    }

    pub(super) fn of_fragment(hasher: &impl BuildHasher, key: &str) -> Self {
        Self(hasher.hash_one((Kind::Fragment, key)))
    }
}

#[derive(Hash)]
enum Kind {
    Page,
    Fragment,
}
