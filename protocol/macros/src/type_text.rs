//! A type as a person writes it; the manifest shows it.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

/// The type's text, without the blanks that printing tokens puts between them.
pub(crate) fn type_text(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.into_token_stream(), &mut text);
    text
}

/// Recurses once per bracket; the compiler has read the same brackets before.
fn write(tokens: TokenStream, text: &mut String) {
    let mut after_word = false;
    let mut in_arrow = false;
    for token in tokens {
        match token {
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if after_word {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
                after_word = true;
            }
            TokenTree::Punct(punct) => {
                let (char, joint) = (punct.as_char(), punct.spacing() == Spacing::Joint);
                let arrow_ends = in_arrow && char == '>';
                in_arrow = char == '-' && joint;
                let lifetime = char == '\'';
                if lifetime && after_word || in_arrow || matches!(char, '+' | '=') {
                    text.push(' ');
                }
                text.push(char);
                if arrow_ends || matches!(char, ',' | ';' | '+' | '=') {
                    text.push(' ');
                }
                after_word = false;
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
                after_word = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_reads_as_it_was_written() {
        for written in [
            "Form<NewEntry>",
            "Vec<(u64, [u8; 4])>",
            "Option<std::collections::BTreeMap<String, u8>>",
            "Box<dyn Fn(u8) -> u8 + Send>",
            "std::borrow::Cow<'static, str>",
            "&'static str",
            "&mut T",
            "Box<dyn Iterator<Item = u8>>",
        ] {
            let ty: syn::Type = syn::parse_str(written).unwrap();
            assert_eq!(type_text(ty), written);
        }
    }
}
