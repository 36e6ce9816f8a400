//! Whatever is admitted, settled, dropped and refused, nothing is above its limit and nothing is lost.

use proptest::prelude::*;

use super::*;
use crate::judge::LimitUnit;

fn count(number: u64) -> NonZeroU64 {
    NonZeroU64::new(number).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn limits(provider: &str) -> Limits {
    Limits::provider(provider)
        .unwrap()
        .input_tokens_per_minute(count(30_000))
        .output_tokens_per_minute(count(8_000))
        .tokens_per_minute(count(36_000))
        .tokens_per_day(count(100_000))
        .requests_per_day(count(500))
}

fn budgets(provider: &str) -> Budgets {
    Budgets::new(&limits(provider).clamped())
}

fn taken(budgets: &mut Budgets, now: Duration, kind: BudgetKind) -> u64 {
    budgets.status(now).iter().flatten().find(|budget| budget.meter == kind).unwrap().taken
}

fn all_taken(budgets: &mut Budgets, now: Duration) -> Vec<u64> {
    budgets.status(now).iter().flatten().map(|budget| budget.taken).collect()
}

const EMPTY: [u64; 5] = [0; 5];

/// A call that goes at once.
fn go(budgets: &mut Budgets, now: Duration, cost: impl Into<TokenEstimate>) -> Reservation {
    let mut price = budgets.reservation(cost.into());
    budgets.charge(now, now, &mut price);
    price
}

#[test]
fn a_call_takes_from_all_or_from_none() {
    let mut budgets = budgets("plain");
    let price = go(&mut budgets, Duration::ZERO, (2000, 500));
    assert_eq!(all_taken(&mut budgets, Duration::ZERO), [2500, 2000, 500, 1, 2500]);
    let big = budgets.reservation((1000, 7600).into());
    assert_eq!(budgets.due(&big), seconds(60), "one of them has no room");
    let (due, binding) = budgets.binding(&big).unwrap();
    assert_eq!((due, binding.kind), (seconds(60), BudgetKind::OutputTokensPerMinute));
    budgets.refund(Duration::ZERO, &price);
    assert_eq!(all_taken(&mut budgets, seconds(1)), EMPTY);
    assert_eq!(budgets.due(&big), Duration::ZERO);
}

#[test]
fn what_is_expected_paces_and_what_is_possible_is_held() {
    let limits = Limits::provider("bedrock").unwrap().tokens_per_minute(count(60_000));
    let mut budgets = Budgets::new(&limits);
    // A call asks for 6000 and uses 600.
    for call in 0..200 {
        let now = seconds(call);
        let price = go(&mut budgets, now, (0, 6000));
        budgets.finish(now, now, &price, Some(Usage::new(0, 600)));
    }
    let price = budgets.reservation((0, 6000).into());
    assert_eq!((price.expected.total, price.maximum.total), (600, 6000));
    let kept = Contract::named("azure").unwrap();
    budgets.set(seconds(200), &limits.contract(kept));
    (0..300).for_each(|_| {
        let price = go(&mut budgets, seconds(200), (0, 6000));
        budgets.finish(seconds(200), seconds(200), &price, Some(Usage::new(0, 600)));
    });
    let price = budgets.reservation((0, 6000).into());
    assert!(price.expected.total > 5900, "another contract, another mean: {}", price.expected.total);
}

#[test]
fn numbers_without_measure_end_nothing() {
    let mut budgets = budgets("plain");
    for cost in [0, 1, u64::MAX] {
        let price = go(&mut budgets, Duration::ZERO, (cost, cost));
        let due = budgets.due(&budgets.reservation((1, 1).into()));
        assert!(due <= seconds(86_400), "{due:?}");
        assert!(budgets.finish(Duration::ZERO, Duration::ZERO, &price, Some(Usage::new(0, 0))));
        assert_eq!(taken(&mut budgets, Duration::ZERO, BudgetKind::TokensPerMinute), 0);
    }
    let price = go(&mut budgets, Duration::ZERO, (10, 10));
    assert!(!budgets.finish(Duration::ZERO, Duration::ZERO, &price, Some(Usage::new(u64::MAX, u64::MAX))), "warned of");
    assert_eq!(taken(&mut budgets, Duration::ZERO, BudgetKind::TokensPerMinute), 36_000, "one budget, and no more");
    assert!(budgets.scheduled() <= seconds(60));
    let price = go(&mut budgets, seconds(200), (10, 10));
    assert!(budgets.finish(seconds(200), seconds(200), &price, Some(Usage::new(500, 500))), "a little more is usual");
}

#[test]
fn a_refusal_of_tokens_lowers_the_budget_that_it_is_about() {
    let mut budgets = budgets("anthropic");
    for second in 0..60 {
        let price = go(&mut budgets, seconds(second), (200, 100));
        budgets.finish(seconds(second), seconds(second), &price, Some(Usage::new(200, 100)));
    }
    assert!(!budgets.adapt(seconds(60), LimitKind::Requests));
    assert!(budgets.adapt(seconds(60), LimitKind::OutputTokens));
    let learned = |budgets: &mut Budgets, kind| {
        budgets.status(seconds(60)).into_iter().flatten().find(|budget| budget.meter == kind).unwrap().learned
    };
    // What went through was 6000 or so a minute: 85 % of that.
    let output = learned(&mut budgets, BudgetKind::OutputTokensPerMinute).unwrap();
    assert!((4900.0..=5300.0).contains(&output), "{output}");
    assert_eq!(learned(&mut budgets, BudgetKind::InputTokensPerMinute), None);
    budgets.on_backlogged(seconds(60), BudgetKind::OutputTokensPerMinute, seconds(3600));
    assert_eq!(learned(&mut budgets, BudgetKind::OutputTokensPerMinute), None, "it grows while calls wait for it");
}

#[test]
fn a_reading_is_of_its_own_budget() {
    let mut budgets = budgets("anthropic");
    let reading = |unit, per| LimitReading { unit, per, limit: Some(4_000), remaining: Some(4_000), reset: None };
    assert!(budgets.apply_headers(seconds(1), seconds(1), &reading(LimitUnit::OutputTokens, Period::Minute)));
    assert!(budgets.apply_headers(seconds(1), seconds(1), &reading(LimitUnit::Requests, Period::Day)));
    let lowered: Vec<_> =
        budgets.status(seconds(1)).into_iter().flatten().filter(|budget| budget.learned.is_some()).collect();
    assert_eq!(lowered.iter().map(|budget| budget.meter).collect::<Vec<_>>(), [BudgetKind::OutputTokensPerMinute]);
    assert!(budgets.due(&budgets.reservation((0, 100).into())) <= seconds(1), "nothing was taken");
}

#[test]
fn ten_thousand_cancellations_leave_every_meter_exact() {
    let mut random = 7_u64;
    let mut next = |most: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % most
    };
    for provider in ["anthropic", "azure", "bedrock", "openai", "plain"] {
        let (mut budgets, mut untouched) = (budgets(provider), budgets(provider));
        let mut out = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..10_000 {
            now += Duration::from_micros(next(5000));
            let price = go(&mut budgets, now, (next(2000), next(1000)));
            out.push((now, price));
            if out.len() > 20 {
                let (at, price) = out.swap_remove(usize::try_from(next(20)).unwrap());
                budgets.refund(at, &price);
            }
        }
        out.into_iter().for_each(|(at, price)| budgets.refund(at, &price));
        assert_eq!(all_taken(&mut budgets, now), EMPTY, "{provider}");
        let mut price = budgets.reservation((100, 100).into());
        assert_eq!(price, untouched.reservation((100, 100).into()), "{provider}: nothing was learned");
        assert!(budgets.due(&price) <= now, "{provider}: the next goes at once");
        // And the one after it as if none had been before.
        for budgets in [&mut budgets, &mut untouched] {
            (0..40).for_each(|_| budgets.charge(now, now, &mut price));
        }
        assert_eq!(budgets.due(&price), untouched.due(&price), "{provider}");
    }
}

