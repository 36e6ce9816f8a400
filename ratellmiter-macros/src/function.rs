//! The function that the attribute is applied to.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::{
    Attribute, Error, GenericArgument, ItemFn, PathArguments, Receiver, ReceiverKind, Result, ReturnType, Type,
    TypeParamBound, TypePath,
    parse::{ParseStream, Parser as _},
    parse2,
};

use crate::types::{bare, first_argument, is_result};

/// A function and its body, which is not parsed.
pub(crate) struct Function {
    /// The function with an empty block, which has the spans of the user's braces.
    pub(crate) item: ItemFn,
    pub(crate) body: Group,
    pub(crate) shape: Shape,
}

/// The form of the function.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Async,
    /// Blocks its thread while it waits.
    Plain,
    /// Returns a `Pin<Box<dyn Future>>`.
    Pinned,
    /// Returns a `Box<dyn Future + Unpin>`.
    Boxed,
    /// Returns an `impl Future`.
    Opaque,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self> {
        let mut tokens: Vec<_> = item.into_iter().collect();
        let Some(end) = tokens.pop() else {
            return Err(Error::new(Span::call_site(), "`#[ratellmiter]` can only be applied to functions"));
        };
        let body = braces(&end);
        tokens.push(Group::new(Delimiter::Brace, TokenStream::new()).into());
        let mut item: ItemFn = parse2(tokens.into_iter().collect()).map_err(|error| {
            Error::new(error.span(), format!("{error}: `#[ratellmiter]` can only be applied to functions"))
        })?;
        let Some(braces) = body else {
            let message =
                "`#[ratellmiter]` needs a body to pace: apply it to the function in the `impl`, or to a default body";
            return Err(Error::new(end.span(), message));
        };
        let split = |input: ParseStream<'_>| Ok((Attribute::parse_inner(input)?, input.parse::<TokenStream>()?));
        let (inner, statements) = split.parse2(braces.stream())?;
        item.attrs.extend(inner);
        // With generated braces the compiler would not warn that the function is unused.
        item.block.brace_token.span = braces.delim_span();
        let mut body = Group::new(Delimiter::Brace, statements);
        // A generated span, since the compiler would warn of unused braces around a single expression.
        body.set_span(Span::mixed_site().located_at(braces.span()));
        let shape = Shape::of(&item);
        Ok(Self { item, body, shape })
    }

    pub(crate) fn check(&self) -> Result<()> {
        if let Some(token) = self.item.sig.constness {
            return Err(Error::new(token.span, "a `const fn` cannot wait for a ticket"));
        }
        let by_factory = matches!(self.shape, Shape::Pinned | Shape::Boxed | Shape::Opaque);
        match self.item.sig.receiver() {
            Some(receiver) if by_factory && is_mutable(receiver) => Err(Error::new_spanned(
                receiver,
                "the future would own `&mut self`, so a refused call could not be retried: take `&self`, or make it an `async fn` without `#[async_trait]`",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.item.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(bare(ty)),
        }
    }

    /// Returns the type of a call's result: the return type, or the output of the returned future.
    pub(crate) fn produced(&self) -> Option<&Type> {
        let output = self.output()?;
        match self.shape {
            Shape::Async | Shape::Plain => Some(output),
            Shape::Opaque => future_output(output),
            Shape::Pinned | Shape::Boxed => {
                let mut ty = output;
                loop {
                    if let Some(produced) = future_output(ty) {
                        return Some(produced);
                    }
                    let (name, argument) = generic(ty)?;
                    match name.as_str() {
                        "BoxFuture" | "LocalBoxFuture" => return argument,
                        _ => ty = argument?,
                    }
                }
            }
        }
    }

    /// Returns `true` if the function blocks and returns an iterator, alone or in a `Result`.
    pub(crate) fn returns_iterator(&self) -> bool {
        let produced = self.produced().map(|ty| if is_result(ty) { first_argument(ty).unwrap_or(ty) } else { ty });
        self.shape == Shape::Plain && produced.is_some_and(is_iterator)
    }

    /// Checks that the function can return a stream that keeps its ticket. `stream` is the span of the option.
    pub(crate) fn check_stream(&self, stream: Span, bounded: bool) -> Result<()> {
        match self.produced() {
            None => Err(Error::new(
                stream,
                "`stream` keeps the ticket until the returned stream has ended, and this function returns none",
            )),
            Some(_) if self.returns_iterator() => Ok(()),
            Some(produced) if self.shape == Shape::Plain && is_result(produced) => Err(Error::new(
                stream,
                "a plain function that returns a `Result` of a stream would have to wait for its first item: make it an `async fn`, or return the stream alone, or an `impl Iterator` or `Box<dyn Iterator>`",
            )),
            Some(_) if self.shape == Shape::Plain && bounded => Err(Error::new(
                stream,
                "a plain function with `stream` starts when the stream is polled, and has no error to reject the call with: make it an `async fn` that returns a `Result`",
            )),
            Some(_) => Ok(()),
        }
    }

    /// Returns `true` if the return type is `!`.
    pub(crate) fn diverges(&self) -> bool {
        matches!(self.output(), Some(Type::Never(_)))
    }
}

/// Returns the group in braces, without the invisible group that a macro puts around a `$block`.
fn braces(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => braces(&group.stream().into_iter().next()?),
        _ => None,
    }
}

