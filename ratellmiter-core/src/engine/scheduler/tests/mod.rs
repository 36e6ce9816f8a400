//! The promises, on the pure scheduler: an hour takes a millisecond and every time is exact.

// A time that would be negative fails the test, as it should; the counts are small.
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

mod asking;
mod bursts;
mod counts;
mod fleet;
mod held;
mod learning;
mod pace;
mod refusals;

const NOBODY: () = ();

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(NonZeroU32::new(calls).unwrap())
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
    Verdict::RateLimited { retry_after: hint, scope: LimitKind::Unknown }
}

/// Calls of which nothing is said.
trait Plain {
    fn joins(&mut self, now: Duration) -> QueuePosition;
    fn tries(&mut self, now: Duration) -> Option<Grant>;
    fn ends(&mut self, now: Duration, grant: Grant, failed: bool);
}

impl Plain for Scheduler<()> {
    fn joins(&mut self, now: Duration) -> QueuePosition {
        self.enqueue(now, &Request::PLAIN, NOBODY).expect("nothing bounds its wait")
    }

    fn tries(&mut self, now: Duration) -> Option<Grant> {
        self.try_request(now, &Request::PLAIN)
    }

    fn ends(&mut self, now: Duration, grant: Grant, failed: bool) {
        assert!(self.finish(now, grant, failed, None));
    }
}

/// Issues what is due at `now`.
fn advance(scheduler: &mut Scheduler<()>, now: Duration) -> Vec<Grant> {
    let mut issued = Vec::new();
    assert!(!scheduler.advance(now, |grant, ()| issued.push(grant)), "no probe is set");
    issued
}

/// Issues until `end`, waking up `late(n)` after the n-th deadline. Calls last no time unless `end_call` keeps them.
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

/// The times at which `calls` calls that all ask at zero are issued, in the order of asking.
fn times(limits: Limits, calls: usize, late: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut scheduler = scheduler(limits);
    let places: Vec<_> = (0..calls).map(|_| scheduler.joins(Duration::ZERO)).collect();
    let mut times = Vec::new();
    let mut ids = Vec::new();
    run(&mut scheduler, Duration::MAX, late, |scheduler, now, grant| {
        times.push(now);
        ids.push(grant.id);
        scheduler.ends(now, grant, false);
    });
    assert_eq!(ids, places.iter().map(|place| place.id).collect::<Vec<_>>(), "first come, first served");
    times
}

