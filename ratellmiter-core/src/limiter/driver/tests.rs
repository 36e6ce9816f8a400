use super::*;
use crate::{Limiter, Limits, Verdict};

#[tokio::test(start_paused = true)]
async fn pause_that_ended_while_the_machine_was_suspended_is_over() {
    let limiter = Limiter::new(Limits::per_minute(600).no_ramp());
    limiter.report_refusal(Verdict::rate_limited().with_retry_after(Duration::from_mins(9)));
    let acquired = tokio::spawn(limiter.acquire());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!acquired.is_finished());
    // Longer than this machine was suspended since its start.
    limiter.0.lock().clock.add_suspension_until(Duration::from_hours(24 * 400));
    let resumed = tokio::time::Instant::now();
    acquired.await.unwrap().finish();
    assert!(resumed.elapsed() <= MAX_SLEEP, "{:?}", resumed.elapsed());
}