impl Shape {
    fn of(function: &ItemFn) -> Self {
        match &function.sig.output {
            _ if function.sig.asyncness.is_some() => Self::Async,
            ReturnType::Default => Self::Plain,
            ReturnType::Type(_, ty) => Self::returning(bare(ty)),
        }
    }

    /// Recognises the return type by its usual names, since types are not resolved here.
    fn returning(ty: &Type) -> Self {
        if is_future(ty) {
            return Self::Opaque;
        }
        let Some((name, argument)) = generic(ty) else {
            return Self::Plain;
        };
        let is_box_of_future =
            |ty: &Type| generic(ty).is_some_and(|(name, argument)| name == "Box" && argument.is_some_and(is_future));
        match name.as_str() {
            "BoxFuture" | "LocalBoxFuture" => Self::Pinned,
            "Pin" if argument.is_some_and(is_box_of_future) => Self::Pinned,
            _ if is_box_of_future(ty) => Self::Boxed,
            _ => Self::Plain,
        }
    }
}

/// Returns `Name` and `T` of `some::Name<T>`.
fn generic(ty: &Type) -> Option<(String, Option<&Type>)> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else {
        return None;
    };
    let last = path.segments.last()?;
    let argument = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(bare(ty)),
            _ => None,
        }),
        _ => None,
    };
    Some((last.ident.to_string(), argument))
}

/// Returns the `Output` of a `dyn Future` or `impl Future`.
fn future_output(ty: &Type) -> Option<&Type> {
    associated(ty, "Output")
}

/// Returns the associated type `name` of a `dyn Trait` or `impl Trait`.
pub(crate) fn associated<'a>(ty: &'a Type, name: &str) -> Option<&'a Type> {
    let bounds = match ty {
        Type::ImplTrait(ty) => &ty.bounds,
        Type::TraitObject(ty) => &ty.bounds,
        _ => return None,
    };
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let PathArguments::AngleBracketed(arguments) = &bound.path.segments.last()?.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(found) if found.ident == name => Some(bare(&found.ty)),
            _ => None,
        })
    })
}

/// Returns `true` for `dyn Future` and `impl Future`.
fn is_future(ty: &Type) -> bool {
    has_bound(ty, "Future")
}

/// Returns `true` for `impl Iterator` and `Box<dyn Iterator>`.
fn is_iterator(ty: &Type) -> bool {
    let boxed = generic(ty).filter(|(name, _)| name == "Box").and_then(|(_, argument)| argument);
    has_bound(boxed.unwrap_or(ty), "Iterator")
}

/// Returns `true` for `dyn Trait` and `impl Trait` with the trait `name`.
fn has_bound(ty: &Type, name: &str) -> bool {
    let bounds = match ty {
        Type::ImplTrait(ty) => &ty.bounds,
        Type::TraitObject(ty) => &ty.bounds,
        _ => return false,
    };
    bounds.iter().any(|bound| {
        matches!(bound, TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == name))
    })
}

fn is_mutable(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
        ReceiverKind::Typed(_, ty) => matches!(bare(ty), Type::Reference(ty) if ty.mutability.is_some()),
        _ => false,
    }
}
