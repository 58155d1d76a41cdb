//! The function under an attribute: what both attributes ask of it.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, Item, ItemFn, Pat, PatType, PathArguments, ReturnType, Safety,
    Type,
};

use crate::{errors::Errors, type_text::type_text};

/// What an attribute calls its functions and what it gives them.
pub(crate) struct Kind {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// The type that the first parameter borrows.
    pub(crate) context: &'static str,
    /// What that parameter is for.
    pub(crate) context_use: &'static str,
    /// Where the other parameters come from.
    pub(crate) source: &'static str,
}

/// A parameter after the context.
pub(crate) struct Parameter {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// Its `#[bound]`, if it has one.
    pub(crate) bound: Option<Attribute>,
}

impl Parameter {
    /// The `T` of a parameter that is a `Rest<T>`.
    pub(crate) fn rest(&self) -> Option<&Type> {
        generic_arguments(&self.ty, "Rest").and_then(|arguments| arguments.first().copied())
    }

    /// The name without `r#`.
    pub(crate) fn text(&self) -> String {
        plain_name(&self.name)
    }
}

/// A function and its parameters, in order. Its `#[bound]`s are taken off.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) parameters: Vec<Parameter>,
}

impl Function {
    /// Reads the item under the attribute and notes every mistake in its signature. `None`: it is no function.
    pub(crate) fn parse(tokens: TokenStream, kind: &Kind, errors: &mut Errors) -> Option<Self> {
        let attribute = kind.attribute;
        let item: ItemFn = match syn::parse2(tokens.clone()) {
            Ok(item) => item,
            Err(error) => {
                let message = format!("`#[{attribute}]` marks an `async fn` and nothing else");
                let other = syn::parse2::<Item>(tokens);
                errors.push(other.map_or(error, |other| syn::Error::new_spanned(other, message)));
                return None;
            }
        };
        check_qualifiers(&item, kind, errors);
        check_output(&item, errors);
        let mut function = Self { item, parameters: Vec::new() };
        function.parse_parameters(kind, errors);
        Some(function)
    }

    fn parse_parameters(&mut self, kind: &Kind, errors: &mut Errors) {
        let mut inputs = self.item.sig.inputs.iter_mut().peekable();
        match inputs.peek_mut() {
            Some(FnArg::Receiver(receiver)) => {
                let Kind { attribute, .. } = kind;
                let message = format!(
                    "`#[{attribute}]` marks a function of its own, outside any `impl` and without `self`; what it \
                     needs of the application it gets from `cx.state()`"
                );
                errors.at(receiver, message);
                inputs.next();
            }
            Some(FnArg::Typed(first)) if is_context(&first.ty) => {
                check_context(first, kind, errors);
                inputs.next();
            }
            Some(FnArg::Typed(first)) => errors.at(&*first, context_missing(&self.item.sig.ident, kind)),
            None => errors.at(&self.item.sig.ident, context_missing(&self.item.sig.ident, kind)),
        }
        for input in inputs {
            if let FnArg::Typed(input) = input
                && let Some(parameter) = parse_parameter(input, kind, errors)
            {
                self.parameters.push(parameter);
            }
        }
    }

    /// The function's name without `r#`.
    pub(crate) fn text(&self) -> String {
        plain_name(&self.item.sig.ident)
    }

    /// Whether it stands in an `impl`, where no struct can stand in for it.
    pub(crate) fn is_method(&self) -> bool {
        self.item.sig.receiver().is_some()
    }
}

fn check_qualifiers(item: &ItemFn, Kind { attribute, .. }: &Kind, errors: &mut Errors) {
    let signature = &item.sig;
    let name = &signature.ident;
    if signature.asyncness.is_none() {
        let message =
            format!("`{name}` is not async; write `async fn {name}`, also where nothing is awaited yet");
        errors.at(signature.fn_token, message);
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.at(
            token,
            format!("`#[{attribute}]` calls the function from safe code, so it cannot be `unsafe`"),
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, format!("`#[{attribute}]` marks plain Rust functions; leave `extern` out"));
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        let message = format!(
            "`{name}` is generic, but a request names no types, so there would be nothing to fill them in with; write \
             one function for each type"
        );
        errors.at(generics, message);
    }
}

/// The answer outlives the call: it may borrow only what lives as long as the program.
fn check_output(item: &ItemFn, errors: &mut Errors) {
    let ReturnType::Type(_, output) = &item.sig.output else { return };
    if borrows_briefly(output) {
        errors.at(
            output,
            "the answer is sent after the function ended, so it cannot borrow; return owned values",
        );
    }
}

