//! The function around the function's body.

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Error, ItemFn, Lifetime, PathArguments, Receiver, ReceiverKind, Result, ReturnType, Type, TypeParamBound, TypePath,
    parse_quote, parse2,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

use crate::{
    args::{Args, ident},
    attempt::{Binding, bind, inferred},
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
    let mut function: ItemFn = parse2(item)?;
    let args = Args::parse(options.clone())?;
    if let Some(token) = function.sig.constness {
        return Err(Error::new(token.span, "a `const fn` cannot wait for a ticket"));
    }
    let shape = Shape::of(&function);
    if let (Shape::Boxed | Shape::Future, Some(receiver)) = (shape, function.sig.receiver())
        && is_mutable(receiver)
    {
        return Err(Error::new_spanned(
            receiver,
            "the future would own `&mut self`, so a refused call could not be repeated: take `&self`, or make it an `async fn` without `#[async_trait]`",
        ));
    }
    let krate = args.krate.as_ref().map_or_else(|| quote!(::ratellmiter_core), |path| quote!(#path));
    let attempt = Attempt { krate: &krate, args: &args, shape, output: function.sig.output.clone() };
    let bindings = bind(&mut function.sig, &krate, options);
    let body = attempt.body(&function);
    let repeated = attempt.repeated(&bindings, &body);
    let statements = match shape {
        Shape::Async | Shape::Plain => repeated,
        Shape::Boxed => quote!(#krate::__private::Box::pin(async move { #repeated })),
        Shape::Future => quote!(#krate::__private::identity(async move { #repeated })),
    };
    // With braces of ours the compiler would take the function for generated, and never call it unused.
    let braces = function.block.brace_token;
    function.block = Box::new(parse_quote!({ #statements }));
    function.block.brace_token = braces;
    Ok(function.into_token_stream())
}

/// How the function waits.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Async,
    /// It waits with its thread.
    Plain,
    /// It returns a boxed future.
    Boxed,
    /// It returns an `impl Future`.
    Future,
}

impl Shape {
    fn of(function: &ItemFn) -> Self {
        match &function.sig.output {
            _ if function.sig.asyncness.is_some() => Self::Async,
            ReturnType::Type(_, ty) if is_boxed_future(ty) => Self::Boxed,
            ReturnType::Type(_, ty) if matches!(&**ty, Type::ImplTrait(ty) if ty.bounds.iter().any(is_future)) => {
                Self::Future
            }
            _ => Self::Plain,
        }
    }
}

struct Attempt<'a> {
    krate: &'a TokenStream,
    args: &'a Args,
    shape: Shape,
    output: ReturnType,
}

impl Attempt<'_> {
    fn repeated(&self, bindings: &[Binding], body: &TokenStream) -> TokenStream {
        let Self { krate, .. } = self;
        let [call, out, verdict] = ["call", "out", "verdict"].map(ident);
        let (start, judged) = (self.start(), self.verdict(&out));
        let admit = if self.shape == Shape::Plain { quote!(admit_blocking()) } else { quote!(admit().await) };
        let once = bindings.iter().map(|binding| &binding.once);
        let each = bindings.iter().map(|binding| &binding.each);
        quote! {
            let mut #call = #start;
            #(#once)*
            loop {
                #call.#admit;
                #(#each)*
                #body
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

    fn verdict(&self, out: &syn::Ident) -> TokenStream {
        let Self { krate, args, output, .. } = self;
        let Some(when) = &args.when else {
            return quote!(#krate::__private::verdict!(&#out));
        };
        // If it is no `Result` it is the return type that is wrong, and if `when` takes no such error, `when`.
        let at_output = if let ReturnType::Type(_, ty) = output { ty.span() } else { when.span() };
        let (mut out, located) = (out.clone(), Span::mixed_site().located_at(at_output));
        out.set_span(located);
        let out = quote_spanned!(located=> &#out);
        quote_spanned!(when.span()=> #krate::__private::when(#out, #when))
    }

    /// The statement that runs the user's body once.
    fn body(&self, function: &ItemFn) -> TokenStream {
        let out = ident("out");
        let statements = &function.block.stmts;
        let mut body = Group::new(Delimiter::Brace, quote!(#(#statements)*));
        // Marked as generated, or braces around a single expression would be called unused.
        body.set_span(Span::mixed_site().located_at(function.block.brace_token.span.join()));
        let attempt = match self.shape {
            Shape::Async => {
                let never = self.never();
                quote!(async { #never #body }.await)
            }
            Shape::Plain => {
                let output = match &self.output {
                    ReturnType::Default => quote!(),
                    ReturnType::Type(arrow, ty) => {
                        let ty = inferred(ty);
                        quote!(#arrow #ty)
                    }
                };
                quote!((|| #output #body)())
            }
            Shape::Boxed => {
                let ty = self.local_future();
                quote!((|| -> #ty #body)().await)
            }
            Shape::Future => quote!((|| #body)().await),
        };
        quote! {
            #[allow(clippy::redundant_async_block, clippy::redundant_closure_call)]
            let #out = #attempt;
        }
    }

    /// A return that is never taken, of the declared type.
    fn never(&self) -> TokenStream {
        let ty = match &self.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => return quote!(),
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
        struct Local;
        impl VisitMut for Local {
            fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
                if lifetime.ident != "static" {
                    *lifetime = Lifetime::new("'_", lifetime.span());
                }
                visit_mut::visit_lifetime_mut(self, lifetime);
            }
        }
        let ReturnType::Type(_, ty) = &self.output else {
            return quote!(_);
        };
        let mut ty = inferred(ty);
        Local.visit_type_mut(&mut ty);
        ty.into_token_stream()
    }
}

/// `Pin<Box<dyn Future>>`, or one of its usual names.
fn is_boxed_future(ty: &Type) -> bool {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else {
        return false;
    };
    let Some(last) = path.segments.last() else {
        return false;
    };
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        }),
        _ => None,
    };
    match last.ident.to_string().as_str() {
        "BoxFuture" | "LocalBoxFuture" => true,
        "Pin" | "Box" => inner().is_some_and(|ty| match ty {
            Type::TraitObject(object) => object.bounds.iter().any(is_future),
            ty => last.ident == "Pin" && is_boxed_future(ty),
        }),
        _ => false,
    }
}

fn is_future(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
}

fn is_mutable(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => {
            matches!(&**ty, Type::Reference(ty) if ty.mutability.is_some())
        }
        _ => false,
    }
}
