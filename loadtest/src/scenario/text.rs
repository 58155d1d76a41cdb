//! Texts with placeholders.

use super::schema::PLACEHOLDERS;

/// A text, in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Number,
    Pick,
}

/// What placeholders stand for in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The call's number.
    pub(crate) number: u64,
    /// What it picked.
    pub(crate) pick: u32,
}

impl Text {
    /// Takes a text apart. `{word}` is a placeholder, `{{word}}` is `{word}`, other braces are themselves.
    ///
    /// # Errors
    ///
    /// The words that are no placeholders.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut pieces, mut unknown) = (Vec::new(), Vec::new());
        let (mut plain, mut rest) = (String::new(), text);
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            rest = &rest[open..];
            if let Some(length) = word(rest, "{{", "}}") {
                plain.push_str(&rest[1..length - 1]);
                rest = &rest[length..];
            } else if let Some(length) = word(rest, "{", "}") {
                let piece = match &rest[1..length - 1] {
                    "number" => Some(Piece::Number),
                    "pick" => Some(Piece::Pick),
                    other => {
                        unknown.push(other.to_owned());
                        None
                    }
                };
                pieces.extend(Some(std::mem::take(&mut plain)).filter(|it| !it.is_empty()).map(Piece::Plain));
                pieces.extend(piece);
                rest = &rest[length..];
            } else {
                plain.push('{');
                rest = &rest[1..];
            }
        }
        plain.push_str(rest);
        pieces.extend(Some(plain).filter(|plain| !plain.is_empty()).map(Piece::Plain));
        if unknown.is_empty() { Ok(Self(pieces)) } else { Err(unknown) }
    }

    /// A text that is always the same.
    #[must_use]
    pub(crate) fn is_fixed(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Plain(_)))
    }

    /// Whether it holds `{pick}`.
    #[must_use]
    pub(crate) fn picks(&self) -> bool {
        self.0.contains(&Piece::Pick)
    }

    /// The text of a call.
    #[must_use]
    pub(crate) fn fill(&self, chosen: Chosen) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(plain) => plain.clone(),
            Piece::Number => chosen.number.to_string(),
            Piece::Pick => chosen.pick.to_string(),
        };
        self.0.iter().map(piece).collect()
    }
}

/// What is wrong with a placeholder, in words.
pub(super) fn unknown(word: &str) -> String {
    let known: Vec<_> = PLACEHOLDERS.iter().map(|known| format!("`{{{known}}}`")).collect();
    format!(
        "`{{{word}}}` stands for nothing; there are {} (write `{{{{{word}}}}}` for the text itself)",
        known.join(" and ")
    )
}

/// The length of a word in brackets at the start of a text.
fn word(text: &str, open: &str, close: &str) -> Option<usize> {
    let inner = text.strip_prefix(open)?;
    let letters = inner.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    (letters > 0 && inner[letters..].starts_with(close)).then_some(open.len() + letters + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let text = Text::parse("a-{pick}/{number} {{pick}} {\"json\": {}} {").unwrap();
        assert!(!text.is_fixed() && text.picks());
        assert_eq!(text.fill(Chosen { number: 7, pick: 3 }), "a-3/7 {pick} {\"json\": {}} {");
        assert!(Text::parse("{{name}}").unwrap().is_fixed());
        assert_eq!(Text::parse("{name} {pick} {x}").unwrap_err(), ["name", "x"]);
    }
}
