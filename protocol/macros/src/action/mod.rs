//! `#[action]`: a function that clients call.

mod code;
mod settings;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use self::settings::Settings;
use crate::{
    errors::Errors,
    function::{Function, Kind, Parameter},
};

const KIND: Kind = Kind {
    attribute: "action",
    context: "ActionContext",
    context_use: "which tells who is calling and takes what is to happen afterwards (cookies, redirect, revalidation)",
    source: "an argument arrives over the network",
};

/// Everything the attribute was told, without mistakes.
struct Action {
    function: Function,
    settings: Settings,
}

/// The code for the function, or its mistakes and as much code as keeps further errors away.
pub(crate) fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let function = Function::parse(item.clone(), &KIND, &mut errors);
    let Some(function) = function else {
        let errors = errors.into_compile_errors();
        return quote!(#errors #item);
    };
    check_names(&function, &mut errors);
    check_order(&function.parameters, &mut errors);
    let settings = Settings::parse(attribute, &function, &mut errors);
    match (settings, errors.into_compile_errors()) {
        (Some(settings), None) => Action { function, settings }.code(),
        (_, errors) => {
            let code = function.is_method().then(|| function.item.to_token_stream());
            let code = code.unwrap_or_else(|| code::stand_in(&function));
            quote!(#errors #code)
        }
    }
}

/// rustc's own words for it speak of a unit struct that the author never wrote.
fn check_names(function: &Function, errors: &mut Errors) {
    let name = &function.item.sig.ident;
    for parameter in function.parameters.iter().filter(|parameter| parameter.name == *name) {
        let message = format!("a parameter of `{name}` cannot be named `{name}` too; rename one of them");
        errors.at(&parameter.name, message);
    }
}

/// Bound parameters, then arguments, then the rest.
fn check_order(parameters: &[Parameter], errors: &mut Errors) {
    let mut first_argument = None;
    for (index, parameter) in parameters.iter().enumerate() {
        let name = parameter.text();
        match (&parameter.bound, &first_argument) {
            (Some(bound), _) if bound.meta.require_path_only().is_err() => {
                errors.at(bound, "`#[bound]` takes nothing; its value comes from `.bind(…)` in a page");
            }
            (Some(bound), Some(argument)) => {
                let message = format!(
                    "`{name}` is bound, so it stands before `{argument}`: what a page captured comes before what the \
                     client sends"
                );
                errors.at(bound, message);
            }
            (Some(_), None) => {}
            (None, _) => first_argument = first_argument.or_else(|| Some(name.clone())),
        }
        if crate::function::generic_arguments(&parameter.ty, "Rest").is_none() {
            continue;
        }
        if index + 1 < parameters.len() {
            let message = format!(
                "`{name}` takes all arguments that are left, so it comes last; one argument that is a list is a \
                 `Vec<T>`"
            );
            errors.at(&parameter.ty, message);
        } else if parameter.rest().is_none() {
            errors.at(&parameter.ty, "`Rest` takes the type of its items, as in `Rest<u64>`");
        } else if let Some(bound) = &parameter.bound {
            errors.at(bound, "`Rest` takes what the client sends and cannot be bound; bind a `Vec<T>`");
        }
    }
}
