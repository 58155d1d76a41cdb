//! The list in an attribute's parentheses: words, some with a value.

use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Expr, ExprLit, Ident, Lit, LitStr, Path, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
};

use crate::errors::Errors;

/// Longer ones overflow clocks, and nobody waits that long.
const DURATION_MAX: Duration = Duration::from_hours(366 * 24);

/// The words that one attribute knows.
pub(crate) struct Vocabulary {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// A word and how it is written: the word alone, or with a value.
    pub(crate) words: &'static [(&'static str, &'static str)],
}

/// A word that the vocabulary knows, given once.
pub(crate) struct Word {
    pub(crate) name: Ident,
    example: &'static str,
    value: Option<Expr>,
}

/// Reads the words; what is no word of the vocabulary becomes an error and is passed over.
pub(crate) fn parse(tokens: TokenStream, vocabulary: &Vocabulary, errors: &mut Errors) -> Vec<Word> {
    let words = (|input: ParseStream| Ok(parse_list(input, vocabulary, errors))).parse2(tokens);
    words.expect("the list is read to its end")
}

/// As [`parse`], for an attribute that starts with text in quotes.
pub(crate) fn parse_after_text(
    tokens: TokenStream,
    vocabulary: &Vocabulary,
    errors: &mut Errors,
) -> (Option<LitStr>, Vec<Word>) {
    let parser = |input: ParseStream| {
        let text: Option<LitStr> = if input.peek(LitStr) { input.parse().ok() } else { None };
        if text.is_some() && !input.is_empty() {
            expect_comma(input, errors);
        }
        Ok((text, parse_list(input, vocabulary, errors)))
    };
    parser.parse2(tokens).expect("the list is read to its end")
}

fn parse_list(input: ParseStream, vocabulary: &Vocabulary, errors: &mut Errors) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    while !input.is_empty() {
        let parsed = parse_word(input, vocabulary);
        if parsed.is_err() {
            skip_to_comma(input);
        }
        if let Some(word) = errors.keep(parsed) {
            match words.iter().find(|earlier| earlier.name == word.name) {
                Some(_) => errors.at(&word.name, format!("`{}` is given twice; keep one of them", word.name)),
                None => words.push(word),
            }
        }
        if !input.is_empty() {
            expect_comma(input, errors);
        }
    }
    words
}

fn expect_comma(input: ParseStream, errors: &mut Errors) {
    if let Err(error) = input.parse::<Token![,]>() {
        errors.push(syn::Error::new(error.span(), "expected a comma here: words are separated by commas"));
        skip_to_comma(input);
        let _: Option<Token![,]> = input.parse().ok().flatten();
    }
}

fn skip_to_comma(input: ParseStream) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Option<TokenTree> = input.parse().ok();
    }
}

fn parse_word(input: ParseStream, vocabulary: &Vocabulary) -> syn::Result<Word> {
    let Ok(name) = input.call(Ident::parse_any) else {
        let (_, example) = vocabulary.words[0];
        return Err(
            input.error(format!("expected a word here, as in `#[{}({example})]`", vocabulary.attribute))
        );
    };
    let text = name.to_string();
    let Some((_, example)) = vocabulary.words.iter().find(|(known, _)| *known == text) else {
        return Err(syn::Error::new(name.span(), unknown(&text, vocabulary)));
    };
    let (equals, parenthesis) = (input.peek(Token![=]), input.peek(syn::token::Paren));
    let message = match (*example != text, equals) {
        (true, true) => {
            let _: Token![=] = input.parse()?;
            let value = input.parse().map_err(|_| value_missing(&name, example))?;
            return Ok(Word { name, example, value: Some(value) });
        }
        (true, false) if parenthesis => format!("`{text}` takes its value after `=`, as in `{example}`"),
        (true, false) => return Err(value_missing(&name, example)),
        (false, _) if equals || parenthesis => format!("`{text}` takes no value; write it alone"),
        (false, _) => return Ok(Word { name, example, value: None }),
    };
    Err(syn::Error::new(name.span(), message))
}

