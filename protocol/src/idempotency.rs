//! Which calls are one: what the client's key or the nonce of its form stand for, and the digest of a body.
//!
//! All of it is SHA-256, cut to 128 bits. Whoever wants the outcome of somebody else's call would have to find a second
//! text with a given hash, as a principal chooses only his own keys: 2^128 tries. Every part that is hashed comes with
//! its length, so that `ab` + `c` is not `a` + `bc`.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::{
    ActionId,
    envelope::Idempotency,
    form_action::NONCE_FIELD,
    multipart::{Event, PartStart},
};

/// What is hashed first sets the four kinds apart.
const KEY: &[u8] = b"callboard idempotency key v1";
const NONCE: &[u8] = b"callboard form nonce v1";
const TEXT: &[u8] = b"callboard body of text v1";
const FORM: &[u8] = b"callboard body of a form v1";

/// A field's kind, hashed between what names it and what it holds.
const TEXT_FIELD: u8 = 0;
const FILE: u8 = 1;
const FILE_WITH_MEDIA_TYPE: u8 = 2;

/// What a body says, whatever chunks it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyDigest(u128);

impl BodyDigest {
    /// Of a body that is one text.
    #[must_use]
    pub fn of_text(text: &[u8]) -> Self {
        Self(cut(Sha256::new().chain_update(TEXT).chain_update(text)))
    }
}

impl Idempotency {
    /// Calls are one if they name the same action, come from the same principal and bring the same key. Callers without
    /// a principal count as one.
    #[must_use]
    pub fn of_key(action: &ActionId, principal: Option<&str>, key: &str, body: BodyDigest) -> Self {
        Self { key: cut(named(KEY, action, principal, key)), digest: body.0, retention_s: 0 }
    }

    /// Submissions are one if they are of the same form and say the same: nobody chose the nonce, so the same nonce
    /// with another body is no mistake, as after "back" and a second thought.
    #[must_use]
    pub fn of_form(action: &ActionId, principal: Option<&str>, nonce: &str, body: BodyDigest) -> Self {
        let key = cut(named(NONCE, action, principal, nonce).chain_update(body.0.to_be_bytes()));
        Self { key, digest: key, retention_s: 0 }
    }

    /// The outcome is kept for this long, cut to seconds.
    #[must_use]
    pub fn kept_for(self, retention: Duration) -> Self {
        Self { retention_s: u32::try_from(retention.as_secs()).unwrap_or(u32::MAX), ..self }
    }
}

fn named(kind: &[u8], action: &ActionId, principal: Option<&str>, name: &str) -> Sha256 {
    let mut hash = Sha256::new().chain_update(kind).chain_update(action.as_bytes());
    hash.update([u8::from(principal.is_some())]);
    for part in [principal.unwrap_or_default(), name] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash
}

/// Digests a form while it arrives: its fields and files in their order, without the nonce. What frames them, such as
/// the boundary, is another each time that a browser sends the same.
#[derive(Clone, Debug)]
pub struct FormDigest {
    hash: Sha256,
    content_bytes: u64,
    /// The field that is open says which form this is, not what it says.
    is_nonce: bool,
}

impl Default for FormDigest {
    fn default() -> Self {
        Self { hash: Sha256::new().chain_update(FORM), content_bytes: 0, is_nonce: false }
    }
}

