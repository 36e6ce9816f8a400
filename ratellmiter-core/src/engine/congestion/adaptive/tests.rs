use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

/// Returns a limit of 300 that was refused at 100.
fn refused() -> AdaptiveLimit {
    let mut limit = AdaptiveLimit::new(300.0, 1.0);
    limit.on_refusal(100.0);
    limit
}

#[test]
fn unrefused_limit_is_the_configured_one() {
    let limit = AdaptiveLimit::new(300.0, 1.0);
    assert!(near(limit.allowed(), 300.0));
    assert_eq!((limit.adapted(), limit.ceiling()), (None, None));
}

#[test]
fn refused_limit_returns_to_the_ceiling_and_beyond() {
    let mut limit = refused();
    let mut allowed = vec![limit.allowed()];
    for _ in 0..40 {
        limit.on_backlogged(seconds(1));
        allowed.push(limit.allowed());
    }
    assert!(near(allowed[0], 85.0) && near(allowed[6], 100.0), "{allowed:?}");
    assert!(near(allowed[3], 98.125), "the return is steep at first: {allowed:?}");
    assert!(near(allowed[8], 102.0) && near(allowed[10], 106.0) && near(allowed[12], 114.0), "{allowed:?}");
    assert!(allowed.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(near(allowed[40], 300.0));
    assert_eq!((limit.adapted(), limit.ceiling()), (None, None), "as configured");
}

#[test]
fn repeated_ceiling_lengthens_the_return_until_it_moves() {
    let mut limit = refused();
    let seconds_to_ceiling = |limit: &mut AdaptiveLimit, ceiling: f64| {
        (0..10_000)
            .find(|_| {
                limit.on_backlogged(Duration::from_millis(100));
                limit.allowed() > ceiling - 1e-6
            })
            .unwrap()
            / 10
    };
    let mut times = vec![seconds_to_ceiling(&mut limit, 100.0)];
    for _ in 0..12 {
        limit.on_refusal(100.0);
        times.push(seconds_to_ceiling(&mut limit, 100.0));
    }
    assert_eq!(times[..5], [5, 8, 13, 20, 30], "1.5 times as long each time, from 6 seconds on");
    assert_eq!(times.last(), Some(&239), "at most 4 minutes");
    limit.on_refusal(50.0);
    assert_eq!(seconds_to_ceiling(&mut limit, 50.0), 5);
}

#[test]
fn limit_stays_between_floor_and_configured() {
    let mut limit = AdaptiveLimit::new(300.0, 1.0);
    limit.on_refusal(f64::INFINITY);
    assert!(near(limit.allowed(), 255.0));
    limit.on_refusal(0.0);
    assert!(near(limit.allowed(), 1.0));
    limit.set_bounds(1.0, 1.0);
    (0..1000).for_each(|_| limit.on_backlogged(seconds(60)));
    assert!(near(limit.allowed(), 1.0));
}

#[test]
fn restored_ceiling_counts_as_a_refusal_once() {
    let mut limit = AdaptiveLimit::new(300.0, 1.0);
    limit.restore(100.0);
    assert!(near(limit.allowed(), 85.0));
    limit.restore(200.0);
    assert_eq!(limit.ceiling(), Some(100.0));
    let mut invalid = AdaptiveLimit::new(300.0, 1.0);
    invalid.restore(f64::NAN);
    invalid.restore(f64::INFINITY);
    assert_eq!(invalid.ceiling(), None);
    invalid.restore(-7.0);
    assert!(near(invalid.allowed(), 1.0));
}
