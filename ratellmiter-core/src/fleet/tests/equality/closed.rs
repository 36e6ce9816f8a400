//! The closed state of a fleet of one process, compared with that of an unshared limiter.

mod directed;

use std::{thread, time::SystemTime};

use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{RngSeed, TestError, TestRunner},
};

use super::super::{
    answers::{End, Ended},
    *,
};
use crate::{engine::lease::PERIOD, judge::LimitKind, limits::on_exhausted::OnExhausted, log::row::ClosedReason};

/// Maximum difference between the times of an event. A fleet knows of a change up to a round trip later.
const TOLERANCE: Duration = Duration::from_millis(50);
/// Latency of the server's replies. Simultaneous events may be in another order, so it is as short as the server's clock allows.
const LAG: Duration = Duration::from_micros(1);
/// Time between two samples of the closed state.
const SAMPLE: Duration = Duration::from_millis(250);
/// Number of random scenarios, unless `PROPTEST_CASES` is set.
const SCENARIOS: u64 = 64;

/// A refusal, whose quota is back after a time if that is known.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Quota(Option<Duration>),
    Other(Verdict),
}

/// A step of a scenario.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Starts calls at once.
    Calls {
        calls: u64,
        can_fail: bool,
        attempts: Option<u32>,
    },
    /// Starts a call that is answered so `refusals` times.
    Refused {
        answer: Answer,
        refusals: u32,
        can_fail: bool,
        attempts: Option<u32>,
    },
    /// The server answers so to all calls that are sent within this time from now on.
    Outage {
        answer: Answer,
        time: Duration,
    },
    /// A call without a ticket is answered so.
    Unattributed(Answer),
    /// Starts a call every `gap` during `time`.
    Demand {
        time: Duration,
        gap: Duration,
        can_fail: bool,
    },
    Wait(Duration),
}

/// The events of a scenario.
#[derive(Debug, Default)]
struct Course {
    /// The times of the calls sent while the limiter was closed, and the calls.
    probes: Vec<(Duration, u64)>,
    /// The times of all calls sent.
    sent: Vec<(Duration, u64)>,
    ended: Vec<Ended>,
    /// The reason, start and end of the closed state, sampled regularly.
    closed: Vec<Option<(ClosedReason, Duration, Option<Duration>)>>,
}

impl Answer {
    fn verdict(self, now: Duration) -> Verdict {
        match self {
            Self::Other(verdict) => verdict,
            Self::Quota(ends_in) => Verdict::QuotaExhausted {
                resumes_at: ends_in.map(|left| SystemTime::UNIX_EPOCH + now + left),
                limit: LimitKind::Daily,
            },
        }
    }
}

impl Course {
    fn of(mut fleet: Fleet, call_time: Duration, steps: &[Step]) -> Self {
        (fleet.call_time, fleet.lag) = (call_time, LAG);
        let mut course = Self::default();
        // No call is requested at the time of another event, of which a fleet knows up to a round trip later.
        course.record(&mut fleet, Duration::from_micros(137_731));
        let mut calls = 0;
        let mut start = |fleet: &mut Fleet, caller: Caller| {
            calls += 1;
            fleet.start_caller(0, Caller { tokens: calls, ..caller });
        };
        for &step in steps {
            match step {
                Step::Calls { calls, can_fail, attempts } => {
                    (0..calls).for_each(|_| start(&mut fleet, Caller { can_fail, attempts, ..Caller::PLAIN }));
                }
                Step::Refused { answer, refusals, can_fail, attempts } => {
                    let verdict = answer.verdict(fleet.now);
                    start(&mut fleet, Caller { refusals, verdict, can_fail, attempts, ..Caller::PLAIN });
                }
                Step::Outage { answer, time } => {
                    let (from, verdict) = (fleet.now, answer.verdict(fleet.now));
                    fleet.outages.push(Outage { from, until: from + time, verdict });
                }
                Step::Unattributed(answer) => {
                    let (now, scheduler) = (fleet.now, &mut fleet.processes[0].scheduler);
                    match answer.verdict(now) {
                        Verdict::QuotaExhausted { resumes_at, .. } => {
                            let opens_at = resumes_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                            scheduler.on_unattributed_exhaustion(now, opens_at);
                        }
                        verdict => scheduler.on_unattributed_refusal(now, &verdict),
                    }
                }
                Step::Demand { time, gap, can_fail } => {
                    let end = fleet.now + time;
                    while fleet.now < end {
                        start(&mut fleet, Caller { can_fail, attempts: Some(6), ..Caller::PLAIN });
                        fleet.advance(0);
                        let next = fleet.now + gap;
                        course.record(&mut fleet, next);
                    }
                }
                Step::Wait(time) => {
                    let end = fleet.now + time;
                    course.record(&mut fleet, end);
                }
            }
            fleet.advance(0);
            // Time for a round trip to the server.
            let end = fleet.now + Duration::from_micros(5_113);
            course.record(&mut fleet, end);
        }
        let end = fleet.now + seconds(70);
        course.record(&mut fleet, end);
        course.sent = fleet.tickets.iter().map(|ticket| (ticket.at, ticket.tokens)).collect();
        course.probes = fleet.probes.iter().map(|ticket| (ticket.at, ticket.tokens)).collect();
        course.ended = fleet.ended;
        course
    }

