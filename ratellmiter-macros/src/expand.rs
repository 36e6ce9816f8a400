//! The function around the function's body.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Error, Expr, Ident, Result, Stmt, Type, spanned::Spanned as _};

use crate::{
    args::{Args, Priority, ident, seconds},
    attempt::{Binding, bind},
    function::{Function, Shape},
    types::{self, inferred, is_result, local},
};

/// ```text
/// Input:
///     #[ratellmiter(model = "gpt-4o")]
///     async fn ask(prompt: String) -> Result<String, E> { BODY }
///
/// Output:
///     async fn ask(prompt: String) -> Result<String, E> {
///         let mut call = ::ratellmiter_core::__private::model(&("gpt-4o"));
///         let kept0 = prompt;
///         loop {
///             call.acquire().await;
///             let prompt = <String as Clone>::clone(&kept0);
///             let out = call.attempt(async {
///                 if false { let never: Result<String, E> = loop {}; return never; }
///                 { BODY }
///             }).await;
///             let opinion = ::ratellmiter_core::__private::classification!(&out);
///             let usage = ::ratellmiter_core::__private::usage!(&out);
///             if let Break(out) = call.settle(opinion, usage, out) { return out; }
///         }
///     }
/// ```
///
/// The return that is never taken gives `?` and `return` in the body their type. A plain function has
/// `call.blocking_acquire()` and the body in a closure; one that returns a future has the loop in an `async move` block
/// and the body, which makes a new future for each attempt, in a closure.
pub(crate) fn expand(options: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let mut function = Function::parse(item)?;
    let args = Args::parse(options.clone())?;
    function.check()?;
    if let (Some(when), None) = (&args.when, function.output()) {
        return Err(Error::new_spanned(
            when,
            "`when` judges the error of a `Result`, and this function returns nothing",
        ));
    }
    if let (Some(bound), None) = (args.bounds.first(), function.produced()) {
        let message = format!("`{}` turns calls away with an error, and this function returns none", bound.name);
        return Err(Error::new(bound.name.span(), message));
    }
    if let Some(stream) = args.stream {
        function.check_stream(stream, !args.bounds.is_empty())?;
    }
    let krate = args.krate.as_ref().map_or_else(|| quote!(::ratellmiter_core), |path| quote!(#path));
    let bindings = bind(&mut function.item.sig, options);
    let repeated = Attempt { krate: &krate, args: &args, function: &function }.repeated(&bindings);
    let statements = match function.shape {
        Shape::Plain if args.stream.is_some() => {
            let [lazy] = ["lazy"].map(ident);
            let held = rewrapped(&krate, function.output(), quote!(#lazy));
            quote!(let #lazy = #krate::__private::lazy(async move { #repeated }); #held)
        }
        Shape::Async | Shape::Plain => repeated,
        Shape::Pinned => quote!(#krate::__private::Box::pin(async move { #repeated })),
        Shape::Boxed => quote!(#krate::__private::Box::new(#krate::__private::Box::pin(async move { #repeated }))),
        Shape::Opaque => quote!(#krate::__private::identity(async move { #repeated })),
    };
    function.item.block.stmts = vec![Stmt::Expr(Expr::Verbatim(statements), None)];
    Ok(function.item.into_token_stream())
}

struct Attempt<'a> {
    krate: &'a TokenStream,
    args: &'a Args,
    function: &'a Function,
}

impl Attempt<'_> {
    fn repeated(&self, bindings: &[Binding]) -> TokenStream {
        let Self { krate, function, .. } = self;
        let [call, out, opinion, used] = ["call", "out", "opinion", "used"].map(ident);
        let (start, judged, usage) = (self.start(), self.opinion(&out), self.usage(&quote!(&#out)));
        let admit = self.admit(&call);
        let once = bindings.iter().map(|binding| &binding.once);
        let each = bindings.iter().map(|binding| &binding.each);
        if function.diverges() {
            let body = &function.body;
            return quote!(let mut #call = #start; #(#once)* #admit #(#each)* #body);
        }
        let body = self.body(&call);
        let end = if self.args.stream.is_some() {
            self.begin(&call, &out, &opinion)
        } else {
            quote! {
                let #used = #usage;
                if let #krate::__private::Break(#out) = #call.settle(#opinion, #used, #out) {
                    return #out;
                }
            }
        };
        quote! {
            let mut #call = #start;
            #(#once)*
            loop {
                #admit
                #(#each)*
                #[allow(clippy::redundant_async_block, clippy::redundant_closure_call)]
                let #out = #body;
                let #opinion = #judged;
                #end
            }
        }
    }

    /// Waits for a ticket.
    fn admit(&self, call: &Ident) -> TokenStream {
        let Self { krate, args, function } = self;
        let blocks = function.shape == Shape::Plain && args.stream.is_none();
        let Some(bound) = args.bounds.first() else {
            return if blocks { quote!(#call.blocking_acquire();) } else { quote!(#call.acquire().await;) };
        };
        let admit = if blocks { quote!(blocking_acquire_bounded()) } else { quote!(acquire_bounded().await) };
        let [rejected] = ["rejected"].map(ident);
        let turned_away = relocated(quote!(#krate::__private::from_rejected(#rejected)), bound.name.span());
        quote! {
            if let #krate::__private::Err(#rejected) = #call.#admit {
                return #turned_away;
            }
        }
    }

    /// Gives the caller the stream, with the ticket.
    fn begin(&self, call: &Ident, out: &Ident, opinion: &Ident) -> TokenStream {
        let Self { krate, function, .. } = self;
        let [item, stream, error] = ["item", "stream", "error"].map(ident);
        let usage = self.usage(&quote!(#item));
        let produced = function.produced();
        let given = |ty: &Type| relocated(quote!(#krate::__private::NamedStream::into_stream(#stream)), ty.span());
        let streamed = named(produced).map_or_else(|| quote!(#stream), given);
        let begun = quote!(#call.start_stream(#opinion, #streamed, |#item: &_| (#krate::__private::classification!(#item), #usage)).await);
        if !produced.is_some_and(is_result) {
            let held = match function.shape {
                // The whole of it is.
                Shape::Plain => quote!(#stream),
                _ => rewrapped(krate, produced, quote!(#stream)),
            };
            return quote! {
                let #stream = #out;
                if let #krate::__private::Break(#stream) = #begun {
                    return #held;
                }
            };
        }
        let held = rewrapped(krate, produced, quote!(#stream));
        quote! {
            match #out {
                #krate::__private::Ok(#stream) => {
                    if let #krate::__private::Break(#stream) = #begun {
                        return #krate::__private::Ok(#held);
                    }
                }
                #krate::__private::Err(#error) => {
                    if let #krate::__private::Break(#error) = #call.settle(#opinion, #krate::__private::Option::None, #error) {
                        return #krate::__private::Err(#error);
                    }
                }
            }
        }
    }

    /// What the value behind a reference says that the call used.
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
        let asking = self.asking();
        quote!(#start #(#attempts)* #asking)
    }

    /// How the call asks, if it does so in a way of its own.
    fn asking(&self) -> Option<TokenStream> {
        let Self { krate, args, .. } = self;
        if args.tokens.is_none() && args.priority.is_none() && args.bounds.is_empty() {
            return None;
        }
        let tokens = args.tokens.iter().map(|tokens| quote_spanned!(tokens.span()=> .cost(#tokens)));
        let priority = args.priority.iter().map(|priority| match priority {
            Priority::Named(variant) => quote!(.priority(#krate::__private::Priority::#variant)),
            Priority::Given(given) => quote_spanned!(given.span()=> .priority(#given)),
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

    fn opinion(&self, out: &Ident) -> TokenStream {
        let Self { krate, args, function } = self;
        let ladder = quote!(#krate::__private::classification!(&#out));
        if let Some(classify) = &args.classify {
            let called = relocated(quote!(#krate::__private::classify), classify.span());
            return quote!(match #called(&#out, #classify) {
                #krate::__private::Option::Some(#out) => #out,
                #krate::__private::Option::None => #ladder,
            });
        }
        let Some(when) = &args.when else { return ladder };
        // If it is no `Result` it is the return type that is wrong, and if `when` takes no such error, `when`.
        let at_output = function.output().map_or_else(|| when.span(), Type::span);
        let (mut out, located) = (out.clone(), Span::mixed_site().located_at(at_output));
        out.set_span(located);
        let out = quote_spanned!(located=> &#out);
        let called = relocated(quote!(#krate::__private::when), when.span());
        quote_spanned!(when.span()=> #called(#out, #when))
    }

    /// What runs the user's body once.
    fn body(&self, call: &Ident) -> TokenStream {
        let (Function { body, shape, .. }, krate) = (self.function, self.krate);
        let output = self.function.output();
        match shape {
            Shape::Async => {
                let never = self.never();
                quote!(#call.attempt(async { #never #body }).await)
            }
            Shape::Plain if self.args.stream.is_some() => {
                let ty = output.filter(|ty| !matches!(ty, Type::ImplTrait(_))).map(local).into_iter();
                quote!(#call.attempt_blocking(|| #(-> #ty)* #body))
            }
            Shape::Plain => {
                let ty = output.map(inferred).into_iter();
                quote!(#call.attempt_blocking(|| #(-> #ty)* #body))
            }
            Shape::Pinned | Shape::Boxed => {
                let ty = output.map(local);
                quote!(#call.attempt((|| -> #ty #body)()).await)
            }
            Shape::Opaque => {
                // The closure cannot say what its future gives.
                let ty = self.function.produced().map_or_else(|| quote!(_), |ty| inferred(ty).into_token_stream());
                quote!(#call.attempt(#krate::__private::assert_output::<#ty, _>((|| #body)())).await)
            }
        }
    }

    /// A return that is never taken, of the declared type.
    fn never(&self) -> TokenStream {
        let ty = self.function.output().map_or_else(|| quote!(()), |ty| inferred(ty).into_token_stream());
        let never = ident("never");
        quote! {
            #[allow(
                clippy::diverging_sub_expression,
                clippy::empty_loop,
                clippy::let_unit_value,
                clippy::needless_return,
                unreachable_code,
                unused_variables
            )]
            if false {
                let #never: #ty = loop {};
                return #never;
            }
        }
    }
}

/// The stream as the type of the signature: a type that has a name is a box.
fn rewrapped(krate: &TokenStream, ty: Option<&Type>, stream: TokenStream) -> TokenStream {
    match named(ty) {
        Some(ty) => relocated(quote!(#krate::__private::Rewrapped(#stream).rewrapped()), ty.span()),
        None => stream,
    }
}

/// The type of the stream, out of the `Result`, if it has a name.
fn named(ty: Option<&Type>) -> Option<&Type> {
    let ty = ty.map(|ty| if is_result(ty) { types::first_argument(ty).unwrap_or(ty) } else { ty });
    ty.filter(|ty| !matches!(ty, Type::ImplTrait(_)))
}

/// The tokens where `span` is, so that an error there is not shown at the whole attribute.
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
