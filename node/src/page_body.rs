//! The body of a page, with a hole wherever a response puts the nonce of its forms.

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

/// A rendered page.
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

    /// All of it, if no response puts anything into it.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        self.holes.is_empty().then_some(&self.bytes)
    }

    /// What it takes while it is kept.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.holes)
    }

    /// The page as one response has it. All of its forms have one nonce: forms of one page differ in their action or in
    /// what they say, or else it does not matter which of them was submitted, and a page may have hundreds.
    pub(crate) fn for_response(&self, keys: &KeyRing) -> Bytes {
        if let Some(whole) = self.whole() {
            return whole.clone();
        }
        let nonce = sign_form_nonce(keys, rand::random());
        let mut filled = self.bytes.to_vec();
        for &begins in &self.holes {
            filled[begins..begins + nonce.len()].copy_from_slice(nonce.as_bytes());
        }
        filled.into()
    }
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
        assert!(page.whole().is_none());
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
        let whole = page.whole().expect("no hole").clone();
        assert_eq!(page.for_response(&keys).as_ptr(), whole.as_ptr());
    }
}
