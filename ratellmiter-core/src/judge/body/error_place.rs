//! The place of the error in a body.

use serde_json::Value;

/// Returns the error in a body, or in one event of a stream: its own, that of its only choice (`OpenRouter`, if the
/// provider behind it failed midway), that of the response in the event (`OpenAI`'s Responses), a list (Cloudflare), or the
/// event itself.
pub(super) fn error_in(body: &Value) -> Option<&Value> {
    let places = ["/error", "/choices/0/error", "/response/error"];
    let error = places.iter().find_map(|place| body.pointer(place).filter(|error| is_present(error)));
    let list = || body.get("errors").filter(|errors| errors.is_array() && is_present(errors) && !has_answer(body));
    error.or_else(list).or_else(|| is_error_itself(body).then_some(body))
}

/// Returns `true` if a body, or an event of a stream, is an error and not an answer.
pub(in crate::judge) fn is_error(body: &Value) -> bool {
    // MiniMax: zero is a success.
    let result = body.pointer("/base_resp/status_code").and_then(Value::as_u64);
    error_in(body).is_some() || result.is_some_and(|code| code != 0)
}

/// Returns `true` if the body, or the event of a stream, is an error as a whole.
fn is_error_itself(body: &Value) -> bool {
    let is = |key, word| body.get(key).is_some_and(|value| value == word);
    let has_code = body.get("code").is_some_and(is_present);
    is("object", "error") || (has_code && (is("type", "error") || body.get("success") == Some(&Value::Bool(false))))
}

/// Returns `false` for the values by which a field is left empty.
fn is_present(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_u64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Returns `true` if a body has the answer to a request. Lists of errors beside one, as in GraphQL, are warnings.
fn has_answer(body: &Value) -> bool {
    ["choices", "data", "result", "output", "content", "candidates"]
        .iter()
        .any(|key| body.get(key).is_some_and(is_present))
}
