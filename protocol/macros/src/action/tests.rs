use quote::quote;

use super::{
    settings::{Access, Order},
    *,
};
use crate::type_text::type_text;

fn parsed(attribute: TokenStream, item: TokenStream) -> Result<Action, Vec<String>> {
    let mut errors = Errors::default();
    let function = Function::parse(item, &KIND, &mut errors).ok_or_else(Vec::new)?;
    check_order(&function.parameters, &mut errors);
    let settings = Settings::parse(attribute, &function, &mut errors);
    match (settings, errors.texts()) {
        (Some(settings), texts) if texts.is_empty() => Ok(Action { function, settings }),
        (_, texts) => Err(texts),
    }
}

fn accepted(attribute: TokenStream, item: TokenStream) -> Action {
    parsed(attribute, item).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn errors(attribute: TokenStream, item: TokenStream) -> Vec<String> {
    parsed(attribute, item).err().expect("it has a mistake")
}

fn transfer() -> TokenStream {
    quote! {
        async fn transfer(cx: &ActionContext, #[bound] draft: u64, order: Order, cents: u64) -> u64 { 0 }
    }
}

/// The parameter that a key starts with.
fn key_of(key: &TokenStream) -> Option<usize> {
    match parsed(quote!(public, key = #key), transfer()).ok()?.settings.order {
        Order::Keyed { parameter, .. } => Some(parameter),
        Order::Plain | Order::Serial => None,
    }
}

#[test]
fn a_key_starts_with_a_parameter() {
    assert_eq!(key_of(&quote!(draft)), Some(0));
    assert_eq!(key_of(&quote!(order.account)), Some(1));
    assert_eq!(key_of(&quote!((&*order.accounts)[0].id().to_lowercase())), Some(1));
    assert_eq!(key_of(&quote!(cents)), Some(2));
    for none in
        [quote!(account), quote!(module::order), quote!(f(order)), quote!("order"), quote!(order + cents)]
    {
        assert_eq!(key_of(&none), None, "{none}");
    }
}

#[test]
fn an_action_without_access_is_refused_and_both_ways_are_shown() {
    let told = errors(quote!(), transfer());
    assert_eq!(told.len(), 1);
    for part in ["who may call `transfer`?", "#[action(public)]", "#[action(guard = signed_in)]"] {
        assert!(told[0].contains(part), "{}", told[0]);
    }
}

/// `#[action(publik)]` is one mistake, not two.
#[test]
fn a_word_that_is_not_understood_may_have_been_the_missing_one() {
    assert_eq!(errors(quote!(publik), transfer()), ["unknown word `publik`; did you mean `public`?"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let told = errors(
        quote!(timeout = "soon", serial, serial, key = order),
        quote!(
            fn f<T>(order: &str, #[bound] draft: u64) {}
        ),
    );
    let parts = [
        "`f` is not async",
        "`f` is generic",
        "the first parameter is the context",
        "write `String` instead of `&str`",
        "`draft` is bound, so it stands before `order`",
        "`serial` is given twice",
        "not a time span",
        "`key` lets calls with different keys run at once",
    ];
    assert_eq!(told.len(), parts.len(), "{told:#?}");
    for (told, part) in told.iter().zip(parts) {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn every_word_is_read() {
    let attribute = quote!(
        guard = auth::signed_in,
        serial,
        timeout = "1m 30s",
        body_bytes_max = 2 * 1024,
        idempotent,
        revalidates = ["a", "b"],
        name = "bank.transfer",
        errors = "value",
    );
    let settings = accepted(attribute, transfer()).settings;
    assert!(matches!(settings.access, Access::Guard(path) if type_text(&path) == "auth::signed_in"));
    assert!(matches!(settings.order, Order::Serial));
    assert_eq!(settings.timeout, Some(std::time::Duration::from_secs(90)));
    assert_eq!(settings.body_bytes_max.map(type_text).as_deref(), Some("2*1024"));
    assert_eq!(settings.revalidates.iter().map(syn::LitStr::value).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(settings.name.map(|name| name.value()).as_deref(), Some("bank.transfer"));
    assert!(settings.idempotent && settings.errors_are_values);
}

/// A client leaves out what has no bit: a `Rest` in third place must not cost it places three to six.
#[test]
fn the_info_byte_has_a_bit_for_whatever_is_sent() {
    let byte = |parameters: TokenStream| {
        let item = quote!(async fn f(cx: &ActionContext, #parameters) {});
        code::info_byte(&accepted(quote!(public), item).function.parameters)
    };
    assert_eq!(byte(quote!()), 0x00);
    assert_eq!(byte(quote!(a: u8)), 0x40);
    assert_eq!(byte(quote!(a: u8, b: u8)), 0x60);
    assert_eq!(byte(quote!(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8)), 0x7e);
    assert_eq!(byte(quote!(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8, h: u8)), 0x7f);
    assert_eq!(byte(quote!(rest: Rest<u8>)), 0x7f);
    assert_eq!(byte(quote!(a: u8, b: u8, rest: callboard::Rest<u8>)), 0x7f);
    assert_eq!(byte(quote!(#[bound] a: u8)), 0x40);
    assert_eq!(byte(quote!(#[bound] a: u8, #[bound] b: u8, c: u8)), 0x60);
}

#[test]
fn broken_lists_of_words_are_told_and_never_a_panic() {
    for attribute in [
        quote!(,),
        quote!(public, ,),
        quote!(public serial),
        quote!(= public),
        quote!(public, key =),
        quote!(public, key = ,),
        quote!(guard = ),
        quote!(guard(x)),
        quote!("text"),
        quote!(public, revalidates = [1]),
        quote!(public, revalidates = [""]),
        quote!(public, name = " a"),
        quote!(public, timeout = ""),
    ] {
        assert!(!errors(attribute.clone(), transfer()).is_empty(), "{attribute}");
    }
}

#[test]
fn borrowing_is_allowed_for_ever_and_in_answers_alone() {
    let with_answer = |answer: TokenStream| {
        parsed(quote!(public), quote!(async fn f(cx: &ActionContext) -> #answer {})).is_ok()
    };
    assert!(with_answer(quote!(&'static str)));
    assert!(with_answer(quote!(Result<(&'static str, u8), Failure>)));
    assert!(!with_answer(quote!(&str)));
    assert!(!with_answer(quote!(Option<(u8, &'_ str)>)));
    let told = errors(
        quote!(public),
        quote!(
            async fn f(cx: &ActionContext, text: Option<&'static str>) {}
        ),
    );
    assert_eq!(
        told,
        ["an argument arrives over the network, so nobody is there to lend it; use a type without `&`"]
    );
}