/// What may happen to a call.
#[derive(Debug, Clone, Copy)]
enum End {
    Settled(u64, u64),
    Untold,
    Dropped,
    Refused,
    NeverMade,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_u64..3000, 0_u64..1500).prop_map(|(input, output)| End::Settled(input, output)),
        1 => Just(End::Untold),
        1 => Just(End::Dropped),
        1 => Just(End::Refused),
        1 => Just(End::NeverMade),
    ]
}

proptest! {
    /// No ledger ever lets a call go that does not fit, whatever became of those before.
    #[test]
    fn no_budget_is_ever_above_its_limit_when_a_call_goes(
        provider in prop::sample::select(Contract::names().collect::<Vec<_>>()),
        calls in prop::collection::vec((0_u64..2000, 0_u64..1000, 0_u64..4000, end(), 0_usize..10), 1..120),
    ) {
        let mut budgets = budgets(provider);
        let mut now = Duration::ZERO;
        let mut out = Vec::new();
        for (input, output, wait, end, which) in calls {
            let mut price = budgets.reservation((input, output).into());
            now += Duration::from_millis(wait);
            prop_assert!(budgets.due(&price) <= now + seconds(86_400), "nobody waits for longer than a day");
            now = now.max(budgets.due(&price));
            let before = budgets.status(now);
            budgets.charge(now, now, &mut price);
            for (before, after) in before.iter().flatten().zip(budgets.status(now).iter().flatten()) {
                let alone = before.taken == 0;
                prop_assert!(after.taken <= after.limit || alone, "{:?}", after);
            }
            out.push((now, price));
            if out.len() > which {
                let (at, price) = out.swap_remove(which);
                match end {
                    End::Settled(input, output) => {
                        budgets.finish(now, at, &price, Some(Usage::new(input, output)));
                    }
                    End::Untold => {
                        budgets.finish(now, at, &price, None);
                    }
                    End::Dropped => {}
                    End::Refused => budgets.refuse(now, at, &price),
                    End::NeverMade => budgets.refund(at, &price),
                }
            }
        }
        // A day later nothing is left of it.
        let later = now + seconds(86_401);
        prop_assert!(all_taken(&mut budgets, later).iter().all(|taken| *taken == 0));
        let price = budgets.reservation((1, 1).into());
        prop_assert!(budgets.due(&price) <= later);
    }
}
