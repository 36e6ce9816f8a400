//! The `#[ratellmiter]` attribute of `ratellmiter-core`; use it from there.

mod args;
mod attempt;
mod expand;

use proc_macro::TokenStream;

/// Paces the calls of a function, and repeats those that come back refused.
///
/// ```ignore
/// use ratellmiter_core::ratellmiter;
///
/// #[ratellmiter(model = "gpt-4o")]
/// async fn answer(prompt: &str) -> Result<String, reqwest::Error> {
///     /* the call, as it was */
/// }
/// ```
///
/// Each call waits for a ticket of the model's limiter. If it comes back refused, the limiter pauses, the call gets a new
/// ticket before all that were never refused, and the body runs again.
///
/// # Options
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `model = EXPR` | which limiter of the process-global monitor paces the call: anything that is `AsRef<str>`. It may use the arguments and `Self` | `"default"` |
/// | `limiter = EXPR` | a `Limiter`, or something that borrows as one, instead of a model: `limiter = self.limiter` | |
/// | `max_attempts = N` | send one call at most so often (`u32`) | the limiter's `attempts` |
/// | `when = F` | a path or closure `fn(&E) -> bool`: which errors are refusals. For errors of foreign types | `Classify`, else the source chain |
/// | `crate = PATH` | where `ratellmiter-core` is | `::ratellmiter_core` |
///
/// # What may stand under it
///
/// `async fn`, plain `fn`, functions that return `Pin<Box<dyn Future>>`, `BoxFuture` or `impl Future`; free, methods,
/// trait methods with a body, and under `#[async_trait]`. Every return type is paced; what may be a refusal is the error of
/// a `Result`.
///
/// The body may run several times. So arguments that are passed by value must be `Clone`, and what a refused attempt
/// did through a `&mut` argument stays done. A body that consumes `self` does not compile.
///
/// Plain functions wait with their thread: inside a runtime call them from `spawn_blocking`.
///
/// Under `#[tracing::instrument]` (written above this attribute) one span holds the waiting and all attempts; above it, each
/// attempt has a span of its own. `#[async_trait]` is written on the trait or impl, as always.
///
/// # Cancel safety
///
/// Dropping the future, or a panic in the body, gives back the place in the line, or the place in flight, at once.
///
/// # Errors
///
/// The function's own error comes back unchanged when it is no refusal, when the attempts run out, or when the server asked
/// for more than ten minutes.
#[proc_macro_attribute]
pub fn ratellmiter(options: TokenStream, item: TokenStream) -> TokenStream {
    // A function with a mistake in its attribute is still there, so that one mistake is one error.
    let written = proc_macro2::TokenStream::from(item.clone());
    expand::expand(&options.into(), item.into())
        .unwrap_or_else(|error| {
            let error = error.into_compile_error();
            quote::quote!(#error #written)
        })
        .into()
}
