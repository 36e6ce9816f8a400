use std::time::Duration;

use super::*;

fn entry() -> Entry {
    Entry { limiter: Limiter::new(Limits::per_minute(60)), code_limits: None }
}

fn len(limiters: &Limiters) -> usize {
    let mut count = 0;
    limiters.for_each(|_, _| count += 1);
    count
}

fn forget_all(limiters: &Limiters) {
    (0..SHARDS).for_each(|turn| limiters.forget_some(turn));
}

#[tokio::test(start_paused = true)]
async fn unused_limiters_are_forgotten_and_others_are_kept() {
    let limiters = Limiters::new();
    let held = limiters.get_or_insert("held", |_| entry());
    let clone = limiters.get_or_insert("held", |_| panic!("it exists"));
    assert!(held.is_same(&clone));
    for model in ["configured", "limited", "paused", "unused"] {
        drop(limiters.get_or_insert(model, |_| entry()));
    }
    limiters.set_code_limits("configured", Limits::per_minute(7));
    limiters.get("limited").unwrap().set_limits(Limits::per_minute(7));
    let refused = crate::Verdict::rate_limited().with_retry_after(Duration::from_mins(9));
    limiters.get("paused").unwrap().report_refusal(refused);
    forget_all(&limiters);
    assert_eq!(len(&limiters), 5, "a new limiter counts the window of a minute");
    tokio::time::advance(Duration::from_mins(5)).await;
    forget_all(&limiters);
    assert!(limiters.get("unused").is_none());
    assert_eq!(len(&limiters), 4);
    assert_eq!(limiters.get("limited").unwrap().limits(), Limits::per_minute(7));
    assert!(limiters.get("held").unwrap().is_same(&held));
}

#[tokio::test(start_paused = true)]
async fn memory_is_bounded_for_any_number_of_names() {
    let limiters = Limiters::new();
    let mut most = 0;
    for minute in 0..20 {
        for tenant in 0..1000 {
            limiters.get_or_insert(&format!("{minute}/{tenant}"), |_| entry()).acquire().await.finish();
        }
        most = most.max(len(&limiters));
        tokio::time::advance(Duration::from_mins(1)).await;
    }
    // The limiters of the last three minutes are remembered, and as many may wait to be forgotten.
    assert!((3000..=6000 + SHARDS * MIN_FORGET).contains(&most), "{most}");
}
