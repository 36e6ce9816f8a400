//! The `#[ratellmiter]` attribute of `ratellmiter-core`; use it from there.

mod args;
mod attempt;
mod expand;
mod function;
mod types;

use proc_macro::TokenStream;

/// Paces the calls of a function, and repeats those that come back refused.
///
/// Each call waits for a ticket of its model's limiter, then the body runs. If it comes back refused, the limiter pauses,
/// the call gets a new ticket before all that were never refused, and the body runs again.
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
/// It goes on `async fn`, plain `fn`, functions that return `Pin<Box<dyn Future>>`, `BoxFuture` or `impl Future`; free ones,
/// methods, trait methods with a body, and those under `#[async_trait]`. Every return type is paced; only the error of a
/// `Result` can be a refusal.
///
/// # Options
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `model = EXPR` | which limiter of the process-global monitor paces the call: anything that is `AsRef<str>` | `"default"` |
/// | `limiter = EXPR` | a `Limiter`, or something that derefs to one, instead of a model | |
/// | `max_attempts = N` | send one call at most so often (`u32`) | the limiter's `attempts` |
/// | `when = F` | a path or closure `fn(&E) -> bool`: which errors are refusals. For errors of foreign types | `Classify`, else the source chain |
/// | `classify = F` | a path or closure `fn(&R) -> Verdict` over the whole return value, or `-> Option<Verdict>`, where `None` leaves it to the library | |
/// | `crate = PATH` | where `ratellmiter-core` is | `::ratellmiter_core` |
///
/// All but `when` are evaluated once a call, before the first attempt. They may use the arguments and `Self`:
///
/// ```ignore
/// #[ratellmiter(model = format!("{family}-{size}"), max_attempts = 3)]
/// async fn ask(family: &str, size: u32) -> Result<String, ApiError> { /* ... */ }
///
/// #[ratellmiter(limiter = self.limiter, when = |error: &anyhow::Error| error.to_string().contains("slow down"))]
/// async fn ask(&self, prompt: &str) -> anyhow::Result<String> { /* ... */ }
/// ```
///
/// # Arguments
///
/// The body may run several times. So:
///
/// * Arguments that are passed by value must be `Clone`; each attempt has its own. `impl Trait` is written
///   `impl Trait + Clone`.
/// * `&mut` arguments are lent to each attempt: what a refused one did through them stays done. The function cannot return
///   a borrow of one.
/// * `self` can be used by value only for what a reference would do as well: a body that consumes it does not compile.
/// * A function that returns a future, as all do under `#[async_trait]`, cannot take `&mut self`; and its future borrows
///   all that it was called with, though the body might not.
///
/// # With other attributes
///
/// `#[async_trait]` is written on the trait or impl, as always. Of two attributes on a function the upper one works on the
/// body, the lower one on what it made of it: with `#[tracing::instrument]` above this one each attempt has a span of its
/// own, with it below one span holds the waiting and all attempts.
///
/// # Blocking functions
///
/// A plain `fn` waits with its thread: inside a runtime call it from `spawn_blocking`.
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