impl FormDigest {
    /// Takes what the parser of the body gave next.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::PartStart(start) => self.begin(start),
            Event::Data(piece) => self.content(piece),
            Event::PartEnd => self.end(),
            Event::End => {}
        }
    }

    /// A field begins.
    fn begin(&mut self, start: &PartStart) {
        self.is_nonce = start.name == NONCE_FIELD;
        if self.is_nonce {
            return;
        }
        self.content_bytes = 0;
        self.named(start.name.as_bytes());
        let kind = match (&start.file_name, &start.content_type) {
            // The media type of a text says nothing that an action could see.
            (None, _) => TEXT_FIELD,
            (Some(_), None) => FILE,
            (Some(_), Some(_)) => FILE_WITH_MEDIA_TYPE,
        };
        if let Some(file_name) = &start.file_name {
            self.named(file_name.as_bytes());
            if let Some(media_type) = &start.content_type {
                self.named(media_type.as_bytes());
            }
        }
        self.hash.update([kind]);
    }

    /// Some of what it holds.
    fn content(&mut self, piece: &[u8]) {
        if !self.is_nonce {
            self.content_bytes += piece.len() as u64;
            self.hash.update(piece);
        }
    }

    /// The field ends.
    fn end(&mut self) {
        if !self.is_nonce {
            self.hash.update(self.content_bytes.to_be_bytes());
        }
    }

    /// A whole field of text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.begin(&PartStart { name: name.into(), file_name: None, content_type: None });
        self.content(value.as_bytes());
        self.end();
    }

    /// The digest, after the last field.
    #[must_use]
    pub fn finish(self) -> BodyDigest {
        BodyDigest(cut(self.hash))
    }

    /// Lengths stand behind what they measure, here and everywhere in a form: how long a content is, is known at its
    /// end. Read from its end, what was hashed has one meaning only.
    fn named(&mut self, name: &[u8]) {
        self.hash.update(name);
        self.hash.update((name.len() as u64).to_be_bytes());
    }
}

