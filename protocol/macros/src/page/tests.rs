use quote::quote;

use super::*;

fn errors(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    let mut errors = Errors::default();
    let function = Function::parse(item, &KIND, &mut errors);
    let (pattern, _) = parse(attribute, &mut errors);
    check(&function.expect("it is a function"), pattern.as_ref(), &mut errors);
    errors.texts()
}

fn home(parameters: &TokenStream) -> TokenStream {
    quote!(async fn home(cx: &PageContext, #parameters) -> Result<Html, PageError> {})
}

#[test]
fn a_parameter_of_the_path_may_go_unused_but_not_the_other_way_round() {
    assert_eq!(errors(quote!("/{user}/{id}"), home(&quote!(id: u64))), [""; 0]);
    let told = errors(quote!("/{user}"), home(&quote!(id: u64)));
    assert!(told[0].contains("the path \"/{user}\" has no `{id}`"), "{told:?}");
}

#[test]
fn a_page_without_path_is_asked_for_one() {
    for attribute in [quote!(), quote!(uncached), quote!(tags = ["a"])] {
        let told = errors(attribute, home(&quote!()));
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("at which path is this page?"), "{told:?}");
    }
}

#[test]
fn words_come_after_the_path() {
    let mut errors = Errors::default();
    let (pattern, settings) = parse(quote!("/", tags = ["a", "b"], ttl = "10m"), &mut errors);
    assert_eq!(errors.texts(), [""; 0]);
    assert_eq!(pattern.map(|pattern| pattern.value()).as_deref(), Some("/"));
    assert_eq!(settings.tags.len(), 2);
    assert_eq!(settings.ttl, Some(Duration::from_mins(10)));
}

#[test]
fn a_parameter_named_by_a_word_of_rust_is_found() {
    assert_eq!(errors(quote!("/{type}"), home(&quote!(r#type: String))), [""; 0]);
}

#[test]
fn words_about_stale_renders_are_understood() {
    let understood = |words| {
        let mut errors = Errors::default();
        let (_, settings) = parse(words, &mut errors);
        assert_eq!(errors.texts(), [""; 0]);
        settings
    };
    let settings = understood(quote!(
        "/",
        ttl = "1m",
        stale_while_revalidate = "2m",
        stale_if_error = "3m",
        fenced = 503
    ));
    assert_eq!(settings.stale_while_revalidate, Some(Duration::from_mins(2)));
    assert_eq!(settings.stale_if_error, Some(Duration::from_mins(3)));
    assert_eq!(settings.fenced, Fenced::Refuse);
    assert_eq!(understood(quote!("/")).fenced, Fenced::Render);
    assert_eq!(understood(quote!("/", fenced = render)).fenced, Fenced::Render);
    assert_eq!(understood(quote!("/", fenced = stale)).fenced, Fenced::Stale);
}

#[test]
fn words_that_do_not_go_together_are_told() {
    for (words, message) in [
        (quote!("/", stale_while_revalidate = "1m"), "`stale_while_revalidate` begins where `ttl` ends"),
        (quote!("/", stale_if_error = "1m", uncached), "`stale_if_error` begins where `ttl` ends"),
        (quote!("/", uncached, ttl = "1m"), "`ttl` says what becomes of a render that is kept"),
        (quote!("/", fenced = stale, uncached), "`fenced` says what becomes of a render that is kept"),
        (quote!("/", fenced = "stale"), "`fenced` takes `render`, `503` or `stale`"),
        (quote!("/", fenced = maybe), "`fenced` takes `render`, `503` or `stale`"),
    ] {
        let mut errors = Errors::default();
        parse(words, &mut errors);
        let told = errors.texts();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(message), "{told:?}");
    }
}