    /// Runs until `end`, and takes samples.
    fn record(&mut self, fleet: &mut Fleet, end: Duration) {
        while let Ok(next) = u32::try_from(self.closed.len() + 1)
            && let at = SAMPLE * next
            && at <= end
        {
            fleet.run(at);
            let scheduler = &mut fleet.processes[0].scheduler;
            scheduler.advance_to(at);
            self.closed.push(scheduler.closed().map(|closed| (closed.reason, closed.since, closed.opens_at)));
            fleet.advance(0);
        }
        fleet.run(end);
    }
}

fn is_near(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) <= TOLERANCE
}

fn are_near(one: Option<Duration>, other: Option<Duration>) -> bool {
    one.zip(other).map_or(one == other, |(one, other)| is_near(one, other))
}

/// Compares two sequences of events. Returns the first difference as an error.
fn compare_events<T: std::fmt::Debug>(
    name: &str,
    courses: [&[T]; 2],
    is_same: impl Fn(&T, &T) -> bool,
) -> Result<(), String> {
    let [alone, shared] = courses;
    let differs = alone.iter().zip(shared).position(|(one, other)| !is_same(one, other));
    let index = differs.unwrap_or_else(|| alone.len().min(shared.len()));
    let around = |events: &[T]| {
        format!("{:?}", &events[index.saturating_sub(3).min(events.len())..(index + 4).min(events.len())])
    };
    if differs.is_none() && alone.len() == shared.len() {
        return Ok(());
    }
    let lengths = (alone.len(), shared.len());
    Err(format!("{name} {index} of {lengths:?}\nalone  {}\nshared {}", around(alone), around(shared)))
}

