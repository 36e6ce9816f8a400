//! The shapes in which providers report token usage.

use serde_json::Value;

use super::usage::Usage;

/// Reads the usage from an object of one shape. Returns `None` if the object has another shape.
pub(super) type UsageShape = fn(&Value) -> Option<Usage>;

/// Reads the usage of `OpenAI`'s chat completions, which most providers copy.
pub(super) fn chat(usage: &Value) -> Option<Usage> {
    let input = count(usage, "/prompt_tokens");
    // xAI and Gemini count reasoning in the total, but not in the completion.
    let rest = count(usage, "/total_tokens").zip(input).map(|(total, input)| total.saturating_sub(input));
    // OpenAI, DeepSeek, Together.
    let places = ["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"];
    let cached = places.iter().filter_map(|place| count(usage, place)).max();
    combined(input, cached, count(usage, "/completion_tokens").max(rest))
}

/// Reads the usage of Anthropic's messages and of `OpenAI`'s responses. `OpenAI` counts cached tokens in `input_tokens`,
/// Anthropic counts them apart.
pub(super) fn messages(usage: &Value) -> Option<Usage> {
    let (input, cached) = if usage.get("input_tokens_details").is_some_and(Value::is_object) {
        (count(usage, "/input_tokens"), "/input_tokens_details/cached_tokens")
    } else {
        let parts = ["/input_tokens", "/cache_creation_input_tokens", "/cache_read_input_tokens"];
        (sum(usage, &parts), "/cache_read_input_tokens")
    };
    combined(input, count(usage, cached), count(usage, "/output_tokens"))
}

/// Reads the usage of Bedrock's Converse API, which counts cached tokens apart from the input.
pub(super) fn converse(usage: &Value) -> Option<Usage> {
    let input = sum(usage, &["/inputTokens", "/cacheReadInputTokens", "/cacheWriteInputTokens"]);
    combined(input, count(usage, "/cacheReadInputTokens"), count(usage, "/outputTokens"))
}

/// Reads the usage that Bedrock adds to the last chunk of a stream in a model's own format. Cached tokens are counted apart.
pub(super) fn invocation_metrics(metrics: &Value) -> Option<Usage> {
    let input = sum(metrics, &["/inputTokenCount", "/cacheReadInputTokenCount", "/cacheWriteInputTokenCount"]);
    combined(input, count(metrics, "/cacheReadInputTokenCount"), count(metrics, "/outputTokenCount"))
}

/// Reads the usage of Cohere: the counted tokens, or else the billed ones.
pub(super) fn cohere(usage: &Value) -> Option<Usage> {
    ["/tokens", "/billed_units"].iter().find_map(|place| {
        let tokens = usage.pointer(place)?;
        combined(count(tokens, "/input_tokens"), None, count(tokens, "/output_tokens"))
    })
}

/// Reads the usage of Gemini, which counts cached tokens in the prompt, and thoughts apart from the candidates.
pub(super) fn gemini(usage: &Value) -> Option<Usage> {
    let output = sum(usage, &["/candidatesTokenCount", "/thoughtsTokenCount"]);
    combined(count(usage, "/promptTokenCount"), count(usage, "/cachedContentTokenCount"), output)
}

/// Reads the usage of Ollama, which stands at the top of its body.
pub(super) fn ollama(body: &Value) -> Option<Usage> {
    combined(count(body, "/prompt_eval_count"), None, count(body, "/eval_count"))
}

/// Returns the usage, or `None` if both input and output are missing.
fn combined(input: Option<u64>, cached: Option<u64>, output: Option<u64>) -> Option<Usage> {
    let usage = Usage::new(input.unwrap_or(0), output.unwrap_or(0)).cached(cached.unwrap_or(0));
    input.or(output).map(|_| usage)
}

/// Returns the sum of the counts that are present, or `None` if none is.
fn sum(usage: &Value, places: &[&str]) -> Option<u64> {
    places.iter().filter_map(|place| count(usage, place)).reduce(u64::saturating_add)
}

/// Returns a number of tokens. Fractions are rounded up; negative numbers are not counts.
fn count(usage: &Value, place: &str) -> Option<u64> {
    let number = usage.pointer(place)?;
    // Not negative, and clamped to the largest integer.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rounded = |number: f64| number.ceil() as u64;
    number.as_u64().or_else(|| number.as_f64().filter(|number| *number >= 0.0).map(rounded))
}
