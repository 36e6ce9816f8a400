//! The `#[ratellmiter]` attribute of `ratellmiter-core`; use it from there.

mod args;
mod bindings;
mod expand;
mod function;
mod types;

use proc_macro::TokenStream;

/// Paces the calls of a function, and retries refused calls.
///
/// Each call waits for a ticket from its model's limiter; then the body runs. If the server refuses the call, the limiter
/// pauses, the call is queued again before all calls that were never refused, and the body runs again.
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
/// The attribute can be applied to `async fn`, to plain `fn`, and to functions that return `Pin<Box<dyn Future>>`, `BoxFuture`
/// or `impl Future`: free functions, methods, and trait methods with a body, also under `#[async_trait]`. Qualifiers are kept:
/// an `unsafe` function remains unsafe to call.
///
/// Functions of every return type are paced. A call is refused if it returns a `Result` with an error that is a refusal, or a
/// response that is one, such as an `http::Response` with status 429.
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
/// | `model = EXPR` | the name of a limiter of the process-global monitor: any `AsRef<str>` | `"default"` |
/// | `limiter = EXPR` | a `Limiter`, or a value that dereferences to one, instead of a model | |
/// | `max_attempts = N` | maximum number of attempts of one call (`u32`). An expression of value 0 counts as 1 | the limiter's `max_attempts` |
/// | `transient_attempts = N` | how often one call is sent again after transient failures (`u32`) | the limiter's `transient_attempts` |
/// | `when = F` | a path or closure `fn(&E) -> bool`, which returns `true` if the error is a refusal. For errors of foreign types | `Classify`, else the source chain |
/// | `classify = F` | a path or closure `fn(&R) -> Verdict` over the whole return value, or `-> Option<Verdict>`, where `None` means that the library classifies it | |
/// | `tokens = EXPR` | the estimated cost of the call: a number of input tokens, `(input, output)` with the maximum output, or a `TokenEstimate` | the 95th percentile of earlier calls |
/// | `usage = F` | a path or closure `fn(&T) -> Usage` over the value, or `-> Option<Usage>`. With `stream`, over each item: a closure may keep a state, since there is one for each attempt | `HasUsage`, if the value implements it |
/// | `stream` | the function returns a stream or an iterator, which keeps the ticket until it has ended | the call ends when the function returns |
/// | `max_wait = EXPR` | the longest total time in the queue: a literal number of seconds, or an expression of type `Duration`. With 0 the call is sent at once or rejected | the limiter's, if any bound is given |
/// | `max_queue = N` | the maximum number of calls queued before this one (`u32`); with 0 the call is sent at once or rejected | the limiter's, if any bound is given |
/// | `deadline = EXPR` | the latest time at which the call may be sent: an `Instant` of `std` or `tokio` | |
/// | `bounded` | applies the limiter's own `max_wait` and `max_queue` to this call | applied if any bound is given |
/// | `priority = WORD` | `high`, `normal` or `low`, or an expression of type `Priority` | `normal` |
/// | `crate = PATH` | the path of `ratellmiter-core` | `::ratellmiter_core` |
///
/// All options except `when`, `classify` and `usage` are evaluated once a call, before the first attempt. They may use the
/// arguments and `Self`:
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
/// If the limiter has token budgets, the cost given by `tokens` is reserved when the call is sent, and settled when it ends:
/// unused tokens are refunded and additional ones are charged, by the rules of the provider.
///
/// The usage is found in any value that is `HasUsage`: a `serde_json::Value`, text or bytes with the body of any known
/// provider, and, with their features, the answers of clients. For other values, use the option `usage`, or call
/// `call::report_usage` in the body. If a call has no usage, its whole reservation stays charged.
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
/// With `stream` the call is in flight until the stream has ended or is dropped. The function returns `impl Stream`,
/// `Pin<Box<dyn Stream>>` or `BoxStream`, alone or in a `Result`, or in an alias whose name ends with `Result`. It waits for the
/// first item: if that is a refusal, the call is retried. A later refusal pauses the limiter, and its item is returned to the
/// caller. The usage is merged from all items; `OpenAI` sends it only with `stream_options.include_usage`. `when` classifies the
/// error of the function, not the errors of the items, and `classify` cannot be combined with `stream`.
///
/// ```ignore
/// #[ratellmiter(model = "gpt-4o", tokens = (estimate_tokens(prompt), 500), stream)]
/// async fn ask(prompt: &str) -> Result<ChatCompletionResponseStream, OpenAIError> { /* ... */ }
/// ```
///
/// Items of bytes and text are pieces of one body, which may be cut anywhere: server-sent events, lines of JSON, or a list of
/// JSON objects. Other items are read by themselves. For a type of your own that contains a stream, wrap the stream in
/// `call::attach(stream)`, without the option.
///
/// A plain `fn` for a blocking client returns `impl Iterator` or `Box<dyn Iterator>`, alone or in a `Result`, and waits for the
/// first item.
///
/// A plain `fn` that returns a stream starts when that is first polled, so the stream borrows all reference arguments: take a
/// `String` instead of a `&str` if the stream is to outlive it.
///
/// # Waiting
///
/// With `max_wait`, `max_queue`, `deadline` or `bounded`, a call that would wait too long is rejected at once with the
/// function's own error, whose type must be `From<Rejected>`, as `anyhow::Error` and `Box<dyn Error>` are. `max_wait` limits the
/// time in the queue over all attempts of a call, without the time in flight. A refused call that cannot be retried in time
/// returns the error of the refusal.
///
/// ```ignore
/// #[ratellmiter(model = "gpt-4o", max_wait = 2.5, priority = high)]
/// async fn complete(text: &str) -> anyhow::Result<String> { /* ... */ }
///
/// #[ratellmiter(model = "gpt-4o", deadline = until, priority = low)]
/// async fn summarise(text: &str, until: Instant) -> anyhow::Result<String> { /* ... */ }
/// ```
///
/// While a limiter is closed, because a quota is spent or its server accepts no call, calls of functions whose error type is
/// `From<Rejected>` fail at once, also without these options. In a generic function the bounds decide. Calls of other functions are
/// sent one at a time, and are not retried.
///
/// Refused calls are sent before all others, whatever their priority. Otherwise each priority below another is queued as if
/// its calls had arrived a minute later, so no call waits forever.
///
/// # Arguments
///
/// The body may run several times. Therefore:
///
/// * Arguments passed by value must be `Clone`; each attempt gets a clone. Write `impl Trait + Clone` for `impl Trait`.
/// * `&mut` arguments are reborrowed by each attempt: changes made by a refused attempt remain. The function cannot return a
///   borrow of one.
/// * the body can use `self` by value only as it could use `&self`: a body that consumes it does not compile.
/// * A function that returns a future, as all do under `#[async_trait]`, cannot take `&mut self`. Its future borrows all
///   reference arguments, even if the body does not.
///
/// # With other attributes
///
/// Write `#[async_trait]` on the trait or the impl, as usual. Of two attributes on one function, the upper one expands first
/// and becomes part of the body. With `#[tracing::instrument]` above this attribute each attempt has a span of its own; below
/// it, one span covers the waiting and all attempts.
///
/// # Blocking functions
///
/// A plain `fn` blocks its thread while it waits: within a runtime, call it from `spawn_blocking`.
///
/// # Nested calls
///
/// Within another call of the same limiter, the function uses the ticket of that call and makes one attempt, which the outer
/// call judges. Its options are not used, and a warning is logged once: annotate only the function that sends the request. In a
/// spawned task, or with another limiter, it is a call of its own.
///
/// # Cancel safety
///
/// Dropping the future, or a panic in the body, frees the call's place in the queue or in flight at once.
///
/// # Errors
///
/// The function's own error is returned unchanged if it is not a refusal, after the last attempt, and if the server asked for
/// a wait of more than ten minutes. With a bound, or while the limiter is closed, the error may also be converted from `Rejected`.
#[proc_macro_attribute]
pub fn ratellmiter(options: TokenStream, item: TokenStream) -> TokenStream {
    // After an error the function is emitted as written, so that its callers cause no further errors.
    let written = proc_macro2::TokenStream::from(item.clone());
    expand::expand(&options.into(), item.into())
        .unwrap_or_else(|error| {
            let error = error.into_compile_error();
            quote::quote!(#error #written)
        })
        .into()
}
