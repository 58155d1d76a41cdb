//! What may be written: names and messages that the book takes, and what is wrong with others.

use serde::Serialize;

use crate::moment::Moment;

/// Longest name, in characters: fits one line of the page.
pub(crate) const NAME_CHARS_MAX: usize = 60;
/// Longest message, in characters: ten of them still make a page that one reads to the end.
pub(crate) const MESSAGE_CHARS_MAX: usize = 1000;

/// A name fit to be shown and to sign in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// A message fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message(String);

/// An entry as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) written: Moment,
}

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing, or blanks only.
    Empty,
    /// Longer than it may be.
    TooLong { chars: usize, chars_max: usize },
    /// It holds a control character.
    Control,
}

impl Name {
    /// Takes a name as it was typed; blanks around it do not count.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, Fault> {
        let name = typed.trim();
        check(name, NAME_CHARS_MAX, char::is_control)?;
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Message {
    /// Takes a message as it was typed; blanks around it do not count, and every kind of line end becomes `\n`
    /// (browsers send `\r\n`).
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn parse(typed: &str) -> Result<Self, Fault> {
        let message = typed.trim().replace("\r\n", "\n").replace('\r', "\n");
        check(&message, MESSAGE_CHARS_MAX, |char| char.is_control() && char != '\n' && char != '\t')?;
        Ok(Self(message))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Fault {
    /// What to tell the person who typed it; `what` is the field's name.
    pub(crate) fn advice(self, what: &str) -> String {
        match self {
            Self::Empty => format!("Please write a {what}."),
            Self::TooLong { chars, chars_max } => {
                format!("A {what} has at most {chars_max} characters; this one has {chars}.")
            }
            Self::Control => format!("A {what} cannot hold control characters."),
        }
    }
}

/// Characters are counted and not bytes: a person sees no bytes.
fn check(text: &str, chars_max: usize, is_refused: impl Fn(char) -> bool) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(Fault::TooLong { chars, chars_max });
    }
    if text.chars().any(is_refused) { Err(Fault::Control) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_text_do_not_count() {
        assert_eq!(Name::parse(" Ada\u{a0}\r\n").unwrap().as_str(), "Ada");
        assert_eq!(Message::parse("\n  hello \n").unwrap().as_str(), "hello");
        assert_eq!(Name::parse(" \t "), Err(Fault::Empty));
        assert_eq!(Message::parse(""), Err(Fault::Empty));
    }

    #[test]
    fn the_longest_text_is_counted_in_characters() {
        let longest = "é".repeat(NAME_CHARS_MAX);
        assert_eq!(Name::parse(&longest).unwrap().as_str(), longest);
        let chars = NAME_CHARS_MAX + 1;
        let too_long = Fault::TooLong { chars, chars_max: NAME_CHARS_MAX };
        assert_eq!(Name::parse(&"😀".repeat(chars)), Err(too_long));

        assert!(Message::parse(&"語".repeat(MESSAGE_CHARS_MAX)).is_ok());
        let chars = MESSAGE_CHARS_MAX + 1;
        let too_long = Fault::TooLong { chars, chars_max: MESSAGE_CHARS_MAX };
        assert_eq!(Message::parse(&"a".repeat(chars)), Err(too_long));
    }

    #[test]
    fn control_characters_are_refused_and_line_ends_of_a_message_are_not() {
        for typed in ["a\nb", "a\tb", "a\0b", "a\u{1b}[31m", "a\u{7f}b", "a\u{85}b"] {
            assert_eq!(Name::parse(typed), Err(Fault::Control), "{typed:?}");
        }
        assert_eq!(Message::parse("a\0b"), Err(Fault::Control));
        let mixed = Message::parse("one\r\ntwo\rthree\nfour\t!").unwrap();
        assert_eq!(mixed.as_str(), "one\ntwo\nthree\nfour\t!");
    }

    #[test]
    fn advice_names_the_field_and_the_limit() {
        assert_eq!(Fault::Empty.advice("message"), "Please write a message.");
        assert_eq!(
            Fault::TooLong { chars: 61, chars_max: 60 }.advice("name"),
            "A name has at most 60 characters; this one has 61."
        );
    }
}