fn check_context(first: &PatType, kind: &Kind, errors: &mut Errors) {
    let Kind { attribute, context, .. } = kind;
    let lent = match &*first.ty {
        Type::Reference(reference) if reference.mutability.is_none() => is_named(&reference.elem, context),
        _ => false,
    };
    let named = matches!(&*first.pat, Pat::Wild(_)) || plain_identifier(&first.pat).is_some();
    if !lent {
        let message = format!(
            "`#[{attribute}]` lends its function the context: write `&{context}` here instead of `{}`",
            type_text(&first.ty)
        );
        errors.at(&first.ty, message);
    } else if !named {
        errors.at(&first.pat, "give the context a plain name, such as `cx`");
    }
}

fn context_missing(name: &Ident, Kind { context, context_use, .. }: &Kind) -> String {
    format!("the first parameter is the context, {context_use}: write `async fn {name}(cx: &{context}, …)`")
}

fn parse_parameter(input: &mut PatType, kind: &Kind, errors: &mut Errors) -> Option<Parameter> {
    let bound = input.attrs.iter().position(|attribute| attribute.path().is_ident("bound"));
    let bound = bound.map(|index| input.attrs.remove(index));
    if let Some(conditional) = input.attrs.iter().find(|other| is_conditional(other)) {
        let message =
            "the client counts parameters, so none of them is conditional; put `#[cfg]` on the function";
        errors.at(conditional, message);
    }
    check_type(&input.ty, kind, errors);
    let Some(name) = plain_identifier(&input.pat) else {
        let message = format!(
            "every parameter has a plain name, which the manifest shows; write `name: {}` and take it apart inside \
             the function",
            type_text(&input.ty)
        );
        errors.at(&input.pat, message);
        return None;
    };
    Some(Parameter { name: name.clone(), ty: (*input.ty).clone(), bound })
}

fn check_type(ty: &Type, Kind { source, .. }: &Kind, errors: &mut Errors) {
    if let Type::Reference(reference) = ty {
        let owned = match &*reference.elem {
            Type::Slice(slice) => format!("Vec<{}>", type_text(&slice.elem)),
            text if is_named(text, "str") => "String".to_owned(),
            other => type_text(other),
        };
        let borrowed = type_text(ty);
        errors.at(
            ty,
            format!("{source}, so nobody is there to lend it; write `{owned}` instead of `{borrowed}`"),
        );
        return;
    }
    let tokens = flat(ty.to_token_stream());
    if tokens.iter().any(|token| is_punct(token, '&')) {
        errors.at(ty, format!("{source}, so nobody is there to lend it; use a type without `&`"));
    } else if tokens.iter().any(|token| is_word(token, "impl")) {
        errors
            .at(ty, "`impl` makes the function generic, but a request names no types; write the type itself");
    }
}

/// Whether a type borrows anything for less than the whole program.
fn borrows_briefly(ty: &Type) -> bool {
    let tokens = flat(ty.to_token_stream());
    let is_static = |start: usize| match tokens.get(start..start + 2) {
        Some([apostrophe, lifetime]) => is_punct(apostrophe, '\'') && is_word(lifetime, "static"),
        _ => false,
    };
    tokens.iter().enumerate().any(|(index, token)| is_punct(token, '&') && !is_static(index + 1))
}

/// The tokens, those inside brackets too. Recurses once per bracket; the compiler has read the same brackets before.
fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => all.extend(flat(group.stream())),
            other => all.push(other),
        }
    }
    all
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_conditional(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr")
}

/// Whether the parameter means to be a context, the right one or not.
fn is_context(ty: &Type) -> bool {
    let inner = match ty {
        Type::Reference(reference) => &*reference.elem,
        other => other,
    };
    last_segment(inner).is_some_and(|segment| segment.ident.to_string().ends_with("Context"))
}

/// Whether the type is a path that ends in this name.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == name)
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        _ => None,
    }
}

/// The type arguments of a path that ends in this name.
pub(crate) fn generic_arguments<'a>(ty: &'a Type, name: &str) -> Option<Vec<&'a Type>> {
    let segment = last_segment(ty).filter(|segment| segment.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return Some(Vec::new());
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some(types.collect())
}

fn plain_identifier(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}

fn plain_name(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}
