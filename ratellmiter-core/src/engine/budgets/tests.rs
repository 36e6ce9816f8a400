//! Budgets stay within their limits, and their charges are exact.

use proptest::prelude::*;

use super::*;
use crate::judge::LimitUnit;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits(provider: Provider) -> Limits {
    Limits::for_provider(provider)
        .input_tokens_per_minute(30_000)
        .output_tokens_per_minute(8_000)
        .tokens_per_minute(36_000)
        .tokens_per_day(100_000)
        .requests_per_day(500)
}

fn budgets(provider: Provider) -> Budgets {
    Budgets::new(&limits(provider))
}

fn usage(budgets: &mut Budgets, now: Duration, kind: BudgetKind) -> u64 {
    budgets.status(now).iter().flatten().find(|budget| budget.meter == kind).unwrap().taken
}

fn all_usage(budgets: &mut Budgets, now: Duration) -> Vec<u64> {
    budgets.status(now).iter().flatten().map(|budget| budget.taken).collect()
}

const EMPTY: [u64; 5] = [0; 5];

/// Charges a call that is sent at once.
fn send(budgets: &mut Budgets, now: Duration, cost: impl Into<TokenEstimate>) -> Reservation {
    let mut reservation = budgets.reservation(cost.into());
    budgets.charge(now, now, &mut reservation);
    reservation
}

#[test]
fn call_is_charged_to_all_budgets_or_none() {
    let mut budgets = budgets(Provider::Generic);
    let reservation = send(&mut budgets, Duration::ZERO, (2000, 500));
    assert_eq!(all_usage(&mut budgets, Duration::ZERO), [2500, 2000, 500, 1, 2500]);
    let big = budgets.reservation((1000, 7600).into());
    assert_eq!(budgets.due(&big), seconds(60), "the output budget has no room");
    let (due, binding) = budgets.binding(&big).unwrap();
    assert_eq!((due, binding.kind), (seconds(60), BudgetKind::OutputTokensPerMinute));
    budgets.refund(Duration::ZERO, &reservation);
    assert_eq!(all_usage(&mut budgets, seconds(1)), EMPTY);
    assert_eq!(budgets.due(&big), Duration::ZERO);
}

#[test]
fn meters_use_expected_and_windows_maximum_charges() {
    let limits = Limits::for_provider(Provider::Bedrock).tokens_per_minute(60_000);
    let mut budgets = Budgets::new(&limits);
    // A call asks for 6000 tokens and uses 600.
    for call in 0..200 {
        let now = seconds(call);
        let reservation = send(&mut budgets, now, (0, 6000));
        budgets.finish(now, now, &reservation, Some(Usage::new(0, 600)));
    }
    let reservation = budgets.reservation((0, 6000).into());
    assert_eq!((reservation.expected.total, reservation.maximum.total), (600, 6000));
    let kept = Provider::Azure;
    budgets.set(seconds(200), &limits.provider(kept));
    (0..300).for_each(|_| {
        let reservation = send(&mut budgets, seconds(200), (0, 6000));
        budgets.finish(seconds(200), seconds(200), &reservation, Some(Usage::new(0, 600)));
    });
    let reservation = budgets.reservation((0, 6000).into());
    assert!(reservation.expected.total > 5900, "the mean follows the contract: {}", reservation.expected.total);
}

#[test]
fn absurd_numbers_do_not_block_a_budget() {
    let mut budgets = budgets(Provider::Generic);
    for cost in [0, 1, u64::MAX] {
        let reservation = send(&mut budgets, Duration::ZERO, (cost, cost));
        let due = budgets.due(&budgets.reservation((1, 1).into()));
        assert!(due <= seconds(86_400), "{due:?}");
        assert!(budgets.finish(Duration::ZERO, Duration::ZERO, &reservation, Some(Usage::new(0, 0))));
        assert_eq!(usage(&mut budgets, Duration::ZERO, BudgetKind::TokensPerMinute), 0);
    }
    let reservation = send(&mut budgets, Duration::ZERO, (10, 10));
    assert!(
        !budgets.finish(Duration::ZERO, Duration::ZERO, &reservation, Some(Usage::new(u64::MAX, u64::MAX))),
        "implausible"
    );
    assert_eq!(usage(&mut budgets, Duration::ZERO, BudgetKind::TokensPerMinute), 36_000, "at most a whole budget");
    assert!(budgets.scheduled() <= seconds(60));
    let reservation = send(&mut budgets, seconds(200), (10, 10));
    assert!(
        budgets.finish(seconds(200), seconds(200), &reservation, Some(Usage::new(500, 500))),
        "somewhat more is plausible"
    );
}

#[test]
fn token_refusal_lowers_the_matching_budget() {
    let mut budgets = budgets(Provider::Anthropic);
    for second in 0..60 {
        let reservation = send(&mut budgets, seconds(second), (200, 100));
        budgets.finish(seconds(second), seconds(second), &reservation, Some(Usage::new(200, 100)));
    }
    assert!(!budgets.adapt(seconds(60), LimitKind::Requests));
    assert!(budgets.adapt(seconds(60), LimitKind::OutputTokens));
    let adapted = |budgets: &mut Budgets, kind| {
        budgets.status(seconds(60)).into_iter().flatten().find(|budget| budget.meter == kind).unwrap().learned
    };
    // The throughput was about 6000 a minute, and 85 % of that is left.
    let output = adapted(&mut budgets, BudgetKind::OutputTokensPerMinute).unwrap();
    assert!((4900.0..=5300.0).contains(&output), "{output}");
    assert_eq!(adapted(&mut budgets, BudgetKind::InputTokensPerMinute), None);
    budgets.on_backlogged(seconds(60), BudgetKind::OutputTokensPerMinute, seconds(3600));
    assert_eq!(
        adapted(&mut budgets, BudgetKind::OutputTokensPerMinute),
        None,
        "it grows while calls are queued for it"
    );
}

