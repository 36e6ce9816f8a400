//! The function around the function's body.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    BoundLifetimes, Error, Expr, GenericParam, Ident, Lifetime, Result, ReturnType, Stmt, spanned::Spanned as _,
    visit_mut::VisitMut,
};

use crate::{
    args::{Args, ident},
    attempt::{Binding, bind, inferred},
    function::{Function, Shape},
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
///             let out = async {
///                 if false { let never: Result<String, E> = loop {}; return never; }
///                 { BODY }
///             }.await;
///             let verdict = ::ratellmiter_core::__private::verdict!(&out);
///             if let Break(out) = call.settle(verdict, out) { return out; }
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
    if let (Some(when), ReturnType::Default) = (&args.when, &function.item.sig.output) {
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
        let [call, out, verdict] = ["call", "out", "verdict"].map(ident);
        let (start, judged) = (self.start(), self.verdict(&out));
        let admit = if function.shape == Shape::Plain { quote!(admit_blocking()) } else { quote!(admit().await) };
        let once = bindings.iter().map(|binding| &binding.once);
        let each = bindings.iter().map(|binding| &binding.each);
        if function.diverges() {
            let body = &function.body;
            return quote!(let mut #call = #start; #(#once)* #call.#admit; #(#each)* #body);
        }
        let body = self.body();
        quote! {
            let mut #call = #start;
            #(#once)*
            loop {
                #call.#admit;
                #(#each)*
                #[allow(clippy::redundant_async_block, clippy::redundant_closure_call)]
                let #out = #body;
                let #verdict = #judged;
                if let #krate::__private::Break(#out) = #call.settle(#verdict, #out) {
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

    fn verdict(&self, out: &Ident) -> TokenStream {
        let Self { krate, args, function } = self;
        let Some(when) = &args.when else {
            return quote!(#krate::__private::verdict!(&#out));
        };
        // If it is no `Result` it is the return type that is wrong, and if `when` takes no such error, `when`.
        let at_output = if let ReturnType::Type(_, ty) = &function.item.sig.output { ty.span() } else { when.span() };
        let (mut out, located) = (out.clone(), Span::mixed_site().located_at(at_output));
        out.set_span(located);
        let out = quote_spanned!(located=> &#out);
        let called = relocated(quote!(#krate::__private::when), when.span());
        quote_spanned!(when.span()=> #called(#out, #when))
    }

    /// What runs the user's body once.
    fn body(&self) -> TokenStream {
        let Function { item, body, shape } = self.function;
        match shape {
            Shape::Async => {
                let never = self.never();
                quote!(async { #never #body }.await)
            }
            Shape::Plain => {
                let output = match &item.sig.output {
                    ReturnType::Default => quote!(),
                    ReturnType::Type(arrow, ty) => {
                        let ty = inferred(ty);
                        quote!(#arrow #ty)
                    }
                };
                quote!((|| #output #body)())
            }
            Shape::Pinned | Shape::Boxed => {
                let ty = self.local_future();
                quote!((|| -> #ty #body)().await)
            }
            Shape::Opaque => quote!((|| #body)().await),
        }
    }

    /// A return that is never taken, of the declared type.
    fn never(&self) -> TokenStream {
        let ty = match &self.function.item.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => inferred(ty).into_token_stream(),
        };
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

    /// The boxed future that one attempt makes: it lives only as long as the attempt, whatever the signature says.
    fn local_future(&self) -> TokenStream {
        let ReturnType::Type(_, ty) = &self.function.item.sig.output else {
            return quote!(_);
        };
        let mut ty = inferred(ty);
        Local::default().visit_type_mut(&mut ty);
        ty.into_token_stream()
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

/// Makes lifetimes those of the attempt.
#[derive(Default)]
struct Local {
    /// By a `for<'a>` in the type.
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
        if lifetime.ident != "static" && !self.bound.contains(&lifetime.ident) {
            *lifetime = Lifetime::new("'_", lifetime.span());
        }
    }
}
