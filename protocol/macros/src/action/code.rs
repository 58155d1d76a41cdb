//! What `#[action]` writes.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, spanned::Spanned};

use super::{
    Action,
    settings::{Access, Order},
};
use crate::{
    expand::{self, at},
    function::{Function, Parameter},
    type_text::type_text,
};

/// Arguments that have a bit each in the info byte.
const ARGUMENTS_WITH_A_BIT: usize = 6;

impl Action {
    pub(super) fn code(&self) -> TokenStream {
        let function = &self.function.item;
        let name = &function.sig.ident;
        let subject = subject(&self.function);
        let serialize = serialize(&self.function);
        let conditions = expand::conditions(function);
        let entry = self.entry();
        let register = expand::register("ACTIONS", "ActionEntry");
        quote! {
            #subject
            #serialize

            #(#conditions)*
            const _: () = {
                static CALLBOARD_ENTRY: ::callboard::__private::ActionEntry = #entry;
                #register

                #[automatically_derived]
                impl ::callboard::Action for #name {
                    fn entry(&self) -> &'static ::callboard::__private::ActionEntry {
                        &CALLBOARD_ENTRY
                    }
                }

                // Clients call it, so it counts as used although no Rust code may name it.
                const _: #name = #name;
            };
        }
    }

    fn entry(&self) -> TokenStream {
        let settings = &self.settings;
        let location = expand::location(&self.function.text());
        let name = settings.name.as_ref().map_or_else(|| location.clone(), |name| quote!(#name));
        let place = expand::place(&self.function.item);
        let info = info_byte(&self.function.parameters);
        let guard = expand::option(self.guard());
        let class = self.class();
        let arguments = self.function.parameters.iter().map(|parameter| {
            let (name, type_name) = (parameter.text(), type_text(&parameter.ty));
            let bound = parameter.bound.is_some();
            quote!(::callboard::__private::ArgumentEntry { name: #name, type_name: #type_name, bound: #bound })
        });
        let timeout = expand::duration(settings.timeout);
        let body_bytes_max = expand::option(settings.body_bytes_max.as_ref().map(|bytes| quote!(#bytes)));
        let idempotent = settings.idempotent;
        let revalidates = &settings.revalidates;
        let run = self.run();
        quote! {
            ::callboard::__private::ActionEntry {
                name: #name,
                location: #location,
                #place
                krate: ::core::env!("CARGO_PKG_NAME"),
                info: #info,
                guard: #guard,
                class: #class,
                arguments: &[#(#arguments),*],
                timeout: #timeout,
                body_bytes_max: #body_bytes_max,
                idempotent: #idempotent,
                revalidates: &[#(#revalidates),*],
                run: #run,
            }
        }
    }

    fn guard(&self) -> Option<TokenStream> {
        let Access::Guard(path) = &self.settings.access else { return None };
        let name = type_text(path);
        let check = quote_spanned! {at(path.span())=> |cx| ::std::boxed::Box::pin(#path(cx)) };
        Some(quote!(::callboard::__private::Guard { name: #name, check: #check }))
    }

    fn class(&self) -> TokenStream {
        let (key, index) = match &self.settings.order {
            Order::Plain => return quote!(::callboard::__private::Class::Plain),
            Order::Serial => return quote!(::callboard::__private::Class::Serial),
            Order::Keyed { key, parameter } => (key, *parameter),
        };
        let (before, parameter) = (&self.function.parameters[..index], &self.function.parameters[index]);
        let cursor = Ident::new("cursor", Span::mixed_site());
        let skips = before.iter().filter(|before| before.bound.is_some() == parameter.bound.is_some());
        let skip =
            Ident::new(if parameter.bound.is_some() { "skip_bound" } else { "skip" }, Span::mixed_site());
        let skips = skips.map(|_| quote!(#cursor.#skip();));
        let (name, take) = (&parameter.name, take(parameter, &cursor));
        // All of it in the author's own place, so that an error underlines the whole expression.
        let borrowed = quote_spanned!(key.span()=> &#key);
        quote_spanned! {Span::mixed_site()=>
            ::callboard::__private::Class::Keyed(|arguments| {
                fn key<Key: ::core::fmt::Display + ?::core::marker::Sized>(key: &Key) -> ::std::string::String {
                    ::std::string::ToString::to_string(key)
                }
                let mut cursor = ::callboard::__private::Cursor::new(arguments);
                #(#skips)*
                let #name = #take?;
                ::core::result::Result::Ok(key(#borrowed))
            })
        }
    }

    fn run(&self) -> TokenStream {
        let function = &self.function;
        let name = &function.item.sig.ident;
        let values = expand::values(function.parameters.len());
        let decode = decode(&function.parameters, &values);
        let span = expand::output_span(&function.item);
        let settle = if self.settings.errors_are_values {
            // Named by its path: what is no `Result` is then told as a mismatch of types.
            quote_spanned!(span=> ::callboard::__private::Output::settle_as_value(output, cx))
        } else {
            quote_spanned!(span=> output.settle(cx))
        };
        quote_spanned! {Span::mixed_site()=>
            |cx, arguments| ::std::boxed::Box::pin(async move {
                #[allow(unused_imports)]
                use ::callboard::__private::PlainOutput as _;
                #decode
                // What was sent may be large; the function has its own copy by now.
                ::core::mem::drop(arguments);
                let output = ::callboard::__private::Output(#name::call(&cx, #(#values),*).await);
                #settle
            })
        }
    }
}

fn decode(parameters: &[Parameter], values: &[Ident]) -> TokenStream {
    if parameters.is_empty() {
        return TokenStream::new();
    }
    let cursor = Ident::new("cursor", Span::mixed_site());
    let takes = parameters.iter().map(|parameter| take(parameter, &cursor));
    quote_spanned! {Span::mixed_site()=>
        // A parameter that needs a value which has not arrived is waited for.
        let decoded = ::callboard::__private::decoded(&arguments, |#cursor| {
            ::core::result::Result::Ok((#(#takes?,)*))
        });
        let (#(#values,)*) = match decoded.await {
            ::core::result::Result::Ok(values) => values,
            ::core::result::Result::Err(error) => return ::callboard::__private::mismatch(cx, error),
        };
    }
}

/// Takes one parameter from the cursor. The type is the author's own tokens: an error in it is shown there.
fn take(parameter: &Parameter, cursor: &Ident) -> TokenStream {
    let ty = &parameter.ty;
    let span = at(ty.span());
    match (parameter.rest(), &parameter.bound) {
        (Some(item), _) => quote_spanned! {span=> #cursor.rest::<#item>() },
        (None, Some(_)) => quote_spanned! {span=> #cursor.bound::<#ty>() },
        (None, None) => quote_spanned! {span=> #cursor.next::<#ty>() },
    }
}

/// Which arguments clients send: bits 6 to 1 for the first six, bit 0 for those after them.
///
/// A client leaves out what has no bit, so a `Rest` sets the bit of every place that it may reach. All bound values
/// travel as one argument, the first.
pub(super) fn info_byte(parameters: &[Parameter]) -> u8 {
    let bound = usize::from(parameters.iter().any(|parameter| parameter.bound.is_some()));
    let sent = bound + parameters.iter().filter(|parameter| parameter.bound.is_none()).count();
    if sent > ARGUMENTS_WITH_A_BIT || parameters.iter().any(|parameter| parameter.rest().is_some()) {
        return 0x7f;
    }
    (0..sent).fold(0, |byte, argument| byte | 0x40 >> argument)
}

/// The method that captures values, if the function asks for any.
fn bind(function: &Function) -> TokenStream {
    let bound: Vec<_> = function.parameters.iter().filter(|parameter| parameter.bound.is_some()).collect();
    if bound.is_empty() {
        return TokenStream::new();
    }
    let visibility = &function.item.vis;
    let (names, types): (Vec<_>, Vec<_>) =
        bound.iter().map(|parameter| (&parameter.name, &parameter.ty)).unzip();
    // An error about a value is shown at its type.
    let values = bound.iter().map(|Parameter { name, ty, .. }| {
        let mut value = name.clone();
        value.set_span(name.span().located_at(ty.span()));
        value
    });
    let values = quote_spanned!(bound[0].ty.span()=> &(#(#values,)*));
    quote! {
        /// The action with these values captured. A page's form carries them sealed: whoever sends it can neither
        /// read nor change them.
        #[must_use]
        #[allow(clippy::trivially_copy_pass_by_ref, clippy::ptr_arg, clippy::ref_option)]
        #visibility fn bind(self, #(#names: &#types),*) -> ::callboard::Bound<Self> {
            ::callboard::Bound::new(self, ::callboard::__private::bound_values(#values))
        }
    }
}

/// The struct for an action. Pages name it as a value, in `cx.form(sign)`.
fn subject(function: &Function) -> TokenStream {
    expand::subject(&function.item, &quote!(;), &bind(function))
}

/// An action can be returned: the client gets a function that calls it.
fn serialize(function: &Function) -> TokenStream {
    let name = &function.item.sig.ident;
    let conditions = expand::conditions(&function.item);
    quote! {
        #(#conditions)*
        #[automatically_derived]
        impl ::callboard::__private::serde::Serialize for #name {
            fn serialize<S: ::callboard::__private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                ::callboard::__private::serialize_action(self, serializer)
            }
        }
    }
}

/// Enough code for the rest of the application to compile while the function has mistakes.
pub(super) fn stand_in(function: &Function) -> TokenStream {
    let name = &function.item.sig.ident;
    let subject = subject(function);
    let serialize = serialize(function);
    let conditions = expand::conditions(&function.item);
    quote! {
        #subject
        #serialize

        #(#conditions)*
        impl ::callboard::Action for #name {
            fn entry(&self) -> &'static ::callboard::__private::ActionEntry {
                ::core::unreachable!("it does not compile")
            }
        }
    }
}
