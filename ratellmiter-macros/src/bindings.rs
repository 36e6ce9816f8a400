//! Arguments that each attempt can use as if it were the first.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Attribute, FnArg, Ident, Pat, PatIdent, PatType, Signature, Type, TypeReference, spanned::Spanned as _};

use crate::types::{bare, inferred};

/// The statements that bind one argument.
pub(crate) struct Binding {
    /// The statement before the first attempt.
    pub(crate) once: Option<TokenStream>,
    /// The statement in each attempt.
    pub(crate) each: TokenStream,
}

/// Removes patterns and `mut` from the signature, and returns the statements that bind the arguments.
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
/// Arguments passed by value are moved to another name, so that the function takes ownership of them. An argument that
/// `options` mention counts as used, even if the body does not use it.
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
    let mut moved_to = None;
    let value = match bare(&argument.ty) {
        // Shared references are copied. Without `mut` or a pattern, the name need not be bound again.
        Type::Reference(TypeReference { mutability: None, .. }) if is_plain(&pattern) => return None,
        Type::Reference(TypeReference { mutability: None, .. }) => quote!(#name),
        Type::Reference(TypeReference { mutability: Some(_), .. }) => quote!(&mut *#name),
        by_value => {
            let ty = inferred(by_value);
            let kept = Ident::new(&format!("kept{index}"), Span::mixed_site());
            moved_to = Some(kept.clone());
            quote_spanned!(by_value.span()=> <#ty as ::core::clone::Clone>::clone(&#kept))
        }
    };
    let is_condition = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let conditions: Vec<_> = argument.attrs.iter().filter(is_condition).collect();
    let used = mentions(options, &name).then(|| quote!(#(#conditions)* let _ = &#name;));
    let quiet = quote!(#[allow(clippy::shadow_unrelated, clippy::used_underscore_binding)]);
    Some(Binding {
        once: moved_to.map(|kept| quote!(#(#conditions)* #quiet let #kept = #name;)),
        each: quote!(#(#conditions)* #quiet let #pattern = #value; #used),
    })
}

fn is_plain(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(PatIdent { mutability: None, by_ref: None, subpat: None, .. }))
}

/// Returns `true` if `tokens` contain the identifier `name`.
pub(crate) fn mentions(tokens: &TokenStream, name: &Ident) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(&group.stream(), name),
        // A format string may contain it in braces.
        TokenTree::Literal(literal) => literal.to_string().contains(&format!("{{{name}")),
        TokenTree::Punct(_) => false,
    })
}
