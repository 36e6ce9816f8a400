use proptest::prelude::*;

use super::*;

fn window(per_minute: u32) -> RequestWindow {
    RequestWindow::new(NonZeroU32::new(per_minute).unwrap(), Duration::ZERO)
}

#[test]
fn minute_is_half_open() {
    let mut window = window(1);
    window.admit(Duration::from_millis(1003));
    assert_eq!(window.due(), Duration::from_millis(61_003));
}

#[test]
fn second_allows_one_extra_call() {
    let mut window = window(90);
    for at in [0, 10, 20] {
        assert_eq!(window.due(), Duration::ZERO);
        window.admit(Duration::from_millis(at));
    }
    assert_eq!(window.due(), Duration::from_secs(1));
}

#[test]
fn cancelled_call_makes_room() {
    let mut window = window(1);
    window.admit(Duration::from_secs(5));
    window.cancel(Duration::from_secs(5));
    assert_eq!(window.due(), Duration::ZERO);
}

#[test]
fn lowered_limit_counts_earlier_calls() {
    let mut window = window(600);
    for at in 0..10 {
        window.admit(Duration::from_millis(at * 100));
    }
    window.set(NonZeroU32::new(5).unwrap(), Duration::ZERO);
    // The sixth of the ten calls must expire first.
    assert_eq!(window.due(), Duration::from_millis(60_500));
}

proptest! {
    #[test]
    fn no_interval_exceeds_its_limit(per_minute in 1_u32..2000, gaps in prop::collection::vec(0_u64..3_000_000_000, 1..400)) {
        let mut window = window(per_minute);
        let mut now = Duration::ZERO;
        let mut sent: Vec<Duration> = Vec::new();
        for gap in gaps {
            now = (now + Duration::from_nanos(gap)).max(window.due());
            window.admit(now);
            sent.push(now);
            for (width, limit) in [(60, per_minute as usize), (1, per_minute.div_ceil(60) as usize + 1)] {
                let inside = sent.iter().filter(|at| **at + Duration::from_secs(width) > now).count();
                prop_assert!(inside <= limit, "{inside} calls in {width} s");
            }
        }
    }

    #[test]
    fn cancel_is_exact(calls in prop::collection::vec(0_u64..30_000, 1..60), keep in any::<prop::sample::Index>()) {
        let mut times = calls;
        times.sort_unstable();
        let last = keep.index(times.len());
        let mut window = window(1_000_000);
        times.iter().for_each(|&at| window.admit(Duration::from_millis(at)));
        times[last..].iter().for_each(|&at| window.cancel(Duration::from_millis(at)));
        let end = Duration::from_millis(*times.last().unwrap());
        let inside = times[..last].iter().filter(|&&at| Duration::from_millis(at) + Duration::from_secs(60) > end).count();
        prop_assert_eq!(window.minute.total(end), inside as u64);
    }
}
