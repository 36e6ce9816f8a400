//! The options of the attribute.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::{
    Error, Expr, ExprLit, Ident, Lit, Path, Result, Signature, Token, ext::IdentExt as _, meta::ParseNestedMeta,
    parse::Parser as _,
};

use crate::bindings::mentions;

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) model: Option<Expr>,
    pub(crate) limiter: Option<Expr>,
    pub(crate) max_attempts: Option<Expr>,
    pub(crate) transient_attempts: Option<Expr>,
    pub(crate) when: Option<Expr>,
    pub(crate) classify: Option<Expr>,
    pub(crate) krate: Option<Path>,
    pub(crate) tokens: Option<Expr>,
    pub(crate) usage: Option<Expr>,
    pub(crate) priority: Option<Priority>,
    /// The bounds on waiting, in the order written.
    pub(crate) bounds: Vec<Bound>,
    /// The span of `stream`.
    pub(crate) stream: Option<Span>,
}

pub(crate) enum Priority {
    /// The variant named by one of the three words.
    Named(Ident),
    Expression(Expr),
}

/// One of `max_wait`, `max_queue`, `deadline`, and `bounded`, which has no value.
pub(crate) struct Bound {
    pub(crate) name: Ident,
    pub(crate) value: Option<Expr>,
}

const OPTIONS: &str = "`model`, `limiter`, `max_attempts`, `transient_attempts`, `when`, `classify`, `tokens`, `usage`, \
                     `stream`, `priority`, `max_wait`, `max_queue`, `deadline`, `bounded` and `crate`";

impl Args {
    pub(crate) fn parse(options: TokenStream) -> Result<Self> {
        if let Some(TokenTree::Literal(literal)) = options.clone().into_iter().next() {
            return Err(Error::new(literal.span(), format!("name the option: `model = {literal}`")));
        }
        let mut args = Self::default();
        syn::meta::parser(|meta| args.option(&meta)).parse2(options)?;
        Ok(args)
    }

    fn option(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("model") {
            exclude(meta, self.limiter.is_some(), "limiter")?;
            set(&mut self.model, meta, expression)
        } else if meta.path.is_ident("limiter") {
            exclude(meta, self.model.is_some(), "model")?;
            set(&mut self.limiter, meta, expression)
        } else if meta.path.is_ident("max_attempts") {
            set(&mut self.max_attempts, meta, attempts)
        } else if meta.path.is_ident("transient_attempts") {
            set(&mut self.transient_attempts, meta, expression)
        } else if meta.path.is_ident("when") {
            exclude(meta, self.classify.is_some(), "classify")?;
            set(&mut self.when, meta, expression)
        } else if meta.path.is_ident("classify") {
            exclude(meta, self.when.is_some(), "when")?;
            exclude(meta, self.stream.is_some(), "stream")?;
            set(&mut self.classify, meta, expression)
        } else if meta.path.is_ident("tokens") {
            set(&mut self.tokens, meta, expression)
        } else if meta.path.is_ident("usage") {
            set(&mut self.usage, meta, expression)
        } else if meta.path.is_ident("priority") {
            set(&mut self.priority, meta, priority)
        } else if meta.path.is_ident("max_wait") {
            self.bound_of(meta, wait)
        } else if meta.path.is_ident("max_queue") || meta.path.is_ident("deadline") {
            self.bound_of(meta, expression)
        } else if meta.path.is_ident("bounded") {
            self.bound(meta, |meta| flag(meta).map(|_| None))
        } else if meta.path.is_ident("stream") {
            exclude(meta, self.classify.is_some(), "classify")?;
            if self.stream.is_some() {
                return Err(meta.error("`stream` is given twice"));
            }
            self.stream = Some(flag(meta)?);
            Ok(())
        } else if meta.path.is_ident("crate") {
            set(&mut self.krate, meta, path)
        } else {
            Err(meta.error(format!("unknown option `{}`; the options are {OPTIONS}", name(meta))))
        }
    }
}

impl Args {
    fn bound_of(&mut self, meta: &ParseNestedMeta<'_>, parse: fn(&ParseNestedMeta<'_>) -> Result<Expr>) -> Result<()> {
        self.bound(meta, |meta| {
            let mut value = None;
            set(&mut value, meta, parse)?;
            Ok(value)
        })
    }

    fn bound(
        &mut self,
        meta: &ParseNestedMeta<'_>,
        value: impl FnOnce(&ParseNestedMeta<'_>) -> Result<Option<Expr>>,
    ) -> Result<()> {
        let name = meta.path.require_ident()?.clone();
        if self.bounds.iter().any(|bound| bound.name == name) {
            return Err(meta.error(format!("`{name}` is given twice")));
        }
        self.bounds.push(Bound { name, value: value(meta)? });
        Ok(())
    }
}

