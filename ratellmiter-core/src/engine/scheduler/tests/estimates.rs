//! Estimated waits, compared with the times at which the scheduler sends the calls.

use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::RngSeed};

use super::*;
use crate::log::row::BudgetKind;

fn costing(tokens: u64) -> Request {
    Request { cost: (tokens, 0).into(), ..Request::PLAIN }
}

/// A scheduler whose calls end after a constant latency with the estimated usage.
struct Course {
    scheduler: Scheduler<()>,
    now: Duration,
    latency: Duration,
    costs: BTreeMap<CallId, (u64, u64)>,
    /// Calls in flight by their ends.
    ends: BTreeMap<(Duration, CallId), Grant>,
    sent: BTreeMap<CallId, Duration>,
}

impl Course {
    fn new(limits: Limits, latency: Duration) -> Self {
        Self {
            scheduler: scheduler(limits),
            now: Duration::ZERO,
            latency,
            costs: BTreeMap::new(),
            ends: BTreeMap::new(),
            sent: BTreeMap::new(),
        }
    }

    fn enqueue(&mut self, cost: (u64, u64)) -> QueuePosition {
        let request = Request { cost: cost.into(), ..Request::PLAIN };
        let position = self.scheduler.enqueue(self.now, &request, NO_PAYLOAD).unwrap();
        self.costs.insert(position.id, cost);
        position
    }

    fn advance(&mut self) {
        for grant in advance(&mut self.scheduler, self.now) {
            self.sent.insert(grant.id, self.now);
            self.ends.insert((self.now + self.latency, grant.id), grant);
        }
    }

    /// Returns the time of the next event.
    fn next_event(&self) -> Option<Duration> {
        let end = self.ends.first_key_value().map(|((at, _), _)| *at);
        self.scheduler.deadline().into_iter().chain(end).min()
    }

    fn run(&mut self, end: Duration) {
        self.advance();
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            while let Some(entry) = self.ends.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let grant = entry.remove();
                let (input, output) = self.costs[&grant.id];
                self.scheduler.finish(self.now, grant, CallEnd::Succeeded, Some(Usage::new(input, output)));
                self.advance();
            }
            self.advance();
        }
        self.now = self.now.max(end.min(self.now + seconds(3600)));
    }

    /// Runs until the queue is empty.
    fn drain(&mut self) {
        while self.scheduler.queue_length() > 0 {
            let at = self.next_event().expect("every call is sent");
            self.run(at);
        }
    }
}

/// Returns an error if the estimate differs from the wait by more than 2 s and by more than 10 %.
fn compare(estimate: Duration, wait: Duration) -> Result<(), String> {
    let difference = estimate.abs_diff(wait);
    if difference <= seconds(2).max(wait / 10) {
        return Ok(());
    }
    Err(format!("estimated {estimate:.1?}, waited {wait:.1?}"))
}

/// 70 calls of a budget of 60 calls a minute, half a second after the first was sent.
fn seventy_calls() -> (Course, Vec<QueuePosition>) {
    let mut course = Course::new(per_minute(6000).tokens_per_minute(60_000), millis(100));
    course.enqueue((1000, 0));
    course.run(millis(500));
    let positions = (0..70).map(|_| course.enqueue((1000, 0))).collect();
    (course, positions)
}

#[test]
fn estimate_of_seventy_calls_is_the_time_of_the_last() {
    let (mut course, positions) = seventy_calls();
    let start = course.now;
    let estimates: Vec<_> = positions.iter().map(|position| course.scheduler.wait_of(start, *position)).collect();
    course.drain();
    for (position, estimate) in positions.iter().zip(estimates) {
        compare(estimate, course.sent[&position.id] - start).unwrap();
    }
    let last = course.sent[&positions[69].id] - start;
    assert!((seconds(68)..seconds(71)).contains(&last), "{last:?}");
}

#[test]
fn call_that_is_sent_within_its_max_wait_is_not_rejected() {
    let (mut course, _) = seventy_calls();
    let request = Request { max_wait: Some(seconds(75)), ..costing(1000) };
    let position = course.scheduler.enqueue(course.now, &request, NO_PAYLOAD);
    assert!(position.is_ok(), "{position:?}");
    let hasty = Request { max_wait: Some(seconds(60)), ..costing(1000) };
    let rejected = course.scheduler.enqueue(course.now, &hasty, NO_PAYLOAD).unwrap_err();
    assert!((69..73).contains(&rejected.estimated_wait.as_secs()), "{rejected:?}");
}

#[test]
fn time_left_falls_by_a_second_each_second() {
    let (mut course, _) = seventy_calls();
    course.run(seconds(2));
    let mut before = course.scheduler.time_left(course.now);
    for second in 3..60 {
        course.run(seconds(second));
        let left = course.scheduler.time_left(course.now);
        let fallen = before.abs_diff(left);
        assert!(left < before && (millis(500)..millis(1500)).contains(&fallen), "{before:?} {left:?}");
        before = left;
    }
}

#[test]
fn estimate_of_a_queue_of_days_is_the_time_of_the_last() {
    let mut course = Course::new(per_minute(6).no_ramp().requests_per_day(500), millis(100));
    let last = (0..2200).map(|call| course.enqueue((10 + call % 2, 0))).last().unwrap();
    let estimate = course.scheduler.wait_of(Duration::ZERO, last);
    course.drain();
    compare(estimate, course.sent[&last.id]).unwrap();
    assert!(course.sent[&last.id] > 4 * seconds(86_400));
}

