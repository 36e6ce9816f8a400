use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn minute() -> SlidingWindow {
    SlidingWindow::new(seconds(60), Duration::from_millis(1))
}

#[test]
fn room_comes_when_enough_has_left() {
    let mut ledger = minute();
    ledger.charge(seconds(1), 400);
    ledger.charge(seconds(2), 300);
    ledger.charge(seconds(3), 300);
    assert_eq!((ledger.taken_since(seconds(1)), ledger.taken_since(seconds(3))), (600, 0));
    assert_eq!(ledger.due(1, 1000), seconds(61));
    assert_eq!(ledger.due(400, 1000), seconds(61));
    assert_eq!(ledger.due(401, 1000), seconds(62));
    assert_eq!(ledger.total(seconds(61)), 600);
    assert_eq!(ledger.due(400, 1000), Duration::ZERO);
}

#[test]
fn what_is_larger_than_the_limit_goes_alone() {
    let mut ledger = minute();
    assert_eq!(ledger.due(u64::MAX, 1000), Duration::ZERO);
    ledger.charge(seconds(1), 1);
    ledger.charge(seconds(9), 1);
    assert_eq!(ledger.due(5000, 1000), seconds(69));
    ledger.charge(seconds(69), u64::MAX);
    ledger.charge(seconds(70), u64::MAX);
    assert_eq!(ledger.due(1, 1000), seconds(129));
}

#[test]
fn what_was_not_used_makes_room_while_it_counts() {
    let mut ledger = minute();
    ledger.charge(seconds(1), 400);
    ledger.charge(seconds(5), 600);
    ledger.refund(seconds(1), 100);
    assert_eq!(ledger.due(100, 1000), Duration::ZERO);
    ledger.refund(seconds(3), 100);
    assert_eq!(ledger.total(seconds(5)), 900, "nothing was taken then");
    assert_eq!(ledger.total(seconds(61)), 600);
    ledger.refund(seconds(1), 300);
    assert_eq!(ledger.total(seconds(61)), 600, "that has left");
    ledger.refund(seconds(5), u64::MAX);
    assert_eq!((ledger.total(seconds(61)), ledger.entries.len()), (0, 0));
}

#[test]
fn what_an_earlier_run_took_counts_by_its_age() {
    let mut ledger = minute();
    ledger.charge(seconds(5), 7);
    for (age, amount) in [(70, 1), (60, 2), (59, 3), (10, 4)] {
        ledger.restore(seconds(5), seconds(age), amount);
    }
    let ages: Vec<_> = ledger.ages(seconds(5)).collect();
    assert_eq!(ages, [(seconds(59), 3), (seconds(10), 4), (seconds(0), 7)]);
    assert_eq!(ledger.total(seconds(6)), 11);
    assert_eq!(ledger.total(seconds(55)), 7);
}

#[test]
fn a_day_of_calls_takes_little_memory() {
    let mut day = SlidingWindow::new(seconds(86_400), Duration::from_millis(86_400));
    (0..1_000_000).for_each(|call| day.charge(Duration::from_millis(call * 86), 1));
    assert!(day.entries.len() <= 1001, "{}", day.entries.len());
    assert_eq!(day.total, 1_000_000);
}

proptest! {
    #[test]
    fn no_stretch_holds_more_than_its_limit(
        limit in 1_u64..1000,
        steps in prop::collection::vec((0_u64..30_000, 1_u64..400, any::<bool>()), 1..200),
    ) {
        let mut ledger = minute();
        let mut now = Duration::ZERO;
        let mut taken: Vec<(Duration, u64)> = Vec::new();
        for (wait, cost, gives_back) in steps {
            now = (now + Duration::from_millis(wait)).max(ledger.due(cost, limit));
            ledger.charge(now, cost);
            let mut kept = cost;
            if gives_back {
                kept = cost / 2;
                ledger.refund(now, cost - kept);
            }
            taken.push((now, kept));
            let inside = taken.iter().filter(|(at, _)| *at + seconds(60) > now);
            let (count, sum) = inside.fold((0, 0), |(count, sum), (_, cost)| (count + u64::from(*cost > 0), sum + cost));
            prop_assert_eq!(ledger.total(now), sum);
            prop_assert!(sum <= limit || count == 1, "{} of {}", sum, limit);
        }
    }
}