/// Parses an option without a value, and returns its span.
fn flag(meta: &ParseNestedMeta<'_>) -> Result<Span> {
    if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        return Err(meta.error(format!("`{}` takes no value", name(meta))));
    }
    Ok(meta.path.require_ident()?.span())
}

const PRIORITIES: &str = "a priority must be `high`, `normal` or `low`, or a `Priority`";

/// Returns an error if the priority is a word in lower case that is no argument of the function `signature`, as a misspelled
/// priority.
pub(crate) fn check_priority(priority: Option<&Priority>, signature: &Signature) -> Result<()> {
    let Some(Priority::Expression(Expr::Path(path))) = priority else { return Ok(()) };
    let is_word = |word: &&Ident| word.to_string().starts_with(char::is_lowercase);
    match path.path.get_ident().filter(is_word) {
        Some(word) if word != "self" && !mentions(&signature.inputs.to_token_stream(), word) => {
            Err(Error::new(word.span(), PRIORITIES))
        }
        _ => Ok(()),
    }
}

/// Parses `high`, `normal` or `low`, or else an expression.
fn priority(meta: &ParseNestedMeta<'_>) -> Result<Priority> {
    let value = meta.value()?;
    let ahead = value.fork();
    if let Ok(word) = ahead.call(Ident::parse_any)
        && (ahead.is_empty() || ahead.peek(Token![,]))
        && let Some(variant) = [("high", "High"), ("normal", "Normal"), ("low", "Low")]
            .iter()
            .find_map(|(known, variant)| (word == known).then_some(variant))
    {
        value.call(Ident::parse_any)?;
        return Ok(Priority::Named(Ident::new(variant, word.span())));
    }
    let priority: Expr = value.parse()?;
    if let Expr::Lit(_) = priority {
        return Err(Error::new_spanned(priority, PRIORITIES));
    }
    Ok(Priority::Expression(priority))
}

/// Converts a literal number of seconds to a `Duration`. Other expressions are kept.
pub(crate) fn seconds(value: &Expr) -> TokenStream {
    match value {
        Expr::Lit(ExprLit { lit: lit @ Lit::Int(number), .. }) if number.suffix().is_empty() => {
            quote_spanned!(lit.span()=> ::core::time::Duration::from_secs(#lit))
        }
        Expr::Lit(ExprLit { lit: lit @ Lit::Float(number), .. }) if number.suffix().is_empty() => {
            quote_spanned!(lit.span()=> ::core::time::Duration::from_secs_f64(#lit))
        }
        other => quote_spanned!(syn::spanned::Spanned::span(other)=> #other),
    }
}

fn set<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    parse: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(meta.error(format!("`{}` is given twice", name(meta))));
    }
    let ahead = meta.input.fork();
    if ahead.parse::<Token![=]>().is_err() || ahead.is_empty() || ahead.peek(Token![,]) {
        return Err(meta.error(format!("`{0}` needs a value: `{0} = ...`", name(meta))));
    }
    *slot = Some(parse(meta)?);
    Ok(())
}

fn exclude(meta: &ParseNestedMeta<'_>, other_is_given: bool, other: &str) -> Result<()> {
    if other_is_given {
        return Err(meta.error(format!("`{}` and `{other}` cannot be combined", name(meta))));
    }
    Ok(())
}

fn expression(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    meta.value()?.parse()
}

fn path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let unlike = |error: Error| Error::new(error.span(), "`crate` must be a path: `crate = ::ratellmiter_core`");
    meta.value()?.call(Path::parse_mod_style).map_err(unlike)
}

fn attempts(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    let value = expression(meta)?;
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_digits() == "0" => {
            Err(Error::new(number.span(), "`max_attempts` must be at least 1"))
        }
        _ => Ok(value),
    }
}

fn wait(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    let value = expression(meta)?;
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. })
            if number.suffix().is_empty() && Duration::try_from_secs_f64(number.base10_parse()?).is_err() =>
        {
            Err(Error::new(number.span(), "`max_wait` is too large for a `Duration`"))
        }
        _ => Ok(value),
    }
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>().join("::")
}

/// Creates an identifier that cannot collide with one of the user.
pub(crate) fn ident(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
