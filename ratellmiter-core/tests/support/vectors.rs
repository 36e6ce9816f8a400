//! The refusals of the test vectors as responses of a server, with the expected outcome for a real client.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::Answer;

#[derive(Debug)]
pub struct Refusal {
    pub id: String,
    pub answer: Answer,
    /// The treatments of the call that are right. The first is the best.
    pub treatments: Vec<Treatment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// The error is returned at once.
    Returned,
    /// The call is retried after the server's hint, or after two seconds, and succeeds with the second request.
    Retried(Option<Duration>),
    /// The call is sent again after the server's hint, or after half a second, and succeeds with the second request.
    SentAgain(Option<Duration>),
}

/// Returns all refusals with an error status.
pub fn refusals() -> Vec<Refusal> {
    let mut refusals = refusals_in(include_str!("../vectors/outcomes.json"), 25);
    refusals.extend(refusals_in(include_str!("../vectors/field.json"), 55));
    refusals
}

fn refusals_in(file: &str, min: usize) -> Vec<Refusal> {
    let vectors: Value = serde_json::from_str(file).unwrap();
    let now = vectors["now_epoch"].as_u64().unwrap();
    let outcomes = vectors["outcomes"].as_array().unwrap().iter();
    let refused = outcomes.filter(|vector| vector["status"].as_u64().is_some_and(|status| status >= 400));
    let refusals: Vec<_> = refused.map(|vector| refusal(&as_of_today(vector, now))).collect();
    assert!(refusals.len() >= min, "{}", refusals.len());
    refusals
}

/// Moves times in epoch milliseconds from the `now` of the vectors to today, the clock of real clients.
fn as_of_today(vector: &Value, now: u64) -> Value {
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let move_to_today = |text: &str| {
        let moved = text.parse().ok().filter(|millis: &u128| *millis > 1_000_000_000_000);
        moved.map(|millis| (millis + today - u128::from(now) * 1000).to_string())
    };
    match vector {
        Value::String(text) => move_to_today(text).unwrap_or_else(|| text.clone()).into(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), as_of_today(value, now))).collect(),
        other => other.clone(),
    }
}

fn refusal(vector: &Value) -> Refusal {
    let headers = vector["headers"].as_object().unwrap();
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    headers.push(("content-type", "application/json"));
    let status = u16::try_from(vector["status"].as_u64().unwrap()).unwrap();
    let body = vector["body"].as_str().map_or_else(|| vector["body"].to_string(), str::to_owned);
    let also = vector["also"].as_array().into_iter().flatten();
    Refusal {
        id: vector["id"].as_str().unwrap().to_owned(),
        answer: Answer::new(status, &headers, body),
        treatments: [vector].into_iter().chain(also).map(treatment).collect(),
    }
}

fn treatment(vector: &Value) -> Treatment {
    let hint = vector["retry_ms"].as_u64().map(Duration::from_millis);
    match vector["verdict"].as_str().unwrap() {
        _ if hint.is_some_and(|hint| hint > Duration::from_mins(10)) => Treatment::Returned,
        "RateLimited" | "Overloaded" => Treatment::Retried(hint),
        "Transient" => Treatment::SentAgain(hint),
        _ => Treatment::Returned,
    }
}

/// Returns the refusal of the examples: `OpenAI`'s, with a hint of three quarters of a second.
pub fn example() -> Answer {
    refusals().swap_remove(0).answer
}

/// Returns a chat completion that all clients of `OpenAI`'s API accept.
pub fn success() -> Answer {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_502_400, "model": "gpt-4o",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "hello" } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 }
    });
    Answer::new(200, &[("content-type", "application/json")], body.to_string())
}

/// Checks the outcome of a call: `succeeded`, the number of `requests` that the server received, and the time that the call took.
pub fn check(refusal: &Refusal, succeeded: bool, requests: usize, took: Duration) {
    let is_right = |treatment: &Treatment| match treatment {
        Treatment::Returned => !succeeded && requests == 1,
        Treatment::Retried(hint) | Treatment::SentAgain(hint) => {
            let without_hint = if matches!(treatment, Treatment::Retried(_)) { 2000 } else { 500 };
            // The jitter is a tenth of the pause, and the clock counts milliseconds.
            let pause = hint.unwrap_or(Duration::from_millis(without_hint));
            let jitter = (pause / 10).clamp(Duration::from_millis(10), Duration::from_secs(1));
            let max = pause + jitter + Duration::from_millis(2);
            succeeded && requests == 2 && took >= pause && took <= max
        }
    };
    let Refusal { id, treatments, .. } = refusal;
    let found = format!("succeeded: {succeeded}, requests: {requests}, took {took:?}");
    assert!(treatments.iter().any(is_right), "{id}: {found}, not {treatments:?}");
}
