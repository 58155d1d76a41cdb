//! What both attributes write around the function.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, Ident, ItemFn, Pat, ReturnType, parse_quote, spanned::Spanned};

/// The struct that stands for the function, with the function itself as its `call`. Its body is `;` where the name
/// is to be a value too.
///
/// The function keeps its body, its documentation and its other attributes, also when there are mistakes to tell of:
/// an editor completes and checks the body meanwhile.
pub(crate) fn subject(function: &ItemFn, body: &TokenStream, more_methods: &TokenStream) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let name = &sig.ident;
    let documentation = attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let conditions = conditions(function);
    // Inside `impl name`, a parameter of that name would be taken for the struct.
    let callable = sig.inputs.iter().all(|input| match input {
        FnArg::Typed(input) => !matches!(&*input.pat, Pat::Ident(parameter) if parameter.ident == *name),
        FnArg::Receiver(_) => false,
    });
    let call = callable.then(|| {
        let mut sig = sig.clone();
        sig.ident = Ident::new("call", name.span());
        sig.asyncness.get_or_insert_with(|| parse_quote!(async));
        quote! {
            /// Runs the function itself, as a test does: nothing is verified, decoded or published.
            ///
            #(#attrs)*
            #[allow(clippy::unused_async)]
            #vis #sig #block
        }
    });
    quote! {
        #(#conditions)*
        #(#documentation)*
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name #body

        #(#conditions)*
        impl #name {
            #call
            #more_methods
        }
    }
}

/// The `#[cfg]`s below the attribute: they hold for everything that it writes.
pub(crate) fn conditions(function: &ItemFn) -> Vec<&Attribute> {
    function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect()
}

/// `crate::module::function`.
pub(crate) fn location(name: &str) -> TokenStream {
    quote!(::core::concat!(::core::module_path!(), "::", #name))
}

/// Puts the entry on the list that the linker gathers.
pub(crate) fn register(list: &str, entry: &str) -> TokenStream {
    let (list, entry) = (format_ident!("{list}"), format_ident!("{entry}"));
    quote! {
        // The list is a section of the binary, which only an unsafe attribute can name; nothing else in here is unsafe.
        #[allow(unsafe_code)]
        #[::callboard::__private::linkme::distributed_slice(::callboard::__private::#list)]
        #[linkme(crate = ::callboard::__private::linkme)]
        static CALLBOARD_REGISTERED: &::callboard::__private::#entry = &CALLBOARD_ENTRY;
    }
}

/// The fields of an entry that say where the function stands.
pub(crate) fn place(function: &ItemFn) -> TokenStream {
    let span = function.sig.ident.span();
    quote_spanned! {span=> file: ::core::file!(), line: ::core::line!(), }
}

/// An `Option<T>` in code.
pub(crate) fn option(value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(
        || quote!(::core::option::Option::None),
        |value| quote!(::core::option::Option::Some(#value)),
    )
}

/// An `Option<Duration>` in code.
pub(crate) fn duration(duration: Option<Duration>) -> TokenStream {
    option(duration.map(|duration| {
        let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
        quote!(::core::time::Duration::new(#seconds, #nanoseconds))
    }))
}

/// Names for the values of the parameters, which no name of the author can meet.
pub(crate) fn values(count: usize) -> Vec<Ident> {
    (0..count).map(|index| Ident::new(&format!("argument_{index}"), Span::mixed_site())).collect()
}

/// A place of the author's for errors, with the names of the attribute's own code.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// Where the return type stands, or the attribute where there is none.
pub(crate) fn output_span(function: &ItemFn) -> Span {
    match &function.sig.output {
        ReturnType::Type(_, output) => at(output.span()),
        ReturnType::Default => Span::mixed_site(),
    }
}
