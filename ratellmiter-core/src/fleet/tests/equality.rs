//! A fleet of one process, compared with an unshared limiter.

use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::RngSeed};

use super::*;
use crate::{
    engine::{
        congestion::REQUESTS,
        lease::{IN_FLIGHT, PERIOD},
        stats::Gauges,
    },
    judge::LimitKind,
};

mod closed;

/// A step of a test case.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// Starts callers that make one call each.
    Request {
        callers: usize,
        tokens: u64,
    },
    /// Starts a call that is refused `refusals` times, or fails so often if `verdict` is a transient failure.
    Refused {
        tokens: u64,
        verdict: Verdict,
        refusals: u32,
    },
    Wait(Duration),
    SetLimits(Limits),
}

/// State of the limiter at the end of a period.
#[derive(Debug)]
struct Sample {
    /// Calls a second allowed by the ramp and the adapted limit; 0 during a pause.
    rate: f64,
    /// Configured calls a second.
    configured: f64,
    /// Current limits by name.
    limits: Vec<(&'static str, f64)>,
    episode: u64,
}

/// Result of a sequence of actions.
#[derive(Debug)]
struct Course {
    tickets: Vec<Duration>,
    samples: Vec<Sample>,
    /// Time until the next call was sent, for each refusal.
    pauses: Vec<Duration>,
}

impl Course {
    fn of(mut fleet: Fleet, call_time: Duration, actions: &[Action], rest: Duration) -> Self {
        fleet.call_time = call_time;
        fleet.run(millis(10));
        let mut course = Self { tickets: Vec::new(), samples: Vec::new(), pauses: Vec::new() };
        for &action in actions {
            match action {
                Action::Request { callers, tokens } => fleet.start_callers(0, callers, tokens, 1),
                Action::Refused { tokens, verdict, refusals } => {
                    fleet.start_caller(0, Caller { tokens, refusals, verdict, ..Caller::PLAIN });
                }
                Action::Wait(time) => {
                    let end = fleet.now + time;
                    course.record(&mut fleet, end);
                }
                Action::SetLimits(limits) => {
                    let now = fleet.now;
                    fleet.processes[0].scheduler.set_limits(now, limits);
                }
            }
            fleet.advance(0);
            // Time for a round trip to the server.
            let end = fleet.now + millis(5);
            course.record(&mut fleet, end);
        }
        let end = fleet.now + rest;
        course.record(&mut fleet, end);
        course.tickets = fleet.tickets.iter().map(|ticket| ticket.at).collect();
        course.pauses = fleet
            .refusals
            .iter()
            .filter_map(|(refused, before)| Some(fleet.tickets.get(*before)?.at - *refused))
            .collect();
        course
    }

    /// Runs until `end`, and takes a sample at the end of each period.
    fn record(&mut self, fleet: &mut Fleet, end: Duration) {
        while let Ok(next) = u32::try_from(self.samples.len() + 1)
            && let at = PERIOD * next
            && at <= end
        {
            fleet.run(at);
            fleet.refresh(0);
            let now = fleet.now;
            let scheduler = &mut fleet.processes[0].scheduler;
            let gauges = scheduler.gauges(now);
            self.samples.push(Sample {
                rate: gauges.rate,
                configured: gauges.limit,
                limits: current_limits(&gauges),
                episode: scheduler.episode(),
            });
        }
        fleet.run(end);
    }

    /// Returns the number of calls sent in a second.
    fn calls_in(&self, second: u64) -> usize {
        self.tickets.iter().filter(|at| at.as_secs() == second).count()
    }

    fn calls_until(&self, second: u64) -> usize {
        self.tickets.iter().filter(|at| at.as_secs() <= second).count()
    }

