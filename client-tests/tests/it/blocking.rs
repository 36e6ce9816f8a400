//! The refusals of the vectors for blocking clients, which wait in real time.

use std::{
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{Limiter, Limits};

use crate::support::{
    Answer, Server,
    vectors::{Refusal, Treatment, refusals, success},
};

pub(crate) fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(600_000).no_ramp())
}

/// Plays each refusal to `ask`, a function that makes one attempt until it is refused and returns `true` for a success. Each runs in
/// its own thread.
pub(crate) fn check_refusals(ask: impl Fn(&Limiter, &str) -> bool + Sync) {
    let refusals = refusals();
    assert!(refusals.len() >= 80, "{}", refusals.len());
    thread::scope(|scope| {
        for refusal in &refusals {
            scope.spawn(|| check_refusal(refusal, &ask));
        }
    });
}

fn check_refusal(refusal: &Refusal, ask: &impl Fn(&Limiter, &str) -> bool) {
    let server = Server::start(vec![refusal.answer.clone(), success()]);
    let limiter = limiter();
    let start = Instant::now();
    let succeeded = ask(&limiter, &server.url());
    let now = limiter.snapshot();
    let pause = now.paused_until.map(|until| until.saturating_duration_since(start));
    let is_right = |treatment: &Treatment| match treatment {
        Treatment::Returned => !succeeded && server.requests() == 1 && (pause.is_none() || now.closed.is_some()),
        Treatment::Retried(hint) => {
            // The jitter is a tenth of the pause.
            let expected = hint.unwrap_or(Duration::from_secs(2));
            let max =
                start.elapsed() + expected + (expected / 10).clamp(Duration::from_millis(20), Duration::from_secs(1));
            // A short pause may have passed.
            let is_paused = pause.map_or_else(|| expected < start.elapsed(), |pause| pause >= expected && pause <= max);
            !succeeded && server.requests() == 1 && is_paused
        }
        Treatment::SentAgain(_) => succeeded && server.requests() == 2,
    };
    let found = format!("succeeded: {succeeded}, requests: {}, pause: {pause:?}", server.requests());
    assert!(refusal.treatments.iter().any(is_right), "{}: {found}, not {:?}", refusal.id, refusal.treatments);
}

/// Returns a refusal with a hint of some milliseconds.
pub(crate) fn short_refusal() -> Answer {
    let body =
        r#"{"error": {"code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 30ms."}}"#;
    Answer::new(429, &[("content-type", "application/json"), ("retry-after-ms", "30")], body)
}
