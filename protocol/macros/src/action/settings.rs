//! What stands in the parentheses of `#[action(…)]`.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::{Expr, Ident, LitStr, Path, UnOp};

use crate::{
    errors::Errors,
    function::Function,
    words::{self, Vocabulary, Word},
};

const VOCABULARY: Vocabulary = Vocabulary {
    attribute: "action",
    words: &[
        ("public", "public"),
        ("guard", "guard = signed_in"),
        ("key", "key = account"),
        ("serial", "serial"),
        ("timeout", r#"timeout = "2s""#),
        ("body_bytes_max", "body_bytes_max = 10_000_000"),
        ("idempotent", "idempotent"),
        ("revalidates", r#"revalidates = ["guestbook"]"#),
        ("name", r#"name = "guestbook.sign""#),
        ("errors", r#"errors = "value""#),
    ],
};

/// Who may call the action.
pub(super) enum Access {
    Public,
    Guard(Path),
}

/// Which calls wait for each other.
pub(super) enum Order {
    Plain,
    /// Those with the same value of this expression, which starts with the parameter at this index.
    Keyed {
        key: Expr,
        parameter: usize,
    },
    Serial,
}

/// The attribute's words, understood.
pub(super) struct Settings {
    pub(super) access: Access,
    pub(super) order: Order,
    pub(super) timeout: Option<Duration>,
    pub(super) body_bytes_max: Option<Expr>,
    pub(super) idempotent: bool,
    pub(super) revalidates: Vec<LitStr>,
    pub(super) name: Option<LitStr>,
    pub(super) errors_are_values: bool,
}

/// The words, before it is known whether they go together.
#[derive(Default)]
struct Given {
    public: Option<Ident>,
    guard: Option<Guard>,
    key: Option<(Ident, Expr)>,
    serial: Option<Ident>,
    timeout: Option<Duration>,
    body_bytes_max: Option<Expr>,
    idempotent: bool,
    revalidates: Vec<LitStr>,
    name: Option<LitStr>,
    errors_are_values: bool,
}

/// The word `guard` was given; its value may have been none.
struct Guard {
    path: Option<Path>,
}

impl Settings {
    /// `None`: there was a mistake, and it is noted.
    pub(super) fn parse(tokens: TokenStream, function: &Function, errors: &mut Errors) -> Option<Self> {
        let mut given = Given::default();
        let before = errors.count();
        let words = words::parse(tokens, &VOCABULARY, errors);
        // A word that was not understood may have been the one that is missed.
        let understood = errors.count() == before;
        for word in words {
            given.take(word, function, errors);
        }
        let access = given.access(errors);
        if understood && given.public.is_none() && given.guard.is_none() {
            errors.push(syn::Error::new(Span::call_site(), access_missing(&function.text())));
        }
        let order = given.order(function, errors);
        Some(Self {
            access: access?,
            order: order?,
            timeout: given.timeout,
            body_bytes_max: given.body_bytes_max,
            idempotent: given.idempotent,
            revalidates: given.revalidates,
            name: given.name,
            errors_are_values: given.errors_are_values,
        })
    }
}

impl Given {
    fn take(&mut self, word: Word, function: &Function, errors: &mut Errors) {
        match word.name.to_string().as_str() {
            "public" => self.public = Some(word.name),
            "guard" => self.guard = Some(Guard { path: errors.keep(word.function()) }),
            "key" => self.key = Some((word.name.clone(), word.into_value())),
            "serial" => self.serial = Some(word.name),
            "timeout" => self.timeout = errors.keep(word.duration()),
            "body_bytes_max" => self.body_bytes_max = errors.keep(word.bytes()),
            "idempotent" => self.idempotent = true,
            "revalidates" => self.revalidates = errors.keep(word.texts()).unwrap_or_default(),
            "name" => self.name = errors.keep(word.text()),
            "errors" => self.errors_are_values = errors.keep(errors_are_values(&word, function)).is_some(),
            other => unreachable!("the vocabulary has no word {other:?}"),
        }
    }

    fn access(&self, errors: &mut Errors) -> Option<Access> {
        match (&self.public, &self.guard) {
            (Some(public), Some(_)) => {
                let message = "`public` lets everybody in and `guard` does not; keep the one that is meant";
                errors.at(public, message);
                None
            }
            (Some(_), None) => Some(Access::Public),
            (None, Some(Guard { path })) => path.clone().map(Access::Guard),
            (None, None) => None,
        }
    }

    fn order(&mut self, function: &Function, errors: &mut Errors) -> Option<Order> {
        match (self.key.take(), self.serial.take()) {
            (None, None) => Some(Order::Plain),
            (None, Some(_)) => Some(Order::Serial),
            (Some((name, _)), Some(_)) => {
                let message = "`key` lets calls with different keys run at once and `serial` does not; keep the one \
                               that is meant";
                errors.at(name, message);
                None
            }
            (Some((_, key)), None) => {
                let parameter = parameter_of(&key, function);
                if parameter.is_none() {
                    errors.at(&key, key_without_parameter(function));
                }
                parameter.map(|parameter| Order::Keyed { key, parameter })
            }
        }
    }
}

fn access_missing(name: &str) -> String {
    format!(
        "who may call `{name}`? Anybody on the network can send a call, so the attribute says it:\n\
         \n    #[action(public)]              everybody may, signed in or not\
         \n    #[action(guard = signed_in)]   those that this function lets in, before their arguments are decoded:\n\
         \n    async fn signed_in(cx: &GuardContext) -> Result<Principal, Refusal> {{\
         \n        let account = cx.signed_cookie(\"account\").ok_or_else(Refusal::unauthorized)?;\
         \n        Ok(Principal::new(account))\
         \n    }}\n"
    )
}

fn errors_are_values(word: &Word, function: &Function) -> syn::Result<()> {
    let text = word.text()?;
    if text.value() != "value" {
        let message = "`errors` takes \"value\" alone: an `Err` is then answered as `{ok: false, error}`; without the \
                       word it is thrown at the caller";
        return Err(syn::Error::new_spanned(text, message));
    }
    if matches!(function.item.sig.output, syn::ReturnType::Default) {
        let message = format!("`{}` returns no `Result`, so it has no errors to answer", function.text());
        return Err(syn::Error::new_spanned(&word.name, message));
    }
    Ok(())
}

fn key_without_parameter(function: &Function) -> String {
    let name = function.text();
    let names: Vec<_> =
        function.parameters.iter().map(|parameter| format!("`{}`", parameter.text())).collect();
    if names.is_empty() {
        return format!(
            "`key` starts with a parameter, but `{name}` has none; for one call at a time write `serial`"
        );
    }
    let names = names.join(", ");
    format!(
        "`key` starts with a parameter of the function, as in `key = account` or `key = order.account`; those of \
         `{name}` are {names}"
    )
}

/// Where in the list of parameters the one stands that an expression starts with.
fn parameter_of(key: &Expr, function: &Function) -> Option<usize> {
    let root = root(key)?;
    function.parameters.iter().position(|parameter| parameter.name == *root)
}

/// `order` in `order.account.to_lowercase()`.
fn root(mut expression: &Expr) -> Option<&Ident> {
    loop {
        expression = match expression {
            Expr::Path(path) => return path.path.get_ident(),
            Expr::Field(field) => &field.base,
            Expr::MethodCall(call) => &call.receiver,
            Expr::Index(index) => &index.expr,
            Expr::Paren(paren) => &paren.expr,
            Expr::Group(group) => &group.expr,
            Expr::Reference(reference) => &reference.expr,
            Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => &unary.expr,
            _ => return None,
        }
    }
}