fn value_missing(name: &Ident, example: &str) -> syn::Error {
    syn::Error::new(name.span(), format!("`{name}` needs a value, as in `{example}`"))
}

fn unknown(text: &str, vocabulary: &Vocabulary) -> String {
    let known = vocabulary.words.iter().map(|(known, _)| *known);
    let nearest = known
        .clone()
        .map(|known| (known, strsim::jaro_winkler(text, known)))
        .filter(|(_, likeness)| *likeness > 0.8)
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    if let Some((nearest, _)) = nearest {
        return format!("unknown word `{text}`; did you mean `{nearest}`?");
    }
    let known: Vec<_> = known.map(|known| format!("`{known}`")).collect();
    format!("unknown word `{text}`; `#[{}]` knows {}", vocabulary.attribute, known.join(", "))
}

impl Word {
    /// The value of a word that takes one.
    pub(crate) fn into_value(self) -> Expr {
        self.value.expect("the parser gives every word the value that its example has")
    }

    /// A value that is a bare word or number.
    pub(crate) fn choice(&self) -> Option<String> {
        match self.value.as_ref()? {
            Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(crate) fn expected(&self, what: &str) -> syn::Error {
        let Self { name, example, value } = self;
        syn::Error::new_spanned(value, format!("`{name}` takes {what}, as in `{example}`"))
    }

    /// Text that says something.
    pub(crate) fn text(&self) -> syn::Result<LitStr> {
        let Some(text) = self.value.as_ref().and_then(literal) else {
            return Err(self.expected("text in quotes"));
        };
        let value = text.value();
        if value.is_empty() || value.trim() != value {
            let Self { name, example, .. } = self;
            let message = format!("`{name}` is empty or has blanks around it; write it as in `{example}`");
            return Err(syn::Error::new_spanned(text, message));
        }
        Ok(text.clone())
    }

    /// A time span above zero.
    pub(crate) fn duration(&self) -> syn::Result<Duration> {
        let text = self.text()?;
        let Self { name, example, .. } = self;
        let duration = humantime::parse_duration(&text.value()).map_err(|error| {
            let units = "a number and a unit (ms, s, m, h, d)";
            let message = format!("not a time span: {error}; `{name}` takes {units}, as in `{example}`");
            syn::Error::new_spanned(&text, message)
        })?;
        if duration.is_zero() || duration > DURATION_MAX {
            let message =
                format!("`{name}` is more than zero and at most a year; leave it out for the default");
            return Err(syn::Error::new_spanned(&text, message));
        }
        Ok(duration)
    }

    /// A list of texts.
    pub(crate) fn texts(&self) -> syn::Result<Vec<LitStr>> {
        let Some(Expr::Array(list)) = &self.value else {
            return Err(self.expected("a list in brackets"));
        };
        let mut texts = Vec::with_capacity(list.elems.len());
        for item in &list.elems {
            match literal(item) {
                Some(text) if !text.value().is_empty() => texts.push(text.clone()),
                _ => {
                    let Self { name, example, .. } = self;
                    let message =
                        format!("`{name}` lists texts in quotes, none of them empty, as in `{example}`");
                    return Err(syn::Error::new_spanned(item, message));
                }
            }
        }
        Ok(texts)
    }

    /// A number of bytes: any constant expression but text and zero.
    pub(crate) fn bytes(&self) -> syn::Result<Expr> {
        match &self.value {
            Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) if number.base10_digits() == "0" => {
                Err(self.expected("a number of bytes above zero"))
            }
            Some(Expr::Lit(ExprLit { lit, .. })) if !matches!(lit, Lit::Int(_)) => {
                Err(self.expected("a number of bytes"))
            }
            Some(value) => Ok(value.clone()),
            None => Err(self.expected("a number of bytes")),
        }
    }

    /// The path of a function.
    pub(crate) fn function(&self) -> syn::Result<Path> {
        match &self.value {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(path.path.clone()),
            _ => Err(self.expected("the path of a function, without quotes or parentheses")),
        }
    }
}

fn literal(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}
