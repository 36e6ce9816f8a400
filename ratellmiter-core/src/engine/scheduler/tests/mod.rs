//! The guarantees of the scheduler, in virtual time: an hour takes a millisecond, and every time is exact.

// A negative time fails the test, as it should. The counts are small.
#![allow(clippy::unchecked_time_subtraction, clippy::cast_precision_loss)]

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    time::Duration,
};

use proptest::prelude::*;

use super::*;
use crate::{
    engine::congestion::Phase,
    judge::{LimitKind, Verdict},
    limits::request::{Priority, RejectReason},
    log::row::Bottleneck,
};

mod adapting;
mod bottleneck;
mod bursts;
mod closed;
mod estimates;
mod failed_calls;
#[cfg(feature = "redis")]
mod fleet;
mod memory;
mod options;
mod pace;
mod refusals;
mod stats;
mod transient;

const NO_PAYLOAD: () = ();

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

fn scheduler(limits: Limits) -> Scheduler<()> {
    Scheduler::new(limits, Duration::ZERO, 1)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn refused(hint: Option<Duration>) -> Verdict {
    Verdict::RateLimited { retry_after: hint, limit: LimitKind::Unknown }
}

/// Calls without options.
trait PlainCalls {
    fn enqueue_plain(&mut self, now: Duration) -> QueuePosition;
    fn try_plain(&mut self, now: Duration) -> Option<Grant>;
    fn finish_plain(&mut self, now: Duration, grant: Grant, failed: bool);
}

impl PlainCalls for Scheduler<()> {
    fn enqueue_plain(&mut self, now: Duration) -> QueuePosition {
        self.enqueue(now, &Request::PLAIN, NO_PAYLOAD).expect("its wait is not limited")
    }

    fn try_plain(&mut self, now: Duration) -> Option<Grant> {
        self.try_request(now, &Request::PLAIN)
    }

    fn finish_plain(&mut self, now: Duration, grant: Grant, failed: bool) {
        let end = if failed { CallEnd::Failed } else { CallEnd::Succeeded };
        assert!(self.finish(now, grant, end, None));
    }
}

/// Grants the calls that are due at `now`.
fn advance(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<Grant> {
    let mut issued = Vec::new();
    assert!(!scheduler.advance(now, |grant, ()| issued.push(grant)), "no probe is set");
    issued
}

/// Grants calls until `end`. Each wake-up is `late()` after the deadline. Returns the time of the last one.
fn run(
    scheduler: &mut Scheduler<()>,
    end: Duration,
    mut late: impl FnMut() -> Duration,
    mut on_grant: impl FnMut(&mut Scheduler<()>, Duration, Grant),
) -> Duration {
    let mut now = Duration::ZERO;
    while let Some(deadline) = scheduler.deadline() {
        now = now.max(deadline + late());
        if now >= end {
            break;
        }
        for grant in advance(scheduler, now) {
            on_grant(scheduler, now, grant);
        }
    }
    now
}

/// Returns the times at which `calls` calls, all requested at zero, are granted.
fn times(limits: Limits, calls: usize, late: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut scheduler = scheduler(limits);
    let positions: Vec<_> = (0..calls).map(|_| scheduler.enqueue_plain(Duration::ZERO)).collect();
    let mut times = Vec::new();
    let mut ids = Vec::new();
    run(&mut scheduler, Duration::MAX, late, |scheduler, now, grant| {
        times.push(now);
        ids.push(grant.id);
        scheduler.finish_plain(now, grant, false);
    });
    assert_eq!(ids, positions.iter().map(|position| position.id).collect::<Vec<_>>(), "first come, first served");
    times
}

/// Returns the largest number of times in any interval of this width.
fn max_within(times: &[Duration], width: Duration) -> usize {
    let mut first = 0;
    let mut max = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] + width <= *time {
            first += 1;
        }
        max = max.max(last - first + 1);
    }
    max
}

fn assert_within_limits(times: &[Duration], rate: u32) {
    assert!(max_within(times, seconds(60)) <= rate as usize, "in a minute, at {rate}");
    assert!(max_within(times, seconds(1)) <= rate.div_ceil(60) as usize + 1, "in a second, at {rate}");
}