fn most_within(times: &[Duration], width: Duration) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, time) in times.iter().enumerate() {
        while times[first] + width <= *time {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

fn assert_within_limits(times: &[Duration], rate: u32) {
    assert!(most_within(times, seconds(60)) <= rate as usize, "in a minute, at {rate}");
    assert!(most_within(times, seconds(1)) <= rate.div_ceil(60) as usize + 1, "in a second, at {rate}");
}

#[derive(Debug, Clone)]
enum Step {
    Ask,
    Try,
    Finish(usize),
    Refuse(usize, Option<u64>),
    Abandon(usize),
    GiveBack(usize),
    Leave(usize),
    Retune(u32),
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = 0_usize..64;
    prop_oneof![
        6 => Just(Step::Ask),
        1 => Just(Step::Try),
        4 => index.clone().prop_map(Step::Finish),
        1 => (index.clone(), prop::option::of(0_u64..20_000)).prop_map(|(index, hint)| Step::Refuse(index, hint)),
        1 => index.clone().prop_map(Step::Abandon),
        1 => index.clone().prop_map(Step::GiveBack),
        1 => index.prop_map(Step::Leave),
        8 => (0_u64..700).prop_map(Step::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens in whatever order: the limits hold, nobody is lost, and in the end the counts are zero.
    #[test]
    fn no_sequence_of_events_breaks_a_promise(
        rate in prop_oneof![1_u32..20, 60_u32..100, 100_u32..6000],
        cap in prop::option::of(1_u32..6),
        burst in prop_oneof![3 => Just(0_u64), 1 => 1_u64..60],
        steps in prop::collection::vec(prop_oneof![40 => step(), 1 => (1_u32..6000).prop_map(Step::Retune)], 1..250),
    ) {
        let limits = |rate| {
            let mut limits = per_minute(rate).burst_window(seconds(burst));
            limits.max_in_flight = cap.and_then(NonZeroU32::new);
            limits
        };
        let mut scheduler = scheduler(limits(rate));
        let mut now = Duration::ZERO;
        let mut out: Vec<Grant> = Vec::new();
        let mut line: Vec<QueuePosition> = Vec::new();
        // (when, whether it was given back)
        let mut went: BTreeSet<(Duration, CallId)> = BTreeSet::new();
        let mut highest = rate;
        let settled = |scheduler: &mut Scheduler<()>, now: Duration, out: &mut Vec<Grant>, line: &mut Vec<QueuePosition>, went: &mut BTreeSet<(Duration, CallId)>| {
            for grant in advance(scheduler, now) {
                line.retain(|place| place.id != grant.id);
                went.insert((now, grant.id));
                out.push(grant);
            }
        };
        for step in steps.into_iter().chain([Step::Sleep(1)]) {
            let pick = |index: usize, of: usize| (of > 0).then(|| index % of);
            match step {
                Step::Ask => line.push(scheduler.joins(now)),
                Step::Try => if let Some(grant) = scheduler.tries(now) {
                    went.insert((now, grant.id));
                    out.push(grant);
                },
                Step::Finish(index) => if let Some(index) = pick(index, out.len()) { scheduler.ends(now, out.swap_remove(index), false); },
                Step::Abandon(index) => if let Some(index) = pick(index, out.len()) { scheduler.abandon(now, out.swap_remove(index)); },
                Step::GiveBack(index) => if let Some(index) = pick(index, out.len()) {
                    let grant = out.swap_remove(index);
                    went.remove(&(grant.at, grant.id));
                    scheduler.cancel(now, grant);
                },
                Step::Refuse(index, hint) => if let Some(index) = pick(index, out.len()) {
                    line.push(scheduler.requeue(now, out.swap_remove(index), &refused(hint.map(Duration::from_millis)), NOBODY));
                },
                Step::Leave(index) => if let Some(index) = pick(index, line.len()) {
                    prop_assert!(scheduler.leave(now, line.swap_remove(index)));
                },
                Step::Retune(rate) => {
                    highest = highest.max(rate);
                    scheduler.set_limits(now, limits(rate));
                }
                Step::Sleep(time) => {
                    let end = now + millis(time);
                    while let Some(deadline) = scheduler.deadline().filter(|deadline| *deadline <= end) {
                        now = now.max(deadline);
                        settled(&mut scheduler, now, &mut out, &mut line, &mut went);
                    }
                    now = end;
                }
            }
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
            prop_assert_eq!(scheduler.in_flight, out.len() as u64);
            prop_assert_eq!(scheduler.queue_length(), line.len());
            prop_assert!(cap.is_none_or(|cap| out.len() <= cap as usize));
        }
        let times: Vec<_> = went.iter().map(|(at, _)| *at).collect();
        let saved = highest as usize * usize::try_from(burst).unwrap() / 60;
        prop_assert!(most_within(&times, seconds(60)) <= highest as usize + saved);
        prop_assert!(most_within(&times, seconds(1)) <= highest.div_ceil(60) as usize + saved + 1);
        // Everybody who waits is served in the end.
        let mut rounds = 0;
        while scheduler.queue_length() > 0 {
            rounds += 1;
            prop_assert!(rounds < 2000, "somebody is left asleep: {:?}", scheduler);
            out.drain(..).for_each(|grant| scheduler.ends(now, grant, false));
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
            now = scheduler.deadline().unwrap_or(now).max(now);
            settled(&mut scheduler, now, &mut out, &mut line, &mut went);
        }
        out.drain(..).for_each(|grant| scheduler.ends(now, grant, false));
        prop_assert_eq!(scheduler.in_flight, 0);
        prop_assert_eq!(scheduler.queue_length(), 0);
    }
}