#[test]
fn estimate_on_the_ramp_is_the_next_slot() {
    let mut scheduler = scheduler(per_minute(6));
    assert!(scheduler.try_plain(Duration::ZERO).is_some());
    let request = Request { max_wait: Some(seconds(5)), ..Request::PLAIN };
    let rejected = scheduler.enqueue(Duration::ZERO, &request, NO_PAYLOAD).unwrap_err();
    assert_eq!(rejected.estimated_wait, seconds(10), "the next ticket is due in ten seconds");
}

#[test]
fn estimate_includes_pause_and_canary() {
    let mut course = Course::new(per_minute(600), millis(700));
    let positions: Vec<_> = (0..20).map(|_| course.enqueue((1, 1))).collect();
    course.run(seconds(1));
    let (key, grant) = course.ends.pop_last().unwrap();
    let refused = course.scheduler.requeue(course.now, grant, &refused(Some(seconds(30))), NO_PAYLOAD);
    course.sent.remove(&key.1);
    let queued: Vec<_> = positions.into_iter().filter(|position| !course.sent.contains_key(&position.id)).collect();
    assert!(queued.len() > 5);
    let estimates: Vec<_> = queued
        .iter()
        .chain([&refused])
        .map(|one| (one.id, course.scheduler.wait_of(course.now, if one.id == refused.id { refused } else { *one })))
        .collect();
    let start = course.now;
    course.drain();
    for (id, estimate) in estimates {
        let wait = course.sent[&id] - start;
        assert!(estimate.abs_diff(wait) < millis(1000), "estimated {estimate:?}, waited {wait:?}");
    }
}

#[test]
fn estimate_follows_a_pace_that_headers_have_lowered() {
    let mut course = Course::new(per_minute(600).no_ramp(), millis(100));
    let first = course.scheduler.try_plain(Duration::ZERO).unwrap();
    let reading = LimitReading {
        unit: LimitUnit::Requests,
        per: Period::Minute,
        limit: Some(600),
        remaining: Some(0),
        reset: Some(seconds(30)),
    };
    course.scheduler.apply_headers(Duration::ZERO, &first, &[reading]);
    let last = (0..300).map(|_| course.enqueue((1, 0))).last().unwrap();
    let estimate = course.scheduler.wait_of(Duration::ZERO, last);
    course.drain();
    compare(estimate, course.sent[&last.id]).unwrap();
}

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(16);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 40;
    }
    config
}

fn limits() -> impl Strategy<Value = Limits> {
    let rate = select(vec![6_u32, 30, 60, 300, 600, 6000]);
    let amount = || option::weighted(0.4, select(vec![6000_u64, 20_000, 60_000, 300_000]));
    let in_flight = option::weighted(0.3, select(vec![1_u32, 2, 5, 20]));
    // A day takes the scheduler a step for each second of the ramp.
    let day = option::weighted(0.1, select(vec![200_u64, 500]));
    let burst = prop_oneof![3 => Just(0_u64), 1 => select(vec![5_u64, 60])];
    (rate, [amount(), amount(), amount()], in_flight, day, burst, any::<bool>()).prop_map(
        |(rate, [tokens, input, output], in_flight, day, burst, has_ramp)| {
            let mut limits = per_minute(rate).burst_window(seconds(burst));
            for (kind, amount) in [
                (BudgetKind::TokensPerMinute, tokens),
                (BudgetKind::InputTokensPerMinute, input),
                (BudgetKind::OutputTokensPerMinute, output),
                (BudgetKind::RequestsPerDay, day),
            ] {
                if let Some(amount) = amount.and_then(std::num::NonZeroU64::new) {
                    limits = limits.budget(kind, amount);
                }
            }
            limits.max_in_flight = in_flight.and_then(NonZeroU32::new);
            if has_ramp { limits } else { limits.no_ramp() }
        },
    )
}

/// Calls of the costs, in turn.
fn calls(max_calls: usize) -> impl Strategy<Value = (usize, Vec<(u64, u64)>)> {
    let cost = select(vec![(10_u64, 10_u64), (300, 100), (1000, 500), (3000, 200), (100, 4000)]);
    (0..max_calls, vec(cost, 1..5))
}

proptest! {
    #![proptest_config(config())]

    /// For any mix of limits, of earlier calls and of queued calls, the estimates are within 10 % or 2 s of the real waits.
    #[test]
    fn estimates_are_near_the_real_waits(
        limits in limits(),
        latency in select(vec![100_u64, 1000, 8000, 40_000]),
        history in vec((calls(60), 0_u64..40_000), 0..4),
        queue in prop_oneof![8 => calls(60), 3 => calls(700), 1 => calls(3000)],
    ) {
        let mut course = Course::new(limits, millis(latency));
        // The latency is measured.
        course.enqueue((10, 10));
        course.run(millis(latency));
        for ((calls, costs), pause) in history {
            costs.into_iter().cycle().take(calls).for_each(|cost| _ = course.enqueue(cost));
            let end = course.now + millis(pause);
            course.run(end);
        }
        course.advance();
        let (calls, costs) = queue;
        let queued: Vec<_> = costs.into_iter().cycle().take(calls).map(|cost| course.enqueue(cost)).collect();
        course.advance();
        let start = course.now;
        let step = (queued.len() / 8).max(1);
        let estimates: Vec<_> = queued
            .iter()
            .filter(|position| course.scheduler.queue.get_mut(**position).is_some())
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .step_by(step)
            .map(|position| (*position, course.scheduler.wait_of(start, *position)))
            .collect();
        course.drain();
        for (position, estimate) in estimates {
            let wait = course.sent[&position.id] - start;
            if let Err(error) = compare(estimate, wait) {
                return Err(TestCaseError::fail(error));
            }
        }
    }
}