#[test]
fn header_reading_lowers_only_its_budget() {
    let mut budgets = budgets(Provider::Anthropic);
    let reading = |unit, per| LimitReading { unit, per, limit: Some(4_000), remaining: Some(4_000), reset: None };
    assert!(budgets.apply_headers(seconds(1), seconds(1), &reading(LimitUnit::OutputTokens, Period::Minute)));
    assert!(budgets.apply_headers(seconds(1), seconds(1), &reading(LimitUnit::Requests, Period::Day)));
    let lowered: Vec<_> =
        budgets.status(seconds(1)).into_iter().flatten().filter(|budget| budget.learned.is_some()).collect();
    assert_eq!(lowered.iter().map(|budget| budget.meter).collect::<Vec<_>>(), [BudgetKind::OutputTokensPerMinute]);
    assert!(budgets.due(&budgets.reservation((0, 100).into())) <= seconds(1), "nothing was charged");
}

#[test]
fn cancellations_leave_every_budget_exact() {
    let mut random = 7_u64;
    let mut next = |max: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % max
    };
    for provider in [Provider::Anthropic, Provider::Azure, Provider::Bedrock, Provider::OpenAi, Provider::Generic] {
        let (mut budgets, mut untouched) = (budgets(provider), budgets(provider));
        let mut in_flight = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..10_000 {
            now += Duration::from_micros(next(5000));
            let reservation = send(&mut budgets, now, (next(2000), next(1000)));
            in_flight.push((now, reservation));
            if in_flight.len() > 20 {
                let (at, reservation) = in_flight.swap_remove(usize::try_from(next(20)).unwrap());
                budgets.refund(at, &reservation);
            }
        }
        in_flight.into_iter().for_each(|(at, reservation)| budgets.refund(at, &reservation));
        assert_eq!(all_usage(&mut budgets, now), EMPTY, "{provider}");
        let mut reservation = budgets.reservation((100, 100).into());
        assert_eq!(reservation, untouched.reservation((100, 100).into()), "{provider}: the estimates are unchanged");
        assert!(budgets.due(&reservation) <= now, "{provider}: the next call is sent at once");
        // Later calls are paced as without the cancelled ones.
        for budgets in [&mut budgets, &mut untouched] {
            (0..40).for_each(|_| budgets.charge(now, now, &mut reservation));
        }
        assert_eq!(budgets.due(&reservation), untouched.due(&reservation), "{provider}");
    }
}

/// The end of a call.
#[derive(Debug, Clone, Copy)]
enum End {
    Settled(u64, u64),
    WithoutUsage,
    Dropped,
    Refused,
    Cancelled,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_u64..3000, 0_u64..1500).prop_map(|(input, output)| End::Settled(input, output)),
        1 => Just(End::WithoutUsage),
        1 => Just(End::Dropped),
        1 => Just(End::Refused),
        1 => Just(End::Cancelled),
    ]
}

proptest! {
    /// No window admits a call that does not fit, however earlier calls ended.
    #[test]
    fn no_admitted_call_exceeds_a_budget(
        provider in prop::sample::select(Provider::ALL),
        calls in prop::collection::vec((0_u64..2000, 0_u64..1000, 0_u64..4000, end(), 0_usize..10), 1..120),
    ) {
        let mut budgets = budgets(provider);
        let mut now = Duration::ZERO;
        let mut in_flight = Vec::new();
        for (input, output, wait, end, index) in calls {
            let mut reservation = budgets.reservation((input, output).into());
            now += Duration::from_millis(wait);
            prop_assert!(budgets.due(&reservation) <= now + seconds(86_400), "no call waits for more than a day");
            now = now.max(budgets.due(&reservation));
            let before = budgets.status(now);
            budgets.charge(now, now, &mut reservation);
            for (before, after) in before.iter().flatten().zip(budgets.status(now).iter().flatten()) {
                let alone = before.taken == 0;
                prop_assert!(after.taken <= after.limit || alone, "{:?}", after);
            }
            in_flight.push((now, reservation));
            if in_flight.len() > index {
                let (at, reservation) = in_flight.swap_remove(index);
                match end {
                    End::Settled(input, output) => {
                        budgets.finish(now, at, &reservation, Some(Usage::new(input, output)));
                    }
                    End::WithoutUsage => {
                        budgets.finish(now, at, &reservation, None);
                    }
                    End::Dropped => {}
                    End::Refused => budgets.refuse(now, at, &reservation),
                    End::Cancelled => budgets.refund(at, &reservation),
                }
            }
        }
        // After a day, no charge counts.
        let later = now + seconds(86_401);
        prop_assert!(all_usage(&mut budgets, later).iter().all(|taken| *taken == 0));
        let reservation = budgets.reservation((1, 1).into());
        prop_assert!(budgets.due(&reservation) <= later);
    }
}
