use super::*;

/// Returns `true` if `pause` is `millis` milliseconds plus a jitter within its bounds.
fn is_about(pause: Duration, millis: u64) -> bool {
    let exact = Duration::from_millis(millis);
    exact < pause && pause <= exact + (exact / 20).clamp(Duration::from_millis(10), Duration::from_millis(500))
}

#[test]
fn pauses_grow_to_65_seconds_until_reset() {
    let mut backoff = Backoff::new(1);
    for millis in [2000, 3000, 4500, 6750, 10_125, 15_187, 22_781, 34_171, 51_257, 65_000, 65_000] {
        let pause = backoff.pause(None);
        assert!(is_about(pause, millis), "{pause:?} is not about {millis} ms");
    }
    backoff.reset();
    assert!(is_about(backoff.pause(None), 2000));
}

#[test]
fn hint_is_followed_exactly_only_once() {
    let mut backoff = Backoff::new(2);
    assert!(is_about(backoff.pause(Some(Duration::from_secs(7))), 7000));
    backoff.reset();
    assert!(is_about(backoff.pause(Some(Duration::ZERO)), 0));
    assert!(is_about(backoff.pause(Some(Duration::ZERO)), 2000));
    assert!(is_about(backoff.pause(Some(Duration::ZERO)), 3000));
    assert!(is_about(backoff.pause(Some(Duration::from_secs(9))), 9000));
}

#[test]
fn seeds_make_pauses_differ() {
    let pauses = [3, 4].map(|seed| Backoff::new(seed).pause(Some(Duration::from_secs(5))));
    assert_ne!(pauses[0], pauses[1]);
}

#[test]
fn canary_timeout_is_a_multiple_of_the_slowest_refusal() {
    let mut backoff = Backoff::new(0);
    assert_eq!(backoff.canary_timeout(), Duration::from_secs(1));
    backoff.on_refusal_latency(Duration::from_millis(900));
    backoff.on_refusal_latency(Duration::from_millis(100));
    assert_eq!(backoff.canary_timeout(), Duration::from_millis(2700));
    let mut quick = Backoff::new(0);
    quick.on_refusal_latency(Duration::from_millis(20));
    assert_eq!(quick.canary_timeout(), Duration::from_millis(250));
}
