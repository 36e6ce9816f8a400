//! Errors that the function form cannot handle. The compiler reports each of them at the call and at its future.

use std::{future::ready, time::Duration};

use ratellmiter_core::{Classify, Limiter, Verdict};

struct ApiError;

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        Verdict::Failed
    }
}

fn unknown_error(limiter: &Limiter) {
    let _ = limiter.run(|| ready(Err::<(), _>(ApiError)));
}

fn unknown_error_of_a_runner(limiter: &Limiter) {
    let _ = limiter.runner().max_attempts(3).run(|| ready(Err::<(), _>(ApiError)));
}

fn error_without_a_rejection(limiter: &Limiter) {
    let _ = limiter.runner().max_wait(Duration::from_secs(3)).run(|| ready(Ok::<_, std::io::Error>(())));
}

fn main() {}
