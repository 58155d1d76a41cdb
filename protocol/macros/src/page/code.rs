//! What `#[page]` writes.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Ident, ItemFn, spanned::Spanned};

use super::Page;
use crate::expand::{self, at};

/// The struct for a page. No code names a page as a value, so a variable may have its name: a page `post` will
/// often have a `let post`.
pub(super) fn subject(function: &ItemFn) -> TokenStream {
    expand::subject(function, &quote!({}), &TokenStream::new())
}

impl Page {
    pub(super) fn code(&self) -> TokenStream {
        let function = &self.function.item;
        let name = &function.sig.ident;
        let subject = subject(function);
        let conditions = expand::conditions(function);
        let entry = self.entry();
        let register = expand::register("PAGES", "PageEntry");
        quote! {
            #subject

            #(#conditions)*
            const _: () = {
                static CALLBOARD_ENTRY: ::callboard::__private::PageEntry = #entry;
                #register

                // Clients ask for it, so it counts as used although no Rust code may name it.
                const _: #name = #name {};
            };
        }
    }

    fn entry(&self) -> TokenStream {
        let Self { function, pattern, settings } = self;
        let location = expand::location(&function.text());
        let place = expand::place(&function.item);
        let tags = &settings.tags;
        let ttl = expand::duration(settings.ttl);
        let stale_while_revalidate = expand::duration(settings.stale_while_revalidate);
        let stale_if_error = expand::duration(settings.stale_if_error);
        let fenced = Ident::new(&format!("{:?}", settings.fenced), Span::call_site());
        let cached = !settings.uncached;
        let render = self.render();
        quote! {
            ::callboard::__private::PageEntry {
                pattern: #pattern,
                location: #location,
                #place
                tags: &[#(#tags),*],
                ttl: #ttl,
                stale_while_revalidate: #stale_while_revalidate,
                stale_if_error: #stale_if_error,
                fenced: ::callboard::__private::Fenced::#fenced,
                cached: #cached,
                render: #render,
            }
        }
    }

    fn render(&self) -> TokenStream {
        let function = &self.function;
        let name = &function.item.sig.ident;
        let values = expand::values(function.parameters.len());
        let cx = Ident::new("cx", Span::mixed_site());
        let parsed = function.parameters.iter().map(|parameter| {
            let (ty, text) = (&parameter.ty, parameter.text());
            quote_spanned! {at(ty.span())=> ::callboard::__private::path_parameter::<#ty>(#cx, #text) }
        });
        let span = expand::output_span(&function.item);
        let call = quote_spanned!(span=> #name::call(#cx, #(#values),*).await);
        // Named by its path and not called as a method: then an error of the wrong type is told as just that.
        let settle = quote_spanned!(span=>
            ::callboard::__private::PageOutput::settle(::callboard::__private::PageOutput(output))
        );
        quote_spanned! {Span::mixed_site()=>
            |#cx| ::std::boxed::Box::pin(async move {
                #(
                    let #values = match #parsed {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(not_found) => return not_found,
                    };
                )*
                let output: ::core::result::Result<::callboard::Html, _> = #call;
                #settle
            })
        }
    }
}
