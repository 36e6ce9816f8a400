//! Codes that are numbers of small range. They get the name of their provider's place before them, since other providers use
//! the same numbers for something else: `error.1302` (Zhipu), `base_resp.1002` (`MiniMax`), `errors.3040` (Cloudflare).

use serde_json::Value;

/// Returns the number of an error in the shape of Zhipu, which sends nothing but a code and a message. Its route in Anthropic's
/// shape also sends the number as the type, or in brackets at the start of the message.
pub(super) fn of_zhipu(error: &Value) -> Option<u32> {
    let fields = error.as_object()?;
    let message = fields.get("message").and_then(Value::as_str).unwrap_or_default();
    let has_other_fields =
        || fields.iter().any(|(key, value)| !matches!(key.as_str(), "code" | "message") && is_set(value));
    let code = fields.get("code").and_then(number).filter(|_| !has_other_fields());
    code.or_else(|| fields.get("type").and_then(number)).or_else(|| {
        let (number, _) = message.strip_prefix('[')?.split_once(']')?;
        parse(number)
    })
}

/// Returns the number of an error in the shape of `MiniMax`'s route for Anthropic's clients: in parentheses at the end of the
/// message. `is_anthropic` is `true` if the body has that shape.
pub(super) fn of_minimax(error: &Value, is_anthropic: bool) -> Option<u32> {
    if !is_anthropic && error.get("http_code").is_none() {
        return None;
    }
    let message = error.get("message").and_then(Value::as_str)?;
    let (_, number) = message.trim_end().strip_suffix(')')?.rsplit_once('(')?;
    parse(number)
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => {
            number.as_u64().and_then(|number| u32::try_from(number).ok()).filter(is_of_four_digits)
        }
        Value::String(text) => parse(text),
        _ => None,
    }
}

fn parse(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(is_of_four_digits).filter(|_| is_number)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // A filter.
fn is_of_four_digits(number: &u32) -> bool {
    (1000..10_000).contains(number)
}

/// Returns `false` for the values by which clients fill a field that the provider did not send.
fn is_set(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}
