//! Arguments that can be used anew by each attempt.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Attribute, FnArg, Ident, Pat, PatIdent, PatType, Signature, Type, TypeReference, spanned::Spanned as _};

use crate::types::{bare, inferred};

/// How one argument is bound.
pub(crate) struct Binding {
    /// Before the first attempt.
    pub(crate) once: Option<TokenStream>,
    /// In each.
    pub(crate) each: TokenStream,
}

/// Takes patterns and `mut` out of the signature, and gives the statements that bind them for one attempt.
///
/// ```text
/// Input:   prompt: String, (a, mut b): (A, B), mut rest: &str, buf: &mut Vec<u8>
/// Output:  prompt: String, arg1: (A, B),       rest: &str,     buf: &mut Vec<u8>
///   once:  let kept0 = prompt;
///          let kept1 = arg1;
///   each:  let prompt = <String as Clone>::clone(&kept0);
///          let (a, mut b) = <(A, B) as Clone>::clone(&kept1);
///          let mut rest = rest;
///          let buf = &mut *buf;
/// ```
///
/// What is passed by value is kept under another name, so that it counts as used up by the function.
///
/// An argument that `options` mention is used, even if the body does nothing with it.
pub(crate) fn bind(signature: &mut Signature, options: &TokenStream) -> Vec<Binding> {
    let arguments = signature.inputs.iter_mut().enumerate();
    arguments
        .filter_map(|(index, argument)| match argument {
            FnArg::Typed(argument) => bind_one(index, argument, options),
            FnArg::Receiver(_) => None,
        })
        .collect()
}

fn bind_one(index: usize, argument: &mut PatType, options: &TokenStream) -> Option<Binding> {
    let pattern = (*argument.pat).clone();
    let name = match &mut *argument.pat {
        Pat::Wild(_) => return None,
        Pat::Ident(PatIdent { by_ref: None, mutability, ident, subpat: None, .. }) => {
            *mutability = None;
            ident.clone()
        }
        other => {
            let name = Ident::new(&format!("arg{index}"), Span::mixed_site().located_at(other.span()));
            *other = syn::parse_quote!(#name);
            name
        }
    };
    let mut kept = None;
    let value = match bare(&argument.ty) {
        // Copied when the attempt begins; the same name again needs not even that.
        Type::Reference(TypeReference { mutability: None, .. }) if is_plain(&pattern) => return None,
        Type::Reference(TypeReference { mutability: None, .. }) => quote!(#name),
        Type::Reference(TypeReference { mutability: Some(_), .. }) => quote!(&mut *#name),
        by_value => {
            let ty = inferred(by_value);
            let kept_as = Ident::new(&format!("kept{index}"), Span::mixed_site());
            kept = Some(kept_as.clone());
            quote_spanned!(by_value.span()=> <#ty as ::core::clone::Clone>::clone(&#kept_as))
        }
    };
    let is_condition = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let conditions: Vec<_> = argument.attrs.iter().filter(is_condition).collect();
    let used = mentions(options, &name).then(|| quote!(#[allow(unused_variables)]));
    let quiet = quote!(#[allow(clippy::shadow_unrelated, clippy::used_underscore_binding)]);
    Some(Binding {
        once: kept.map(|kept| quote!(#(#conditions)* #quiet let #kept = #name;)),
        each: quote!(#(#conditions)* #used #quiet let #pattern = #value;),
    })
}

fn is_plain(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(PatIdent { mutability: None, by_ref: None, subpat: None, .. }))
}

fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        // A format string may have it in braces.
        TokenTree::Literal(literal) => literal.to_string().contains(&format!("{{{name}")),
        TokenTree::Punct(_) => false,
    })
}
