//! The types of the signature, in the forms that the expansion needs.

use syn::{
    BoundLifetimes, GenericArgument, GenericParam, Ident, Lifetime, PathArguments, Type, TypePath,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

/// Returns the type without parentheses, and without the invisible group that a macro puts around a `$ty`.
pub(crate) fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            ty => return ty,
        }
    }
}

/// Returns `true` if the name of the type is `Result`, or ends with it, as those of aliases do.
pub(crate) fn is_result(ty: &Type) -> bool {
    let Type::Path(TypePath { path, .. }) = ty else { return false };
    path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result"))
}

/// Returns `T` of `some::Name<T, E>`.
pub(crate) fn first_argument(ty: &Type) -> Option<&Type> {
    let Type::Path(TypePath { path, .. }) = ty else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(bare(ty)),
        _ => None,
    })
}

/// Returns the type with `_` for each `impl Trait`, which cannot be named.
pub(crate) fn inferred(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Infer::default().visit_type_mut(&mut ty);
    ty
}

/// Returns `true` if the type contains an `impl Trait`.
pub(crate) fn has_opaque(ty: &Type) -> bool {
    let mut infer = Infer::default();
    infer.visit_type_mut(&mut ty.clone());
    infer.found
}

/// Returns `true` if the error of a `Result` contains an `impl Trait`: a conversion to it is not known.
pub(crate) fn has_opaque_error(ty: &Type) -> bool {
    let Type::Path(TypePath { path, .. }) = ty else { return false };
    let Some(PathArguments::AngleBracketed(arguments)) = path.segments.last().map(|last| &last.arguments) else {
        return false;
    };
    arguments.args.iter().skip(1).any(|argument| matches!(argument, GenericArgument::Type(ty) if has_opaque(ty)))
}

/// Replaces each `impl Trait` by `_`.
#[derive(Default)]
struct Infer {
    found: bool,
}

impl VisitMut for Infer {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(_) = ty {
            *ty = syn::parse_quote_spanned!(ty.span()=> _);
            self.found = true;
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}

/// Returns the type of the boxed future of one attempt, which lives only as long as the attempt.
pub(crate) fn local(ty: &Type) -> Type {
    let mut ty = inferred(ty);
    Local::default().visit_type_mut(&mut ty);
    ty
}

/// Replaces lifetimes by `'_`.
#[derive(Default)]
struct Local {
    /// Lifetimes bound by a `for<'a>` in the type, which are kept.
    bound: Vec<Ident>,
}

impl VisitMut for Local {
    fn visit_bound_lifetimes_mut(&mut self, bound: &mut BoundLifetimes) {
        self.bound.extend(bound.lifetimes.iter().filter_map(|parameter| match parameter {
            GenericParam::Lifetime(parameter) => Some(parameter.lifetime.ident.clone()),
            _ => None,
        }));
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.bound.contains(&lifetime.ident) {
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
    }
}
