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
/// `Result` can be a refusal. Qualifiers stay: an `unsafe` function is still called as one.
///
/// ```
/// # #![deny(warnings, unused)]
/// # use ratellmiter_core::ratellmiter;
/// /// # Safety
/// /// Safe at any time.
/// #[ratellmiter(model = "pass")]
/// pub async unsafe fn not_safe(number: u8) -> u8 {
///     number
/// }
/// # assert_eq!(futures::executor::block_on(unsafe { not_safe(1) }), 1);
/// ```
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
/// | `tokens = EXPR` | what the call is thought to cost: a number of input tokens, `(input, output)` with the most output it asks for, or a `TokenEstimate` | what 95 % of the calls before used |
/// | `usage = F` | a path or closure `fn(&T) -> Usage` over the value, or `-> Option<Usage>`: what the call used. With `stream`, over each item | `HasUsage`, if the value is one |
/// | `stream` | the function gives a stream, which keeps the ticket until it has ended | the call ends when the function returns |
/// | `max_wait = EXPR` | wait no longer than this: a number of seconds, or a `Duration` | the limiter's own, if any bound is given |
/// | `max_queue = N` | join no line of so many calls (`u32`); with 0 it goes at once or not at all | the limiter's own, if any bound is given |
/// | `deadline = EXPR` | have the last ticket by then: an `Instant` of `std` or `tokio` | |
/// | `bounded` | the limiter's own `max_wait` and `max_queue` hold for this call | they do if any bound is given |
/// | `priority = WORD` | `high`, `normal` or `low`, or an expression that is a `Priority` | `normal` |
/// | `crate = PATH` | where `ratellmiter-core` is | `::ratellmiter_core` |
///
/// All but `when`, `classify` and `usage` are evaluated once a call, before the first attempt. They may use the arguments and
/// `Self`:
///
/// ```ignore
/// #[ratellmiter(model = format!("{family}-{size}"), max_attempts = 3)]
/// async fn ask(family: &str, size: u32) -> Result<String, ApiError> { /* ... */ }
///
/// #[ratellmiter(limiter = self.limiter, when = |error: &anyhow::Error| error.to_string().contains("slow down"))]
/// async fn ask(&self, prompt: &str) -> anyhow::Result<String> { /* ... */ }
/// ```
///
/// # Tokens
///
/// Where the limiter has budgets of tokens, `tokens` says what the call is thought to cost. That much is reserved when it gets
/// its ticket, and settled when it ends: what was too much is given back at once, what was too little is charged, as the
/// provider's contract says. What it used is found by itself in a value that is `HasUsage`: a `serde_json::Value` in the shape
/// of any known provider, and with their features the answers of clients. For other values there is `usage`, and in the body
/// `call::report_usage`. Bodies as text or bytes are looked at as well. Of a call of which nothing is told all that was reserved stays charged.
///
/// ```ignore
/// #[ratellmiter(model = "gpt-4o", tokens = (estimate_tokens(prompt), 500))]
/// async fn ask(prompt: &str) -> Result<CreateChatCompletionResponse, OpenAIError> { /* ... */ }
///
/// #[ratellmiter(model = "gpt-4o", tokens = 800, usage = |answer| Usage::new(answer.prompt_tokens, answer.completion_tokens))]
/// async fn own(prompt: &str) -> Result<Answer, reqwest::Error> { /* ... */ }
/// ```
///
/// # Streams
///
/// With `stream` the call goes on until the stream has ended or is dropped. The function returns `impl Stream`,
/// `Pin<Box<dyn Stream>>` or `BoxStream`, alone or in a `Result`, and waits for the first item: if that is a refusal the call
/// is tried again. A later one pauses the limiter and goes on to the caller. The usage is put together from all
/// items; `OpenAI` tells it only if `stream_options.include_usage` was asked for. `when` judges the error of the function, not
/// those of the items, and `classify` cannot be had with it.
///
/// ```ignore
/// #[ratellmiter(model = "gpt-4o", tokens = (estimate_tokens(prompt), 500), stream)]
/// async fn ask(prompt: &str) -> Result<ChatCompletionResponseStream, OpenAIError> { /* ... */ }
/// ```
///
/// An item is looked at by itself. Bytes as they come from the network may cut an event in two, so give the stream of the
/// events. In a type of your own that holds a stream, put `call::attach(stream)` where the stream is, without the option.
///
/// A plain `fn` with `stream` begins when its stream is first polled, and so the stream borrows all that the function was called
/// with: take a `String` where it is to outlive a `&str`.
///
/// # Waiting
///
/// With `max_wait`, `max_queue`, `deadline` or `bounded` a call that would wait too long is turned away at once, with the
/// function's own error: its type must be `From<Rejected>`, as `anyhow::Error` and `Box<dyn Error>` are. `max_wait` holds for all
/// tickets of a call taken together, without the time that it is out; a refused call that cannot be in time again comes back with the error that it had.
///
/// ```ignore
/// #[ratellmiter(model = "gpt-4o", max_wait = 2.5, priority = high)]
/// async fn complete(text: &str) -> anyhow::Result<String> { /* ... */ }
///
/// #[ratellmiter(model = "gpt-4o", deadline = until, priority = low)]
/// async fn summarise(text: &str, until: Instant) -> anyhow::Result<String> { /* ... */ }
/// ```
///
/// Refused calls go before all others, whatever their priority. Among the others one of a class below stands in the line as if it
/// had asked a minute later, so that none waits for ever.
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
/// for more than ten minutes. With a bound it may also be what `From<Rejected>` makes.
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

/// Derives nothing, and accepts the attributes of serde's derives. It stands for them where they are not needed, since
/// serde's derives take long to build. No part of the public API.
#[doc(hidden)]
#[proc_macro_derive(Unserialized, attributes(serde))]
pub fn unserialized(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
