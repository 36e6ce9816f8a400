//! The parts of the expansion that wait for a ticket, and return a rejection.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Type};

use super::{Expansion, relocated};
use crate::{
    args::ident,
    function::Shape,
    types::{has_opaque_error, inferred, is_result},
};

impl Expansion<'_> {
    /// The expression of whether a rejection can be returned, or `None` if it certainly cannot.
    pub(super) fn can_fail(&self) -> Option<TokenStream> {
        if !self.args.bounds.is_empty() {
            return Some(quote!(true));
        }
        self.rejecting()?;
        let [reject] = ["reject"].map(ident);
        let krate = self.krate;
        Some(quote!(#krate::__private::Option::is_some(&#reject)))
    }

    /// The statement that finds how a rejection becomes the result of the function, unless an option requires that it does.
    pub(super) fn conversion(&self) -> Option<TokenStream> {
        let Self { krate, .. } = self;
        let [reject] = ["reject"].map(ident);
        let produced = inferred(self.rejecting()?);
        Some(quote!(let #reject = #krate::__private::rejection!(#produced);))
    }

    /// The type of the result that may be able to contain a rejection, without a bound.
    pub(super) fn rejecting(&self) -> Option<&Type> {
        if !self.args.bounds.is_empty() || self.function.diverges() {
            return None;
        }
        let is_stream = self.args.stream.is_some();
        let is_known = |ty: &&Type| !matches!(ty, Type::ImplTrait(_)) && !has_opaque_error(ty);
        self.function.produced().filter(|ty| is_known(ty) && (!is_stream || is_result(ty)))
    }

    /// The statement that waits for a ticket. `refused` are the name of the value that was kept of the last attempt, and the name of
    /// its result with the expression of the result of the function from it.
    pub(super) fn acquire(&self, call: &Ident, refused: Option<(&Ident, &Ident, &TokenStream)>) -> TokenStream {
        let Self { krate, args, function } = self;
        let [rejected, reject] = ["rejected", "reject"].map(ident);
        let blocks = function.shape == Shape::Plain && (args.stream.is_none() || function.returns_iterator());
        let acquire = if blocks {
            quote!(#krate::__private::Call::blocking_acquire(&mut #call))
        } else {
            quote!(#krate::__private::Call::acquire(&mut #call).await)
        };
        let refused = refused.map(|(kept, out, result)| {
            quote! {
                if let #krate::__private::Option::Some(#out) = #krate::__private::into_out(#kept) {
                    return #result;
                }
            }
        });
        if let Some(bound) = args.bounds.first() {
            let error = relocated(quote!(#krate::__private::from_rejected(#rejected)), bound.name.span());
            return quote! {
                if let #krate::__private::Err(#rejected) = #acquire {
                    #refused
                    return #error;
                }
            };
        }
        if self.rejecting().is_none() {
            // It is never rejected.
            return quote!(let _ = #acquire;);
        }
        quote! {
            if let #krate::__private::Err(#rejected) = #acquire {
                #refused
                if let #krate::__private::Option::Some(#reject) = #reject {
                    return #reject(#rejected);
                }
            }
        }
    }
}