/// Compares an unshared limiter with a fleet of one process. Slots are leased for the time between two reports, so a call may be sent later by
/// `slack` while the limiter is open. Returns the first difference as an error.
fn compare(limits: Limits, call_time: Duration, steps: &[Step], slack: Duration) -> Result<(), String> {
    let alone = Course::of(Fleet::alone(limits), call_time, steps);
    let shared = Course::of(Fleet::new(limits, 1), call_time, steps);
    let is_same = |one: &(Duration, u64), other: &(Duration, u64)| is_near(one.0, other.0) && one.1 == other.1;
    let is_near_call = |one: Duration, other: Duration| one.abs_diff(other) <= slack + TOLERANCE;
    let is_same_call =
        |one: &(Duration, u64), other: &(Duration, u64)| is_near_call(one.0, other.0) && one.1 == other.1;
    let mut errors = Vec::new();
    let is_same_end = |one: &Ended, other: &Ended| {
        let is_same = match (one.end, other.end) {
            (End::Rejection(reason, end), End::Rejection(other_reason, other_end)) => {
                reason == other_reason && are_near(end, other_end) && is_near(one.at, other.at)
            }
            (End::Refusal, End::Refusal) => is_near_call(one.at, other.at),
            _ => false,
        };
        is_same && one.tokens == other.tokens
    };
    for (index, one) in alone.closed.iter().enumerate() {
        let is_same = |other: &Option<(ClosedReason, Duration, Option<Duration>)>| match (one, other) {
            (None, None) => true,
            (Some((one, since, end)), Some((other, other_since, other_end))) => {
                one == other && is_near(*since, *other_since) && are_near(*end, *other_end)
            }
            _ => false,
        };
        let around = &shared.closed[index.saturating_sub(1)..(index + 2).min(shared.closed.len())];
        if !around.iter().any(is_same) {
            errors.push(format!("closed in sample {index}\nalone  {one:?}\nshared {around:?}"));
            break;
        }
    }
    errors.extend(compare_events("probe", [&alone.probes, &shared.probes], is_same).err());
    errors.extend(compare_events("end", [&alone.ended, &shared.ended], is_same_end).err());
    errors.extend(compare_events("call", [&alone.sent, &shared.sent], is_same_call).err());
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

fn limits() -> impl Strategy<Value = Limits> {
    // Few calls are due at the time of another event.
    let rate = select(vec![57, 290, 1130]);
    let in_flight = option::weighted(0.3, select(vec![1_u32, 2, 8]));
    let wait = option::weighted(0.5, option::weighted(0.5, select(vec![5_u64, 30, 90, 700])));
    let give_up_after = option::weighted(0.6, select(vec![10_u64, 30, 100]));
    (rate, in_flight, wait, give_up_after).prop_map(|(rate, in_flight, wait, give_up_after)| {
        let mut limits = Limits::per_minute(rate).no_ramp();
        limits.max_in_flight = in_flight.and_then(NonZeroU32::new);
        limits.give_up_after = give_up_after.map(seconds);
        if let Some(at_most) = wait {
            limits = limits.on_exhausted(OnExhausted::Wait);
            limits.wait_at_most = at_most.map(seconds);
        }
        limits
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let hint = || option::weighted(0.5, (100_u64..20_000).prop_map(millis));
    let end = option::weighted(0.7, prop_oneof![1000_u64..100_000, 1000_u64..900_000].prop_map(millis));
    let rate_limited = |retry_after| Answer::Other(Verdict::RateLimited { retry_after, limit: LimitKind::Unknown });
    prop_oneof![
        4 => end.prop_map(Answer::Quota),
        2 => (601_000_u64..2_000_000).prop_map(move |hint| rate_limited(Some(millis(hint)))),
        3 => hint().prop_map(rate_limited),
        1 => hint().prop_map(|retry_after| Answer::Other(Verdict::Overloaded { retry_after })),
        1 => hint().prop_map(|retry_after| Answer::Other(Verdict::Transient { retry_after })),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let attempts = || select(vec![None, Some(1), Some(6), Some(6), Some(100)]);
    prop_oneof![
        4 => (1_u64..20, any::<bool>(), attempts())
            .prop_map(|(calls, can_fail, attempts)| Step::Calls { calls, can_fail, attempts }),
        3 => (answer(), 1_u32..5, any::<bool>(), attempts()).prop_map(|(answer, refusals, can_fail, attempts)| {
            Step::Refused { answer, refusals, can_fail, attempts }
        }),
        3 => (answer(), 1000_u64..60_000).prop_map(|(answer, time)| Step::Outage { answer, time: millis(time) }),
        1 => answer().prop_map(Step::Unattributed),
        3 => (1000_u64..60_000, 300_u64..5000, any::<bool>())
            .prop_map(|(time, gap, can_fail)| Step::Demand { time: millis(time), gap: millis(gap), can_fail }),
        4 => (50_u64..6000).prop_map(|time| Step::Wait(millis(time))),
        1 => (10_000_u64..200_000).prop_map(|time| Step::Wait(millis(time))),
    ]
}

/// Plays the scenario of `seed`. Returns the first difference as an error.
fn play(seed: u64) -> Result<(), String> {
    let config = ProptestConfig {
        cases: 1,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    };
    let scenario = (limits(), select(vec![107_u64, 413, 1987]), vec(step(), 1..10));
    let result = TestRunner::new(config).run(&scenario, |(limits, call_time, steps)| {
        compare(limits, millis(call_time), &steps, PERIOD).map_err(TestCaseError::fail)
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, scenario) => format!("seed {seed}: {reason}\n{scenario:#?}"),
        error @ TestError::Abort(_) => format!("seed {seed}: {error}"),
    })
}

#[test]
fn random_closed_fleets_of_one_match_unshared_limiters() {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let first = number("PROPTEST_RNG_SEED").unwrap_or(0);
    let seeds = first..first + number("PROPTEST_CASES").unwrap_or(SCENARIOS);
    let threads = 2;
    let failed: Vec<String> = thread::scope(|scope| {
        let share = |thread: usize| seeds.clone().skip(thread).step_by(threads);
        let start = |thread| scope.spawn(move || share(thread).filter_map(|seed| play(seed).err()).collect::<Vec<_>>());
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "{} scenarios differ\n{}", failed.len(), failed.join("\n\n"));
}
