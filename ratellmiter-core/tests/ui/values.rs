//! Values of the wrong type: the error is at the value.

use ratellmiter_core::ratellmiter;

#[ratellmiter(model = 7)]
async fn model() {}

#[ratellmiter(limiter = "gpt-4o")]
async fn limiter() {}

#[ratellmiter(max_attempts = "3")]
async fn attempts() {}

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

#[ratellmiter(crate = ::nowhere)]
async fn nowhere() {}

fn main() {}
