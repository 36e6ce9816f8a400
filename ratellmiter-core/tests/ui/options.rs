//! Mistakes in the options: each is one error, at the option.

use ratellmiter_core::ratellmiter;

#[ratellmiter("gpt-4o")]
async fn literal() {}

#[ratellmiter(mode = "gpt-4o")]
async fn unknown() {}

#[ratellmiter(model = "a", model = "b")]
async fn twice() {}

#[ratellmiter(limiter = LIMITER, model = "b")]
async fn both() {}

#[ratellmiter(model)]
async fn without_value() {}

#[ratellmiter(model, max_attempts = 3)]
async fn without_value_and_more() {}

#[ratellmiter(max_attempts = 0)]
async fn never() {}

fn main() {
    // They are still there.
    let _ = (literal(), unknown(), twice(), both(), without_value(), without_value_and_more(), never());
}