#[derive(Debug, Clone)]
enum Step {
    Enqueue,
    Try,
    Finish(usize),
    Refuse(usize, Option<u64>),
    Fail(usize, Option<u64>),
    Abandon(usize),
    Cancel(usize),
    Leave(usize),
    SetRate(u32),
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0_usize..64;
    prop_oneof![
        6 => Just(Step::Enqueue),
        1 => Just(Step::Try),
        4 => index.clone().prop_map(Step::Finish),
        1 => (index.clone(), prop::option::of(0_u64..20_000)).prop_map(|(index, hint)| Step::Refuse(index, hint)),
        1 => (index.clone(), prop::option::of(0_u64..20_000)).prop_map(|(index, hint)| Step::Fail(index, hint)),
        1 => index.clone().prop_map(Step::Abandon),
        1 => index.clone().prop_map(Step::Cancel),
        1 => index.prop_map(Step::Leave),
        8 => (0_u64..700).prop_map(Step::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// After any sequence of events, no limit is exceeded, every call ends, and the counts are zero.
    #[test]
    fn no_sequence_of_events_breaks_a_guarantee(
        rate in prop_oneof![1_u32..20, 60_u32..100, 100_u32..6000],
        max_in_flight in prop::option::of(1_u32..6),
        burst in prop_oneof![3 => Just(0_u64), 1 => 1_u64..60],
        steps in prop::collection::vec(prop_oneof![40 => step(), 1 => (1_u32..6000).prop_map(Step::SetRate)], 1..250),
    ) {
        let limits = |rate| {
            let mut limits = per_minute(rate).burst_window(seconds(burst));
            limits.max_in_flight = max_in_flight.and_then(NonZeroU32::new);
            limits
        };
        let mut scheduler = scheduler(limits(rate));
        let mut now = Duration::ZERO;
        let mut in_flight: Vec<Grant> = Vec::new();
        let mut queue: Vec<QueuePosition> = Vec::new();
        // Calls that were not cancelled.
        let mut sent: BTreeSet<(Duration, CallId)> = BTreeSet::new();
        let mut highest = rate;
        let settle = |scheduler: &mut Scheduler<()>, now: Duration, in_flight: &mut Vec<Grant>, queue: &mut Vec<QueuePosition>, sent: &mut BTreeSet<(Duration, CallId)>| {
            for grant in advance(scheduler, now) {
                queue.retain(|position| position.id != grant.id);
                sent.insert((now, grant.id));
                in_flight.push(grant);
            }
        };
        for step in steps.into_iter().chain([Step::Sleep(1)]) {
            let pick = |index: usize, of: usize| (of > 0).then(|| index % of);
            match step {
                Step::Enqueue => queue.push(scheduler.enqueue_plain(now)),
                Step::Try => if let Some(grant) = scheduler.try_plain(now) {
                    sent.insert((now, grant.id));
                    in_flight.push(grant);
                },
                Step::Finish(index) => if let Some(index) = pick(index, in_flight.len()) { scheduler.finish_plain(now, in_flight.swap_remove(index), false); },
                Step::Abandon(index) => if let Some(index) = pick(index, in_flight.len()) { scheduler.abandon(now, in_flight.swap_remove(index)); },
                Step::Cancel(index) => if let Some(index) = pick(index, in_flight.len()) {
                    let grant = in_flight.swap_remove(index);
                    sent.remove(&(grant.at, grant.id));
                    scheduler.cancel(now, grant);
                },
                Step::Refuse(index, hint) => if let Some(index) = pick(index, in_flight.len()) {
                    queue.push(scheduler.requeue(now, in_flight.swap_remove(index), &refused(hint.map(Duration::from_millis)), NO_PAYLOAD));
                },
                Step::Fail(index, hint) => if let Some(index) = pick(index, in_flight.len()) {
                    let hint = hint.map(Duration::from_millis);
                    queue.extend(scheduler.retry_transient(now, in_flight.swap_remove(index), CallEnd::Failed, hint, 2, NO_PAYLOAD));
                },
                Step::Leave(index) => if let Some(index) = pick(index, queue.len()) {
                    prop_assert!(scheduler.leave(now, queue.swap_remove(index)));
                },
                Step::SetRate(rate) => {
                    highest = highest.max(rate);
                    scheduler.set_limits(now, limits(rate));
                }
                Step::Sleep(time) => {
                    let end = now + millis(time);
                    while let Some(deadline) = scheduler.deadline().filter(|deadline| *deadline <= end) {
                        now = now.max(deadline);
                        settle(&mut scheduler, now, &mut in_flight, &mut queue, &mut sent);
                    }
                    now = end;
                }
            }
            settle(&mut scheduler, now, &mut in_flight, &mut queue, &mut sent);
            prop_assert_eq!(scheduler.in_flight, in_flight.len() as u64);
            prop_assert_eq!(scheduler.queue_length(), queue.len());
            prop_assert!(max_in_flight.is_none_or(|max_in_flight| in_flight.len() <= max_in_flight as usize));
        }
        let times: Vec<_> = sent.iter().map(|(at, _)| *at).collect();
        let saved = highest as usize * usize::try_from(burst).unwrap() / 60;
        prop_assert!(max_within(&times, seconds(60)) <= highest as usize + saved);
        prop_assert!(max_within(&times, seconds(1)) <= highest.div_ceil(60) as usize + saved + 1);
        // Every queued call is sent.
        let mut rounds = 0;
        while scheduler.queue_length() > 0 {
            rounds += 1;
            prop_assert!(rounds < 2000, "a queued call is never sent: {:?}", scheduler);
            in_flight.drain(..).for_each(|grant| scheduler.finish_plain(now, grant, false));
            settle(&mut scheduler, now, &mut in_flight, &mut queue, &mut sent);
            now = scheduler.deadline().unwrap_or(now).max(now);
            settle(&mut scheduler, now, &mut in_flight, &mut queue, &mut sent);
        }
        in_flight.drain(..).for_each(|grant| scheduler.finish_plain(now, grant, false));
        prop_assert_eq!(scheduler.in_flight, 0);
        prop_assert_eq!(scheduler.queue_length(), 0);
    }
}
