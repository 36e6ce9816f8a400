//! Values of the wrong type. The error is at the value.

use ratellmiter_core::ratellmiter;

#[ratellmiter(model = 7)]
async fn model() {}

#[ratellmiter(limiter = "gpt-4o")]
async fn limiter() {}

#[ratellmiter(max_attempts = "3")]
async fn attempts() {}

#[ratellmiter(transient_attempts = "2")]
async fn transient_attempts() {}

#[ratellmiter(when = |_| true)]
async fn no_result() -> Option<u8> {
    None
}

#[ratellmiter(when = is_refused)]
async fn nothing() {}

#[ratellmiter(when = is_refused)]
fn plain_no_result() -> u8 {
    1
}

fn is_refused(_: &String) -> bool {
    true
}

#[ratellmiter(when = |text: &str| text.is_empty())]
async fn other_error() -> Result<u8, String> {
    Ok(1)
}

#[ratellmiter(tokens = "many")]
async fn tokens() {}

#[ratellmiter(priority = 3 + 4)]
async fn priority_of_another_type() {}

#[ratellmiter(max_wait = "3 s")]
async fn max_wait() -> anyhow::Result<u8> {
    Ok(1)
}

#[ratellmiter(max_queue = 2.5)]
async fn max_queue() -> anyhow::Result<u8> {
    Ok(1)
}

#[ratellmiter(deadline = std::time::Duration::from_secs(3))]
async fn deadline() -> anyhow::Result<u8> {
    Ok(1)
}

#[ratellmiter(usage = 7)]
async fn usage() -> Result<String, String> {
    Ok(String::new())
}

#[ratellmiter(usage = |answer: &Vec<u8>| ratellmiter_core::Usage::new(answer.len() as u64, 0))]
async fn usage_of_another_value() -> Result<String, String> {
    Ok(String::new())
}

#[ratellmiter(usage = |answer: &String| answer.len())]
async fn usage_of_no_usage() -> Result<String, String> {
    Ok(String::new())
}

#[ratellmiter(crate = ::nowhere)]
async fn nowhere() {}

fn main() {}
