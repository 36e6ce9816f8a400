//! Where the providers put their counts, and what they call them.

use serde_json::Value;

use crate::providers::usage::Usage;

type Shape = fn(&Value) -> Option<Usage>;

/// The places, and whose words are spoken there. Nothing else is looked at: a prompt may have the word "usage" in it too.
const PLACES: &[(&str, Shape)] = &[
    ("/usage", chat),
    ("/usage", messages),
    ("/usage", converse),
    ("/usage", cohere),
    ("/usageMetadata", gemini),
    // OpenAI's `response.completed`.
    ("/response/usage", messages),
    // Anthropic's `message_start`.
    ("/message/usage", messages),
    // Bedrock's `ConverseStream`.
    ("/metadata/usage", converse),
    // Cohere's `message-end`, and its first version.
    ("/delta/usage", cohere),
    ("/meta", cohere),
    // Groq's streams.
    ("/x_groq/usage", chat),
    ("", ollama),
];

/// What one body or event tells.
pub(super) fn read(answer: &Value) -> Option<Usage> {
    PLACES.iter().find_map(|(place, shape)| shape(answer.pointer(place)?))
}

/// `OpenAI`'s chat completions, and those of all who copy them.
fn chat(usage: &Value) -> Option<Usage> {
    let input = count(usage, "/prompt_tokens");
    // xAI and Gemini leave the reasoning out of the completion, but not out of the total.
    let rest = count(usage, "/total_tokens").zip(input).map(|(total, input)| total.saturating_sub(input));
    // OpenAI, DeepSeek, Together.
    let places = ["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"];
    let cached = places.iter().filter_map(|place| count(usage, place)).max();
    told(input, cached, count(usage, "/completion_tokens").max(rest))
}

/// Anthropic's messages and `OpenAI`'s responses. Both say `input_tokens`; with Anthropic the cache stands beside them, with
/// `OpenAI` it is a detail of them.
fn messages(usage: &Value) -> Option<Usage> {
    let (input, cached) = if usage.get("input_tokens_details").is_some_and(Value::is_object) {
        (count(usage, "/input_tokens"), "/input_tokens_details/cached_tokens")
    } else {
        let parts = ["/input_tokens", "/cache_creation_input_tokens", "/cache_read_input_tokens"];
        (sum(usage, &parts), "/cache_read_input_tokens")
    };
    told(input, count(usage, cached), count(usage, "/output_tokens"))
}

/// Bedrock's Converse: as with Anthropic, the cache stands beside the input.
fn converse(usage: &Value) -> Option<Usage> {
    let input = sum(usage, &["/inputTokens", "/cacheReadInputTokens", "/cacheWriteInputTokens"]);
    told(input, count(usage, "/cacheReadInputTokens"), count(usage, "/outputTokens"))
}

/// What was counted, else what is billed.
fn cohere(usage: &Value) -> Option<Usage> {
    ["/tokens", "/billed_units"].iter().find_map(|place| {
        let tokens = usage.pointer(place)?;
        told(count(tokens, "/input_tokens"), None, count(tokens, "/output_tokens"))
    })
}

/// The cache is a part of the prompt; thoughts are no part of the candidates.
fn gemini(usage: &Value) -> Option<Usage> {
    let output = sum(usage, &["/candidatesTokenCount", "/thoughtsTokenCount"]);
    told(count(usage, "/promptTokenCount"), count(usage, "/cachedContentTokenCount"), output)
}

fn ollama(answer: &Value) -> Option<Usage> {
    told(count(answer, "/prompt_eval_count"), None, count(answer, "/eval_count"))
}

/// `None` if neither input nor output is told.
fn told(input: Option<u64>, cached: Option<u64>, output: Option<u64>) -> Option<Usage> {
    let usage = Usage::new(input.unwrap_or(0), output.unwrap_or(0)).cached(cached.unwrap_or(0));
    input.or(output).map(|_| usage)
}

/// Of the counts that are there; `None` if none is.
fn sum(usage: &Value, places: &[&str]) -> Option<u64> {
    places.iter().filter_map(|place| count(usage, place)).reduce(u64::saturating_add)
}

/// A number of tokens. Fractions are rounded up; what is negative is no count.
fn count(usage: &Value, place: &str) -> Option<u64> {
    let number = usage.pointer(place)?;
    // It is not negative, and what is too large becomes the largest.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rounded = |number: f64| number.ceil() as u64;
    number.as_u64().or_else(|| number.as_f64().filter(|number| *number >= 0.0).map(rounded))
}
