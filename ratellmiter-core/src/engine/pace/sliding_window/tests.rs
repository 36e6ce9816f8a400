use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn minute() -> SlidingWindow {
    SlidingWindow::new(seconds(60), Duration::from_millis(1))
}

#[test]
fn expired_amounts_make_room() {
    let mut window = minute();
    window.charge(seconds(1), 400);
    window.charge(seconds(2), 300);
    window.charge(seconds(3), 300);
    assert_eq!((window.taken_since(seconds(1)), window.taken_since(seconds(3))), (600, 0));
    assert_eq!(window.due(1, 1000), seconds(61));
    assert_eq!(window.due(400, 1000), seconds(61));
    assert_eq!(window.due(401, 1000), seconds(62));
    assert_eq!(window.total(seconds(61)), 600);
    assert_eq!(window.due(400, 1000), Duration::ZERO);
}

#[test]
fn cost_above_the_limit_needs_an_empty_window() {
    let mut window = minute();
    assert_eq!(window.due(u64::MAX, 1000), Duration::ZERO);
    window.charge(seconds(1), 1);
    window.charge(seconds(9), 1);
    assert_eq!(window.due(5000, 1000), seconds(69));
    window.charge(seconds(69), u64::MAX);
    window.charge(seconds(70), u64::MAX);
    assert_eq!(window.due(1, 1000), seconds(129));
}

#[test]
fn refund_makes_room_until_the_entry_expires() {
    let mut window = minute();
    window.charge(seconds(1), 400);
    window.charge(seconds(5), 600);
    window.refund(seconds(1), 100);
    assert_eq!(window.due(100, 1000), Duration::ZERO);
    window.refund(seconds(3), 100);
    assert_eq!(window.total(seconds(5)), 900, "nothing was charged then");
    assert_eq!(window.total(seconds(61)), 600);
    window.refund(seconds(1), 300);
    assert_eq!(window.total(seconds(61)), 600, "that entry has expired");
    window.refund(seconds(5), u64::MAX);
    assert_eq!((window.total(seconds(61)), window.entries.len()), (0, 0));
}

#[test]
fn restored_amounts_count_by_age() {
    let mut window = minute();
    window.charge(seconds(5), 7);
    for (age, amount) in [(70, 1), (60, 2), (59, 3), (10, 4)] {
        window.restore(seconds(5), seconds(age), amount);
    }
    let ages: Vec<_> = window.ages(seconds(5)).collect();
    assert_eq!(ages, [(seconds(59), 3), (seconds(10), 4), (seconds(0), 7)]);
    assert_eq!(window.total(seconds(6)), 11);
    assert_eq!(window.total(seconds(55)), 7);
}

#[test]
fn entries_of_a_day_are_bounded() {
    let mut day = SlidingWindow::new(seconds(86_400), Duration::from_millis(86_400));
    (0..1_000_000).for_each(|call| day.charge(Duration::from_millis(call * 86), 1));
    assert!(day.entries.len() <= 1001, "{}", day.entries.len());
    assert_eq!(day.total, 1_000_000);
}

proptest! {
    #[test]
    fn no_interval_exceeds_its_limit(
        limit in 1_u64..1000,
        steps in prop::collection::vec((0_u64..30_000, 1_u64..400, any::<bool>()), 1..200),
    ) {
        let mut window = minute();
        let mut now = Duration::ZERO;
        let mut charged: Vec<(Duration, u64)> = Vec::new();
        for (wait, cost, refunds) in steps {
            now = (now + Duration::from_millis(wait)).max(window.due(cost, limit));
            window.charge(now, cost);
            let mut kept = cost;
            if refunds {
                kept = cost / 2;
                window.refund(now, cost - kept);
            }
            charged.push((now, kept));
            let inside = charged.iter().filter(|(at, _)| *at + seconds(60) > now);
            let (count, sum) = inside.fold((0, 0), |(count, sum), (_, cost)| (count + u64::from(*cost > 0), sum + cost));
            prop_assert_eq!(window.total(now), sum);
            prop_assert!(sum <= limit || count == 1, "{} of {}", sum, limit);
        }
    }
}
