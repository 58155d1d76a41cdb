//! `#[page]`: a function that renders what stands at a path.

mod code;
mod pattern;
#[cfg(test)]
mod tests;

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{LitStr, ReturnType};

use crate::{
    errors::Errors,
    function::{Function, Kind, is_named},
    words::{self, Vocabulary, Word},
};

const KIND: Kind = Kind {
    attribute: "page",
    context: "PageContext",
    context_use: "which holds the request and prints forms",
    source: "a parameter is parsed out of the path",
};

const VOCABULARY: Vocabulary = Vocabulary {
    attribute: "page",
    words: &[
        ("tags", r#"tags = ["posts"]"#),
        ("ttl", r#"ttl = "10m""#),
        ("stale_while_revalidate", r#"stale_while_revalidate = "1m""#),
        ("stale_if_error", r#"stale_if_error = "1h""#),
        ("fenced", "fenced = stale"),
        ("uncached", "uncached"),
    ],
};

/// Everything the attribute was told, without mistakes.
struct Page {
    function: Function,
    pattern: LitStr,
    settings: Settings,
}

/// The attribute's words, understood.
#[derive(Default)]
struct Settings {
    tags: Vec<LitStr>,
    ttl: Option<Duration>,
    stale_while_revalidate: Option<Duration>,
    stale_if_error: Option<Duration>,
    fenced: Fenced,
    uncached: bool,
}

/// What a node does that cannot know whether its renders are fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fenced {
    #[default]
    Render,
    Refuse,
    Stale,
}

/// The code for the function, or its mistakes and as much code as keeps further errors away.
pub(crate) fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let function = Function::parse(item.clone(), &KIND, &mut errors);
    let (pattern, settings) = parse(attribute, &mut errors);
    let Some(function) = function else {
        let errors = errors.into_compile_errors();
        return quote!(#errors #item);
    };
    check(&function, pattern.as_ref(), &mut errors);
    match (pattern, errors.into_compile_errors()) {
        (Some(pattern), None) => Page { function, pattern, settings }.code(),
        (_, errors) => {
            let code = function.is_method().then(|| function.item.to_token_stream());
            let code = code.unwrap_or_else(|| code::subject(&function.item));
            quote!(#errors #code)
        }
    }
}

fn parse(attribute: TokenStream, errors: &mut Errors) -> (Option<LitStr>, Settings) {
    let (pattern, words) = words::parse_after_text(attribute, &VOCABULARY, errors);
    if pattern.is_none() {
        let message = "at which path is this page? Write it first, as in `#[page(\"/\")]` or `#[page(\"/posts/{id}\")]`";
        errors.push(syn::Error::new(Span::call_site(), message));
    }
    (pattern, understood(words, errors))
}

fn understood(words: Vec<Word>, errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    let given: Vec<_> = words.iter().map(|word| word.name.to_string()).collect();
    let is_given = |name: &str| given.iter().any(|given| given == name);
    for word in words {
        let name = word.name.to_string();
        match name.as_str() {
            "tags" => settings.tags = errors.keep(word.texts()).unwrap_or_default(),
            "uncached" => settings.uncached = true,
            "ttl" | "fenced" if is_given("uncached") => {
                errors.at(&word.name, format!("`{name}` {NOT_UNCACHED}"));
            }
            "ttl" => settings.ttl = errors.keep(word.duration()),
            "fenced" => settings.fenced = errors.keep(fenced(&word)).unwrap_or_default(),
            _ if !is_given("ttl") => errors.at(&word.name, format!("`{name}` {NEEDS_TTL}")),
            "stale_while_revalidate" => settings.stale_while_revalidate = errors.keep(word.duration()),
            "stale_if_error" => settings.stale_if_error = errors.keep(word.duration()),
            other => unreachable!("the vocabulary has no word {other:?}"),
        }
    }
    settings
}

fn fenced(word: &Word) -> syn::Result<Fenced> {
    match word.choice().as_deref() {
        Some("render") => Ok(Fenced::Render),
        Some("503") => Ok(Fenced::Refuse),
        Some("stale") => Ok(Fenced::Stale),
        _ => Err(word.expected("`render`, `503` or `stale`, without quotes")),
    }
}

const NOT_UNCACHED: &str =
    "says what becomes of a render that is kept, and `uncached` that none is; keep the one that is meant";
const NEEDS_TTL: &str = "begins where `ttl` ends; give a `ttl`, too";

fn check(function: &Function, pattern: Option<&LitStr>, errors: &mut Errors) {
    match &function.item.sig.output {
        ReturnType::Default => {
            let name = &function.item.sig.ident;
            errors.at(name, "a page returns what it renders: write `-> Result<Html, PageError>`");
        }
        ReturnType::Type(_, output) if is_named(output, "Html") => {
            errors.at(
                output,
                "a page may fail: write `Result<Html, PageError>`, and `Ok(html)` where it cannot",
            );
        }
        ReturnType::Type(..) => {}
    }
    for parameter in &function.parameters {
        if let Some(bound) = &parameter.bound {
            errors.at(bound, "`#[bound]` is for actions; a page's parameters come from its path");
        }
    }
    let Some(pattern) = pattern else { return };
    let names = match pattern::parameters(&pattern.value()) {
        Ok(names) => names,
        Err(error) => return errors.at(pattern, error),
    };
    for parameter in &function.parameters {
        let text = parameter.text();
        if !names.contains(&text) {
            let message = format!(
                "the path {:?} has no `{{{text}}}`; put it where the value stands, as in \"/posts/{{{text}}}\". What \
                 stands after `?` is read with `cx.query()`",
                pattern.value()
            );
            errors.at(&parameter.name, message);
        }
    }
}
