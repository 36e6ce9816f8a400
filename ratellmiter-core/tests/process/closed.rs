//! Calls that cannot fail while their limiter is closed cause one warning.

use ratellmiter_core::{LimitKind, Limiter, Limits, Verdict, ratellmiter};

use crate::{is_alone, warnings::Warnings};

fn spent<T>(_: &T) -> Verdict {
    Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing }
}

#[ratellmiter(limiter = limiter, classify = spent)]
async fn fallible(limiter: &Limiter) -> anyhow::Result<()> {
    anyhow::bail!("{:?}", limiter.limits())
}

#[ratellmiter(limiter = limiter, classify = spent)]
async fn plain(limiter: &Limiter) -> Result<(), String> {
    Err(format!("{:?}", limiter.limits()))
}

#[tokio::test(start_paused = true)]
async fn calls_that_cannot_fail_warn_once() {
    if !is_alone("closed::calls_that_cannot_fail_warn_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let limiters = [(); 2].map(|()| Limiter::new(Limits::per_minute(600)));
    for limiter in &limiters {
        for _ in 0..3 {
            assert!(fallible(limiter).await.is_err());
        }
    }
    assert_eq!(warnings.said(), "");
    for limiter in &limiters {
        for _ in 0..3 {
            assert!(plain(limiter).await.is_err());
        }
    }
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("Implement `From<ratellmiter_core::Rejected>` for the error type"), "{warned}");
}