    /// Describes each second until `end` in one line.
    fn rows(&self, end: usize) -> String {
        let row = |(second, sample): (usize, &Sample)| {
            let Sample { rate, limits, episode, .. } = sample;
            format!("{:3} calls, {rate:.3}/s, {limits:?}, episode {episode}\n", self.calls_in(second as u64))
        };
        self.samples.iter().skip(3).step_by(4).take(end).enumerate().map(row).collect()
    }
}

fn current_limits(gauges: &Gauges) -> Vec<(&'static str, f64)> {
    let budgets = gauges
        .budgets
        .iter()
        .flatten()
        .map(|budget| (budget.meter.key(), budget.learned.unwrap_or(budget.limit as f64)));
    let rate = (REQUESTS, gauges.learned_rate.unwrap_or(gauges.limit));
    let in_flight = gauges.learned_in_flight.map(|calls| (IN_FLIGHT, calls));
    [rate].into_iter().chain(in_flight).chain(budgets).collect()
}

/// Compares an unshared limiter with a fleet of one process. Returns the first difference as an error.
fn compare(limits: Limits, call_time: Duration, actions: &[Action], rest: Duration) -> Result<(), String> {
    let alone = Course::of(Fleet::alone(limits), call_time, actions, rest);
    let shared = Course::of(Fleet::new(limits, 1), call_time, actions, rest);
    let assert = |holds: bool, second: usize, subject: &str| {
        let rows = [&alone, &shared].map(|course| course.rows(second + 2));
        let pauses = [&alone, &shared].map(|course| &course.pauses);
        let differ = || format!("{subject} in second {second}\nalone\n{}shared\n{}pauses {pauses:?}", rows[0], rows[1]);
        if holds { Ok(()) } else { Err(differ()) }
    };
    let mut growth: BTreeMap<&str, f64> = BTreeMap::new();
    for (index, one) in alone.samples.iter().enumerate() {
        let second = index / 4;
        let before = &alone.samples[index.saturating_sub(1)];
        let is_retuned = (one.configured - before.configured).abs() > 1e-9;
        if is_retuned {
            growth.clear();
        }
        let step = one.configured.max(before.configured) * 0.1;
        // Round trips add up to some milliseconds, so an event may be on the other side of a sample.
        let around = &shared.samples[index.saturating_sub(1)..(index + 2).min(shared.samples.len())];
        assert(around.iter().any(|other| one.episode == other.episode), second, "episodes")?;
        for &(name, limit) in &one.limits {
            let before = before.limits.iter().find(|(other, _)| *other == name).map_or(limit, |(_, before)| *before);
            let growth = growth.entry(name).or_default();
            // A decrease restarts the growth.
            *growth = if limit < before || is_retuned { 0.0 } else { growth.max((limit - before) / limit) };
            // 1 %, the growth in the two periods for which slots are leased, and a step of the ramp if the ramp has limited the rate.
            let ramp = if name == REQUESTS && limits.ramp.is_some() { step } else { 0.0 };
            let tolerance = limit * (0.01 + 2.0 * *growth) + ramp;
            let near = |other: &Sample| {
                other.limits.iter().any(|(key, other)| *key == name && (limit - other).abs() <= tolerance)
            };
            assert(around.iter().any(near), second, name)?;
        }
        if index % 4 < 3 {
            continue;
        }
        // The second in which a queue ends makes up for a difference of one call before.
        let calls = [&alone, &shared].map(|course| (course.calls_in(second as u64), course.calls_until(second as u64)));
        let are_near = |one: usize, other: usize| one.abs_diff(other) <= 1;
        let is_slow = one.configured <= 1.0;
        assert(!is_slow && are_near(calls[0].0, calls[1].0) || are_near(calls[0].1, calls[1].1), second, "calls")?;
        // A step, and a difference of one call in the second before.
        assert(around.iter().any(|other| (one.rate - other.rate).abs() <= step + 1.0), second, "ramp")?;
    }
    let pauses = alone.pauses.iter().zip(&shared.pauses);
    let are_near = pauses.clone().all(|(one, other)| one.abs_diff(*other) <= millis(50));
    assert(are_near && alone.pauses.len() == shared.pauses.len(), alone.samples.len() / 4, "pauses")
}

fn calls_per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

/// A kind of limits. Calls in flight are limited only without a ramp, because each of the few calls in a second would change the ramp by
/// more than a step.
#[derive(Debug, Clone, Copy)]
struct Kind {
    has_tokens: bool,
    has_ramp: bool,
}

fn limits(kind: Kind) -> impl Strategy<Value = Limits> {
    let rate = select(vec![30, 60, 90, 300, 600, 1200, 6000]);
    let tokens = select(vec![6000_u64, 60_000, 300_000]);
    let in_flight = option::weighted(0.3, select(vec![1_u32, 2, 3, 8]));
    (rate, tokens, in_flight).prop_map(move |(rate, tokens, in_flight)| {
        let mut limits = calls_per_minute(rate);
        if kind.has_tokens {
            limits = limits.tokens_per_minute(tokens);
        }
        if kind.has_ramp {
            return limits;
        }
        limits.max_in_flight = in_flight.and_then(NonZeroU32::new);
        limits.no_ramp()
    })
}

fn verdict(kind: Kind) -> impl Strategy<Value = Verdict> {
    let mut scopes = vec![
        LimitKind::Requests,
        LimitKind::Tokens,
        LimitKind::InputTokens,
        LimitKind::Growth,
        LimitKind::Daily,
        LimitKind::Unknown,
    ];
    if !kind.has_ramp {
        scopes.push(LimitKind::Concurrency);
    }
    let hint = option::weighted(0.5, (100_u64..8000).prop_map(millis));
    (select(scopes), hint, any::<[bool; 3]>()).prop_map(|(scope, retry_after, is_overload)| {
        if is_overload == [true; 3] {
            Verdict::Overloaded { retry_after }
        } else {
            Verdict::RateLimited { retry_after, limit: scope }
        }
    })
}

fn action(tokens: u64, kind: Kind) -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (1_usize..60).prop_map(move |callers| Action::Request { callers, tokens }),
        3 => (verdict(kind), 1_u32..4).prop_map(move |(verdict, refusals)| Action::Refused { tokens, verdict, refusals }),
        4 => (50_u64..6000).prop_map(|time| Action::Wait(millis(time))),
        1 => (5_u64..30).prop_map(|time| Action::Wait(seconds(time))),
        1 => limits(kind).prop_map(Action::SetLimits),
    ]
}

