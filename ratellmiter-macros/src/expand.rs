//! The expansion: a loop around the function's body, which runs once for each attempt.

mod rejection;
mod stream;

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Error, Expr, Ident, Result, Stmt, Type, spanned::Spanned as _};

use crate::{
    args::{Args, Priority, check_priority, ident, seconds},
    bindings::{Binding, bind},
    function::{Function, Shape},
    types::{self, has_opaque, inferred, is_result, local},
};

/// Expands the attribute with `options` on the function `item`.
///
/// ```text
/// Input:
///     #[ratellmiter(model = "gpt-4o")]
///     async fn ask(prompt: String) -> Result<String, E> { BODY }
///
/// Output:
///     async fn ask(prompt: String) -> Result<String, E> {
///         let reject = ::ratellmiter_core::__private::rejection!(Result<String, E>);
///         let mut call = ::ratellmiter_core::__private::model(&("gpt-4o")).can_fail(reject.is_some());
///         let kept0 = prompt;
///         if let Err(rejected) = call.acquire().await {
///             if let Some(reject) = reject { return reject(rejected); }
///         }
///         loop {
///             let kept = {
///                 let prompt = <String as Clone>::clone(&kept0);
///                 let out = call.attempt(async {
///                     if false { return ::ratellmiter_core::__private::never::<Result<String, E>>(); }
///                     { BODY }
///                 }).await;
///                 let classification = ::ratellmiter_core::__private::classification!(&out);
///                 let usage = ::ratellmiter_core::__private::usage!(&out);
///                 call.returns_stream(::ratellmiter_core::__private::is_stream!(&out));
///                 let out = match call.settle(classification, usage, out) {
///                     Break(out) => return out,
///                     Continue(out) => out,
///                 };
///                 ::ratellmiter_core::__private::kept!(out, reject.is_some())
///             };
///             if let Err(rejected) = call.acquire().await {
///                 if let Some(out) = ::ratellmiter_core::__private::into_out(kept) { return out; }
///                 if let Some(reject) = reject { return reject(rejected); }
///             }
///         }
///     }
/// ```
///
/// The methods of the call are written as paths, so that no trait of the user can offer others of the same names.
///
/// `rejection!` finds whether the error type is `From<Rejected>`, so that calls can fail while the limiter is closed. A refused
/// call then returns its own error, which `kept!` keeps if it is `Send`. The return that is never taken gives `?` and `return` in
/// the body their type. In a plain function the loop calls `call.blocking_acquire()` and the body is in a closure. In a function
/// that returns a future the loop is in an `async
/// move` block, and the body, which creates a new future for each attempt, is in a closure.
pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function = Function::parse(item)?;
    let args = Args::parse(options.clone())?;
    function.check()?;
    if let (Some(when), None) = (&args.when, function.output()) {
        return Err(Error::new_spanned(
            when,
            "`when` classifies the error of a `Result`, and this function returns nothing",
        ));
    }
    check_priority(args.priority.as_ref(), &function.item.sig)?;
    if let (Some(bound), None) = (args.bounds.first(), function.produced()) {
        let message = format!("`{}` rejects calls with an error, and this function returns none", bound.name);
        return Err(Error::new(bound.name.span(), message));
    }
    if let Some(stream) = args.stream {
        function.check_stream(stream, !args.bounds.is_empty())?;
    }
    let krate = args.krate.as_ref().map_or_else(|| quote!(::ratellmiter_core), |path| quote!(#path));
    let bindings = bind(&mut function.item.sig, options);
    let call = Expansion { krate: &krate, args: &args, function: &function }.call(&bindings);
    let statements = match function.shape {
        Shape::Plain if args.stream.is_some() && !function.returns_iterator() => {
            let [lazy] = ["lazy"].map(ident);
            let rewrapped = rewrapped(&krate, function.output(), quote!(#lazy));
            quote!(let #lazy = #krate::__private::lazy(async move { #call }); #rewrapped)
        }
        Shape::Async | Shape::Plain => call,
        Shape::Pinned => quote!(#krate::__private::Box::pin(async move { #call })),
        Shape::Boxed => quote!(#krate::__private::Box::new(#krate::__private::Box::pin(async move { #call }))),
        Shape::Opaque => quote!(#krate::__private::identity(async move { #call })),
    };
    function.item.block.stmts = vec![Stmt::Expr(Expr::Verbatim(statements), None)];
    Ok(function.item.into_token_stream())
}

struct Expansion<'a> {
    krate: &'a TokenStream,
    args: &'a Args,
    function: &'a Function,
}

impl Expansion<'_> {
    /// All statements of the function: the start of the call, and the loop over its attempts.
    fn call(&self, bindings: &[Binding]) -> TokenStream {
        let Self { krate, function, .. } = self;
        let [call, out, classification, usage] = ["call", "out", "classification", "usage"].map(ident);
        let (start, conversion) = (self.start(), self.conversion());
        let first = self.acquire(&call, None);
        let (classified, used) = (self.classification(&out), self.usage(&quote!(&#out)));
        let once = bindings.iter().map(|binding| &binding.once);
        let each = bindings.iter().map(|binding| &binding.each);
        if function.diverges() {
            let body = &function.body;
            return quote!(let mut #call = #start; #(#once)* #first #(#each)* #body);
        }
        let body = self.body(&call);
        let (end, result) = if self.args.stream.is_some() {
            self.start_stream(&call, &out, &classification)
        } else {
            let krate = self.krate;
            let settled = quote!(#krate::__private::Call::settle(&mut #call, #classification, #usage, #out));
            let settled = self.settled(&out, &settled, &quote!(#out));
            let is_stream = quote!(#krate::__private::is_stream!(&#out));
            let checked = quote!(#krate::__private::Call::returns_stream(&mut #call, #is_stream));
            (quote!(let #usage = #used; #checked; #settled), quote!(#out))
        };
        // It is never taken. With it the compiler infers the types inside of an `impl Trait` from the signature before the result
        // is classified.
        let typed = (self.args.stream.is_none() && function.produced().is_some_and(has_opaque))
            .then(|| quote!(if false { return #out; }));
        let attempt = quote! {
            #(#each)*
            #[allow(clippy::redundant_async_block, clippy::redundant_closure_call)]
            let #out = #body;
            #typed
            let #classification = #classified;
            #end
        };
        // The block ends the lifetime of the values of the attempt before the call waits again.
        let attempt = if let Some(can_fail) = self.can_fail() {
            let [kept] = ["kept"].map(ident);
            let again = self.acquire(&call, Some((&kept, &out, &result)));
            quote! {
                let #kept = {
                    #attempt
                    #krate::__private::kept!(#out, #can_fail)
                };
                #again
            }
        } else {
            let again = self.acquire(&call, None);
            quote!({ #attempt } #again)
        };
        quote! {
            #conversion
            let mut #call = #start;
            #(#once)*
            #first
            loop {
                #attempt
            }
        }
    }

    /// The statement that ends an attempt by `settled`, and binds the result of a refused one to `out` if it may be kept. Another
    /// attempt returns `result`, the result of the function from `out`.
    fn settled(&self, out: &Ident, settled: &TokenStream, result: &TokenStream) -> TokenStream {
        let krate = self.krate;
        if self.can_fail().is_none() {
            return quote!(if let #krate::__private::Break(#out) = #settled { return #result; });
        }
        quote! {
            let #out = match #settled {
                #krate::__private::Break(#out) => return #result,
                #krate::__private::Continue(#out) => #out,
            };
        }
    }

    /// The expression for the usage that the value behind the reference `out` shows.
    fn usage(&self, out: &TokenStream) -> TokenStream {
        let Self { krate, args, .. } = self;
        let Some(usage) = &args.usage else {
            return quote!(#krate::__private::usage!(#out));
        };
        let value = ident("value");
        let called = relocated(quote!(#krate::__private::usage_by), usage.span());
        let by = quote_spanned!(usage.span()=> #called(#value, #usage));
        quote!(#krate::__private::usage!(#out, #value => #by))
    }

    /// The expression that starts the call.
    fn start(&self) -> TokenStream {
        let Self { krate, args, .. } = self;
        let start = match (&args.limiter, &args.model) {
            (Some(limiter), _) => {
                quote_spanned!(limiter.span()=> #krate::__private::limiter(&(#limiter)))
            }
            (None, Some(model)) => {
                quote_spanned!(model.span()=> #krate::__private::model(&(#model)))
            }
            (None, None) => quote!(#krate::__private::model("default")),
        };
        let attempts =
            args.max_attempts.iter().map(|attempts| quote_spanned!(attempts.span()=> .max_attempts(#attempts)));
        let transient = args
            .transient_attempts
            .iter()
            .map(|attempts| quote_spanned!(attempts.span()=> .transient_attempts(#attempts)));
        let options = self.options();
        let can_fail = self.rejecting().map(|_| {
            let [reject] = ["reject"].map(ident);
            quote!(.can_fail(#krate::__private::Option::is_some(&#reject)))
        });
        quote!(#start #(#attempts)* #(#transient)* #options #can_fail)
    }

    /// The method call that sets the options of the tickets, if there are any.
    fn options(&self) -> Option<TokenStream> {
        let Self { krate, args, .. } = self;
        if args.tokens.is_none() && args.priority.is_none() && args.bounds.is_empty() {
            return None;
        }
        let tokens = args.tokens.iter().map(|tokens| quote_spanned!(tokens.span()=> .estimate(#tokens)));
        let priority = args.priority.iter().map(|priority| match priority {
            Priority::Named(variant) => quote!(.priority(#krate::__private::Priority::#variant)),
            Priority::Expression(priority) => quote_spanned!(priority.span()=> .priority(#priority)),
        });
        let bounds = args.bounds.iter().filter_map(|bound| {
            let (name, value) = (&bound.name, bound.value.as_ref()?);
            let value = if name == "max_wait" { seconds(value) } else { value.into_token_stream() };
            Some(quote_spanned!(name.span()=> .#name(#value)))
        });
        let bounded = !args.bounds.is_empty();
        Some(
            quote!(.with_options(#krate::__private::AcquireOptions::new() #(#tokens)* #(#priority)* #(#bounds)*, #bounded)),
        )
    }

    /// The expression that classifies the result `out`.
    fn classification(&self, out: &Ident) -> TokenStream {
        let Self { krate, args, function } = self;
        let by_type = quote!(#krate::__private::classification!(&#out));
        if let Some(classify) = &args.classify {
            let called = relocated(quote!(#krate::__private::classify), classify.span());
            return quote!(match #called(&#out, #classify) {
                #krate::__private::Option::Some(#out) => #out,
                #krate::__private::Option::None => #by_type,
            });
        }
        let Some(when) = &args.when else { return by_type };
        // A type other than `Result` is an error at the return type; a wrong parameter of `when` is one at `when`.
        let at_output = function.output().map_or_else(|| when.span(), Type::span);
        let (mut out, located) = (out.clone(), Span::mixed_site().located_at(at_output));
        out.set_span(located);
        let out = quote_spanned!(located=> &#out);
        let called = relocated(quote!(#krate::__private::when), when.span());
        quote_spanned!(when.span()=> #called(#out, #when))
    }

    /// The expression that runs the user's body once.
    fn body(&self, call: &Ident) -> TokenStream {
        let (Function { body, shape, .. }, krate) = (self.function, self.krate);
        let output = self.function.output();
        match shape {
            Shape::Async => {
                let never = self.never();
                quote!(#krate::__private::Call::attempt(&#call, async { #never #body }).await)
            }
            Shape::Plain if self.args.stream.is_some() && !self.function.returns_iterator() => {
                let ty = output.filter(|ty| !matches!(ty, Type::ImplTrait(_))).map(local).into_iter();
                quote!(#krate::__private::Call::attempt_blocking(&#call, || #(-> #ty)* #body))
            }
            Shape::Plain => {
                let ty = output.map(inferred).into_iter();
                quote!(#krate::__private::Call::attempt_blocking(&#call, || #(-> #ty)* #body))
            }
            Shape::Pinned | Shape::Boxed => {
                let ty = output.map(local);
                quote!(#krate::__private::Call::attempt(&#call, (|| -> #ty #body)()).await)
            }
            Shape::Opaque => {
                // A closure's return type cannot name the output of its future.
                let ty = self.function.produced().map_or_else(|| quote!(_), |ty| inferred(ty).into_token_stream());
                let future = quote!(#krate::__private::assert_output::<#ty, _>((|| #body)()));
                quote!(#krate::__private::Call::attempt(&#call, #future).await)
            }
        }
    }

    /// A return of the declared type that is never taken.
    fn never(&self) -> TokenStream {
        let krate = self.krate;
        let ty = self.function.output().map_or_else(|| quote!(()), |ty| inferred(ty).into_token_stream());
        quote! {
            if false {
                return #krate::__private::never::<#ty>();
            }
        }
    }
}

/// Returns the expression that converts a stream to the type of the signature, which is a box if it can be named.
fn rewrapped(krate: &TokenStream, ty: Option<&Type>, stream: TokenStream) -> TokenStream {
    match named(ty) {
        Some(ty) => relocated(quote!(#krate::__private::Rewrapped(#stream).rewrapped()), ty.span()),
        None => stream,
    }
}

/// Returns the type of the stream, without a `Result` around it.
fn stream_type(ty: Option<&Type>) -> Option<&Type> {
    ty.map(|ty| if is_result(ty) { types::first_argument(ty).unwrap_or(ty) } else { ty })
}

/// Returns the type of the stream, without a `Result` around it, if it can be named.
fn named(ty: Option<&Type>) -> Option<&Type> {
    stream_type(ty).filter(|ty| !matches!(ty, Type::ImplTrait(_)))
}

/// Moves the tokens to `span`, so that errors are shown there and not at the whole attribute.
fn relocated(tokens: TokenStream, span: Span) -> TokenStream {
    let relocate = |token: TokenTree| {
        let at = token.span().located_at(span);
        let mut token = match token {
            TokenTree::Group(group) => Group::new(group.delimiter(), relocated(group.stream(), span)).into(),
            token => token,
        };
        token.set_span(at);
        token
    };
    tokens.into_iter().map(relocate).collect()
}