fn cut(hash: Sha256) -> u128 {
    let hash: [u8; 32] = hash.finalize().into();
    let (first, _) = hash.split_first_chunk().expect("a hash has more than 16 bytes");
    u128::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::multipart::{Limits, Parser, Part, render};

    /// A field: its name, file name and media type, and the pieces that its content comes in.
    type Field = (String, Option<String>, Option<String>, Vec<String>);

    fn digest(fields: &[Field]) -> BodyDigest {
        let mut digest = FormDigest::default();
        for (name, file_name, media_type, pieces) in fields {
            digest.begin(&PartStart {
                name: name.as_str().into(),
                file_name: file_name.as_deref().map(Into::into),
                content_type: media_type.as_deref().map(Into::into),
            });
            for piece in pieces {
                digest.content(piece.as_bytes());
            }
            digest.end();
        }
        digest.finish()
    }

    /// What an action could see of a field.
    fn seen(
        (name, file_name, media_type, pieces): &Field,
    ) -> (String, Option<(String, Option<String>)>, String) {
        (name.clone(), file_name.clone().map(|file_name| (file_name, media_type.clone())), pieces.concat())
    }

    fn action(number: u8) -> ActionId {
        ActionId::from_bytes([number & 0x7f; ActionId::BYTES]).expect("no reserved bit is set")
    }

    const ADA: Option<&str> = Some("ada");

    #[test]
    fn calls_are_one_by_action_principal_and_key() {
        let body = BodyDigest::of_text(b"[1]");
        let one = Idempotency::of_key(&action(1), ADA, "k", body);
        assert_eq!(one, Idempotency::of_key(&action(1), ADA, "k", body));
        for other in [
            Idempotency::of_key(&action(2), ADA, "k", body),
            Idempotency::of_key(&action(1), Some("bob"), "k", body),
            Idempotency::of_key(&action(1), Some(""), "k", body),
            Idempotency::of_key(&action(1), None, "k", body),
            Idempotency::of_key(&action(1), ADA, "l", body),
            Idempotency::of_key(&action(1), Some("adak"), "", body),
            Idempotency::of_form(&action(1), ADA, "k", body),
        ] {
            assert_ne!(one.key, other.key);
        }
        let other_body = Idempotency::of_key(&action(1), ADA, "k", BodyDigest::of_text(b"[2]"));
        assert_eq!(one.key, other_body.key);
        assert_ne!(one.digest, other_body.digest);
    }

    #[test]
    fn a_form_with_another_body_is_another_call_and_no_conflict() {
        let of = |body: &[u8]| Idempotency::of_form(&action(1), ADA, "n", BodyDigest::of_text(body));
        let (one, other) = (of(b"a"), of(b"b"));
        assert_eq!(one, of(b"a"));
        assert_ne!(one.key, other.key);
    }

    #[test]
    fn the_nonce_of_a_form_is_not_part_of_what_it_says() {
        let nonce = |value: &str| (NONCE_FIELD.to_owned(), None, None, vec![value.to_owned()]);
        let name = ("name".to_owned(), None, None, vec!["Ada".to_owned()]);
        let without = digest(std::slice::from_ref(&name));
        assert_eq!(digest(&[nonce("one"), name.clone()]), without);
        assert_eq!(digest(&[name, nonce("two"), nonce("")]), without);
    }

    /// What a browser sends: the same parts behind another boundary, cut into chunks elsewhere.
    #[test]
    fn neither_the_boundary_nor_the_chunks_count() {
        let parts = [
            Part::text("name", "Ada"),
            Part::text(NONCE_FIELD, "n"),
            Part::file("photo", "a.png", "image/png", vec![7; 1000]),
        ];
        let arrived = |parts: &[Part], boundary: &str, chunk_bytes: usize| {
            let mut parser = Parser::new(boundary, Limits::default()).expect("a boundary");
            let mut digest = FormDigest::default();
            for chunk in render(parts, boundary).chunks(chunk_bytes) {
                parser.push(chunk.to_vec().into());
                while let Some(event) = parser.next_event().expect("a form") {
                    digest.event(&event);
                }
            }
            digest.finish()
        };
        let once = arrived(&parts, "one", usize::MAX);
        for chunk_bytes in [1, 7, 100] {
            assert_eq!(arrived(&parts, "another-boundary", chunk_bytes), once);
        }
        for other in [
            Part::file("photo", "a.png", "image/png", vec![7; 999]),
            Part::file("photo", "b.png", "image/png", vec![7; 1000]),
            Part::file("photo", "a.png", "image/gif", vec![7; 1000]),
        ] {
            assert_ne!(arrived(&[parts[0].clone(), other], "one", 100), once);
        }
    }

    #[test]
    fn a_text_is_no_form() {
        assert_ne!(BodyDigest::of_text(b""), FormDigest::default().finish());
    }

    proptest! {
        #[test]
        fn other_parts_make_another_key(
            one in (0u8..4, prop::option::of("[ab]{0,3}"), "[ab]{1,3}"),
            other in (0u8..4, prop::option::of("[ab]{0,3}"), "[ab]{1,3}"),
        ) {
            let key = |(number, principal, key): &(u8, Option<String>, String)| {
                Idempotency::of_key(&action(*number), principal.as_deref(), key, BodyDigest::of_text(b"")).key
            };
            prop_assert_eq!(key(&one) == key(&other), one == other);
        }

        #[test]
        fn forms_have_one_digest_exactly_if_an_action_sees_the_same(
            one in fields(), other in fields(),
        ) {
            let same = one.iter().map(seen).eq(other.iter().map(seen));
            prop_assert_eq!(digest(&one) == digest(&other), same);
        }

        #[test]
        fn the_pieces_that_a_form_comes_in_do_not_count(form in fields()) {
            let mut whole = form.clone();
            for (.., pieces) in &mut whole {
                *pieces = vec![pieces.concat()];
            }
            prop_assert_eq!(digest(&form), digest(&whole));
        }

        /// The same characters, cut into names and contents elsewhere.
        #[test]
        fn boundaries_between_fields_count(text in "[ab]{2,8}", one: prop::sample::Index, other: prop::sample::Index) {
            let cut = |at: usize| {
                let (name, content) = text.split_at(at);
                digest(&[(name.to_owned(), None, None, vec![content.to_owned()])])
            };
            let (one, other) = (one.index(text.len()), other.index(text.len()));
            prop_assert_eq!(cut(one) == cut(other), one == other);
        }
    }

    fn fields() -> impl Strategy<Value = Vec<Field>> {
        let short = || "[ab\0]{0,2}";
        let field = (
            short(),
            prop::option::of(short()),
            prop::option::of(short()),
            prop::collection::vec(short(), 0..3),
        );
        prop::collection::vec(field, 0..3)
    }
}
