//! A body of a page, with a hole wherever a response puts the nonce of its forms.

use std::sync::LazyLock;

use bytes::Bytes;
use callboard_protocol::{
    KeyRing,
    sealing::{FORM_NONCE_CHARACTERS, sign_form_nonce},
};
use memchr::memmem;
use rand::{RngExt as _, distr::Alphanumeric};

/// What forms are printed with where a nonce goes. Nobody can guess it, and no response has it: what a person typed
/// cannot be taken for it.
static HOLE: LazyLock<String> = LazyLock::new(|| {
    rand::rng().sample_iter(Alphanumeric).take(FORM_NONCE_CHARACTERS).map(char::from).collect()
});

/// Stands for a nonce in a render; as long as one.
pub(crate) fn hole() -> &'static str {
    &HOLE
}

/// A body of a rendered page: its HTML, or its payload. Neither a string's quotes nor its length in front say anything else
/// of a nonce than of its hole.
#[derive(Clone, Debug)]
pub(crate) struct PageBody {
    bytes: Bytes,
    /// Where the holes begin.
    holes: Box<[usize]>,
}

impl PageBody {
    /// Finds the holes of what was rendered.
    pub(crate) fn new(bytes: Bytes) -> Self {
        let holes = memmem::find_iter(&bytes, hole()).collect();
        Self { bytes, holes }
    }

    /// Its bytes, and where the holes in them begin.
    pub(crate) fn into_parts(self) -> (Bytes, Box<[usize]>) {
        (self.bytes, self.holes)
    }

    /// The page as one response has it.
    pub(crate) fn for_response(&self, keys: &KeyRing) -> Bytes {
        filled(self.bytes.clone(), &self.holes, keys)
    }
}

/// A page as one response has it. All of its forms have one nonce: forms of one page differ in their action or in what they
/// say, or else it does not matter which of them was submitted, and a page may have hundreds.
pub(crate) fn filled(page: Bytes, holes: &[usize], keys: &KeyRing) -> Bytes {
    if holes.is_empty() {
        return page;
    }
    let nonce = sign_form_nonce(keys, rand::random());
    let mut filled = page.to_vec();
    for &begins in holes {
        filled[begins..begins + nonce.len()].copy_from_slice(nonce.as_bytes());
    }
    filled.into()
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{key_ring::KeyId, sealing::verify_form_nonce};

    use super::*;

    fn page(text: String) -> PageBody {
        PageBody::new(text.into())
    }

    #[test]
    fn every_response_fills_all_holes_with_a_nonce_of_its_own() {
        let keys = KeyRing::generate(KeyId::new(1), [1; 32]);
        let page = page(format!("{0}, {0}{0}.", hole()));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let response = String::from_utf8(page.for_response(&keys).to_vec()).expect("text");
            let nonce = response[..FORM_NONCE_CHARACTERS].to_owned();
            assert_eq!(response, format!("{nonce}, {nonce}{nonce}."));
            assert!(verify_form_nonce(&keys, &nonce).is_ok());
            assert!(!seen.contains(&nonce));
            seen.push(nonce);
        }
    }

    #[test]
    fn a_page_without_holes_is_sent_as_it_is() {
        let keys = KeyRing::generate(KeyId::new(1), [1; 32]);
        let page = page(format!("plain {}", &hole()[1..]));
        assert_eq!(page.for_response(&keys).as_ptr(), page.bytes.as_ptr());
    }
}
