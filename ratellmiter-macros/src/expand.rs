//! The function around the function's body.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Error, Expr, Ident, Result, Stmt, Type, spanned::Spanned as _};

use crate::{
    args::{Args, ident},
    attempt::{Binding, bind},
    function::{Function, Shape},
    types::{inferred, local},
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
///             call.admit().await;
///             let prompt = <String as Clone>::clone(&kept0);
///             let out = call.attempt(async {
///                 if false { let never: Result<String, E> = loop {}; return never; }
///                 { BODY }
///             }).await;
///             let opinion = ::ratellmiter_core::__private::opinion!(&out);
///             if let Break(out) = call.settle(opinion, out) { return out; }
///         }
///     }
/// ```
///
/// The return that is never taken gives `?` and `return` in the body their type. A plain function has
/// `call.admit_blocking()` and the body in a closure; one that returns a future has the loop in an `async move` block
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
    let krate = args.krate.as_ref().map_or_else(|| quote!(::ratellmiter_core), |path| quote!(#path));
    let bindings = bind(&mut function.item.sig, &krate, options);
    let repeated = Attempt { krate: &krate, args: &args, function: &function }.repeated(&bindings);
    let statements = match function.shape {
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
        let [call, out, opinion] = ["call", "out", "opinion"].map(ident);
        let (start, judged) = (self.start(), self.opinion(&out));
        let admit = if function.shape == Shape::Plain { quote!(admit_blocking()) } else { quote!(admit().await) };
        let once = bindings.iter().map(|binding| &binding.once);
        let each = bindings.iter().map(|binding| &binding.each);
        if function.diverges() {
            let body = &function.body;
            return quote!(let mut #call = #start; #(#once)* #call.#admit; #(#each)* #body);
        }
        let body = self.body(&call);
        quote! {
            let mut #call = #start;
            #(#once)*
            loop {
                #call.#admit;
                #(#each)*
                #[allow(clippy::redundant_async_block, clippy::redundant_closure_call)]
                let #out = #body;
                let #opinion = #judged;
                if let #krate::__private::Break(#out) = #call.settle(#opinion, #out) {
                    return #out;
                }
            }
        }
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
        quote!(#start #(#attempts)*)
    }

    fn opinion(&self, out: &Ident) -> TokenStream {
        let Self { krate, args, function } = self;
        let ladder = quote!(#krate::__private::opinion!(&#out));
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
        let Function { body, shape, .. } = self.function;
        let output = self.function.output();
        match shape {
            Shape::Async => {
                let never = self.never();
                quote!(#call.attempt(async { #never #body }).await)
            }
            Shape::Plain => {
                let ty = output.map(inferred).into_iter();
                quote!(#call.attempt_blocking(|| #(-> #ty)* #body))
            }
            Shape::Pinned | Shape::Boxed => {
                let ty = output.map(local);
                quote!(#call.attempt((|| -> #ty #body)()).await)
            }
            Shape::Opaque => quote!(#call.attempt((|| #body)()).await),
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

/// The tokens where `span` is, so that an error there is not shown at the whole attribute.
fn relocated(tokens: TokenStream, span: Span) -> TokenStream {
    let relocate = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.into_iter().map(relocate).collect()
}
