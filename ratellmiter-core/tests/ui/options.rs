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

#[ratellmiter(when = |_| true, classify = judge)]
async fn both_judges() {}

#[ratellmiter(model)]
async fn without_value() {}

#[ratellmiter(model, max_attempts = 3)]
async fn without_value_and_more() {}

#[ratellmiter(max_attempts = 3, when)]
async fn without_value_at_the_end() {}

#[ratellmiter(model =)]
async fn without_value_after_the_sign() {}

#[ratellmiter(model = , max_attempts = 3)]
async fn without_value_between() {}

#[ratellmiter(limiter(LIMITER))]
async fn in_parentheses() {}

#[ratellmiter(model "gpt-4o")]
async fn without_the_sign() {}

#[ratellmiter(crate = "ratellmiter_core")]
async fn path_in_quotes() {}

#[ratellmiter(max_attempts = 0)]
async fn never() {}

fn main() {
    // They are still there.
    let _ = (literal(), unknown(), twice(), both(), without_value(), without_value_and_more());
    let _ = (without_value_at_the_end(), without_value_after_the_sign(), without_value_between());
    let _ = (in_parentheses(), without_the_sign(), path_in_quotes(), never());
}
