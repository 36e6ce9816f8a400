//! The parts of the expansion that return a stream or an iterator with the ticket of the call.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, Type, spanned::Spanned as _};

use super::{Expansion, named, relocated, rewrapped, stream_type};
use crate::{
    args::ident,
    function::{Shape, associated},
    types::{inferred, is_result},
};

impl Expansion<'_> {
    /// The statement that ends an attempt with a stream, which is returned with the ticket, and the expression of the result of the
    /// function from a refused result.
    pub(super) fn start_stream(&self, call: &Ident, out: &Ident, classification: &Ident) -> (TokenStream, TokenStream) {
        let Self { krate, function, .. } = self;
        let [stream, error] = ["stream", "error"].map(ident);
        let produced = function.produced();
        let (reading, read) = self.read_item(&stream);
        let (started, rewrapped) = if function.returns_iterator() {
            let boxed = || quote!(#krate::__private::rewrapped_iterator(#stream));
            let rewrapped = named(produced).map_or_else(|| quote!(#stream), |_| boxed());
            (quote!(#krate::__private::Call::start_iterator(&mut #call, #classification, #stream, #read)), rewrapped)
        } else {
            let rewrapped = match function.shape {
                // The lazy stream around it is rewrapped.
                Shape::Plain => quote!(#stream),
                _ => rewrapped(krate, produced, quote!(#stream)),
            };
            (
                quote!(#krate::__private::Call::start_stream(&mut #call, #classification, #stream, #read).await),
                rewrapped,
            )
        };
        if !produced.is_some_and(is_result) {
            let settled = self.settled(&stream, &started, &rewrapped);
            let kept = self.can_fail().map(|_| quote!(let #out = #stream;));
            return (quote!(let #stream = #out; #reading #settled #kept), quote!({ let #stream = #out; #rewrapped }));
        }
        let (ok, err) = (quote!(#krate::__private::Ok), quote!(#krate::__private::Err));
        let settled = self.settled(&stream, &started, &quote!(#ok(#rewrapped)));
        let on_stream = quote!(#reading #settled);
        let none = quote!(#krate::__private::Option::None);
        let failed = quote!(#krate::__private::Call::settle(&mut #call, #classification, #none, #error));
        let on_error = self.settled(&error, &failed, &quote!(#err(#error)));
        let settled = quote! {
            let #out = match #out {
                #ok(#stream) => { #on_stream #ok(#stream) }
                #err(#error) => { #on_error #err(#error) }
            };
        };
        let result = quote! {
            match #out {
                #ok(#stream) => #ok(#rewrapped),
                #err(#error) => #err(#error),
            }
        };
        (settled, result)
    }

    /// The statement that gives the items of an `impl Stream` or `impl Iterator` the type of the signature, which the body may
    /// leave to be inferred from it.
    fn with_items(&self, stream: &Ident) -> Option<TokenStream> {
        let Self { krate, function, .. } = self;
        let items = associated(stream_type(function.produced())?, "Item")?;
        let ty = inferred(items);
        let checked = if function.returns_iterator() { quote!(iterator_of) } else { quote!(stream_of) };
        let checked = relocated(quote!(#krate::__private::#checked), items.span());
        Some(quote!(let #stream = #checked::<#ty, _>(#stream);))
    }

    /// The statements that prepare the reading of the items of the attempt's `stream`, and the closure that reads one of them. The
    /// user's `usage` is evaluated once for each attempt, so that it can keep a state.
    fn read_item(&self, stream: &Ident) -> (TokenStream, TokenStream) {
        let Self { krate, args, function } = self;
        let [item, events, read_usage, value] = ["item", "events", "read_usage", "value"].map(ident);
        let into_named = |ty: &Type| {
            let into_named = if function.returns_iterator() {
                quote!(#krate::__private::NamedIterator::into_named(#stream))
            } else {
                quote!(#krate::__private::NamedStream::into_stream(#stream))
            };
            let into_named = relocated(into_named, ty.span());
            quote!(let #stream = #into_named;)
        };
        let unwrapped = named(function.produced()).map(into_named).or_else(|| self.with_items(stream));
        let events_of_stream = quote!(#unwrapped let mut #events = #krate::__private::StreamEvents::new(););
        let Some(usage) = &args.usage else {
            let read = quote!(move |#item: &_| #krate::__private::stream_item!(&mut #events, #item));
            return (events_of_stream, read);
        };
        let items = if function.returns_iterator() {
            quote!(#krate::__private::items_of_iterator(&#stream))
        } else {
            quote!(#krate::__private::items_of_stream(&#stream))
        };
        let called = relocated(quote!(#krate::__private::usage_by_item), usage.span());
        let by = quote_spanned!(usage.span()=> #called(#krate::__private::items!(#items), #usage));
        let by_user = relocated(quote!(#read_usage(#value)), usage.span());
        let read = quote! {
            move |#item: &_| #krate::__private::stream_item!(&mut #events, #item, #value => #by_user)
        };
        (quote!(#events_of_stream let mut #read_usage = #by;), read)
    }
}
