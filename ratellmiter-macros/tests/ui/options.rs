//! Mistakes in the options. Each causes one error, at the option.

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

#[ratellmiter(transient_attempts = 0, transient_attempts = 1)]
async fn two_numbers() {}

#[ratellmiter(stream = true)]
fn stream_with_a_value() -> futures::stream::Empty<u8> {
    futures::stream::empty()
}

#[ratellmiter(bounded = 3)]
async fn bounded_with_a_value() -> anyhow::Result<u8> {
    Ok(1)
}

#[ratellmiter(stream, classify = judge)]
async fn stream_and_classify() {}

#[ratellmiter(classify = judge, stream)]
async fn classify_and_stream() {}

#[ratellmiter(tokens = 1, tokens = 2)]
async fn tokens_twice() {}

#[ratellmiter(usage = judge, max_wait = 3, usage = judge)]
async fn usage_twice() {}

#[ratellmiter(max_wait = 1, max_queue = 2, max_wait = 3)]
async fn max_wait_twice() {}

#[ratellmiter(bounded, bounded)]
async fn bounded_twice() {}

#[ratellmiter(stream, tokens = 7, stream)]
async fn stream_twice() {}

#[ratellmiter(priority = low, priority = high)]
async fn priority_twice() {}

#[ratellmiter(priority = 3)]
async fn priority_in_numbers() {}

#[ratellmiter(priority = urgent)]
async fn priority_in_another_word() {}

#[ratellmiter(max_wait = 1e300)]
async fn max_wait_too_large() -> anyhow::Result<u8> {
    Ok(1)
}

#[ratellmiter(priority = "high")]
async fn priority_in_quotes() {}

#[ratellmiter(tokens)]
async fn tokens_of_nothing() {}

#[ratellmiter(max_wait)]
async fn max_wait_of_nothing() {}

#[ratellmiter(bounded(3))]
async fn bounded_in_parentheses() {}

#[ratellmiter(stream(item))]
async fn stream_in_parentheses() {}

fn main() {
    // The functions still exist.
    let _ = (literal(), unknown(), twice(), both(), without_value(), without_value_and_more());
    let _ = (without_value_at_the_end(), without_value_after_the_sign(), without_value_between());
    let _ = (stream_with_a_value(), bounded_with_a_value(), stream_and_classify(), classify_and_stream());
    let _ = (tokens_twice(), usage_twice(), max_wait_twice(), bounded_twice(), stream_twice(), priority_twice());
    let _ = (priority_in_numbers(), priority_in_another_word(), max_wait_too_large(), priority_in_quotes(), tokens_of_nothing(), max_wait_of_nothing());
    let _ = (bounded_in_parentheses(), stream_in_parentheses());
    let _ = (in_parentheses(), without_the_sign(), path_in_quotes(), never());
}
