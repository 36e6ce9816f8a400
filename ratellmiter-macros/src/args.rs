//! The options of the attribute.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Error, Expr, ExprLit, Lit, Path, Result, Token, meta::ParseNestedMeta, parse::Parser as _};

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) model: Option<Expr>,
    pub(crate) limiter: Option<Expr>,
    pub(crate) max_attempts: Option<Expr>,
    pub(crate) when: Option<Expr>,
    pub(crate) classify: Option<Expr>,
    pub(crate) krate: Option<Path>,
}

const KNOWN: &str = "`model`, `limiter`, `max_attempts`, `when`, `classify` and `crate`";

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
            refuse_both(meta, self.limiter.is_some(), "limiter")?;
            set(&mut self.model, meta, expression)
        } else if meta.path.is_ident("limiter") {
            refuse_both(meta, self.model.is_some(), "model")?;
            set(&mut self.limiter, meta, expression)
        } else if meta.path.is_ident("max_attempts") {
            set(&mut self.max_attempts, meta, attempts)
        } else if meta.path.is_ident("when") {
            refuse_both(meta, self.classify.is_some(), "classify")?;
            set(&mut self.when, meta, expression)
        } else if meta.path.is_ident("classify") {
            refuse_both(meta, self.when.is_some(), "when")?;
            set(&mut self.classify, meta, expression)
        } else if meta.path.is_ident("crate") {
            set(&mut self.krate, meta, path)
        } else {
            Err(meta.error(format!("unknown option `{}`; known are {KNOWN}", name(meta))))
        }
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

fn refuse_both(meta: &ParseNestedMeta<'_>, other_given: bool, other: &str) -> Result<()> {
    if other_given {
        return Err(meta.error(format!("`{}` and `{other}` exclude each other", name(meta))));
    }
    Ok(())
}

fn expression(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    meta.value()?.parse()
}

fn path(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let unlike = |error: Error| Error::new(error.span(), "`crate` is a path: `crate = ::ratellmiter_core`");
    meta.value()?.call(Path::parse_mod_style).map_err(unlike)
}

fn attempts(meta: &ParseNestedMeta<'_>) -> Result<Expr> {
    let value = expression(meta)?;
    match &value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.base10_digits() == "0" => {
            Err(Error::new(number.span(), "a call is sent at least once: `max_attempts` is 1 or more"))
        }
        _ => Ok(value),
    }
}

fn name(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>().join("::")
}

/// Generated names never meet the user's.
pub(crate) fn ident(name: &str) -> syn::Ident {
    syn::Ident::new(name, Span::mixed_site())
}