/// Returns a strategy without refusals, but with calls that fail transiently.
fn action_with_failures() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (1_usize..40).prop_map(|callers| Action::Request { callers, tokens: 10 }),
        4 => (option::weighted(0.3, 100_u64..8000), 1_u32..4).prop_map(|(hint, refusals)| {
            let verdict = Verdict::Transient { retry_after: hint.map(millis) };
            Action::Refused { tokens: 10, verdict, refusals }
        }),
        4 => (50_u64..6000).prop_map(|time| Action::Wait(millis(time))),
    ]
}

/// Uses the same cases in each run, unless `PROPTEST_RNG_SEED` or `PROPTEST_CASES` is set.
fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(16);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn fleet_of_one_behaves_like_an_unshared_limiter(
        call_time in select(vec![100_u64, 400, 2000]),
        (limits, actions) in (select(vec![10_u64, 100, 1000]), any::<bool>(), any::<bool>()).prop_flat_map(|(tokens, has_tokens, has_ramp)| {
            let kind = Kind { has_tokens, has_ramp };
            (limits(kind), vec(action(tokens, kind), 1..14))
        }),
    ) {
        compare(limits, millis(call_time), &actions, seconds(40)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn transient_failures_in_a_fleet_of_one_match_those_of_an_unshared_limiter(
        call_time in select(vec![100_u64, 400]),
        rate in select(vec![60, 300, 6000]),
        actions in vec(action_with_failures(), 1..14),
    ) {
        compare(calls_per_minute(rate).no_ramp(), millis(call_time), &actions, seconds(20)).map_err(TestCaseError::fail)?;
    }
}
