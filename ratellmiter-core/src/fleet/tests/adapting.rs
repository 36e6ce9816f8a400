//! Refusals and the ramp in a fleet of one process, compared with an unshared limiter.

use super::*;
use crate::{engine::stats::Gauges, judge::LimitKind};

fn calls_per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls)
}

fn refusal(limit: LimitKind) -> Verdict {
    Verdict::RateLimited { retry_after: None, limit }
}

/// Returns an unshared limiter and a fleet of one process.
fn both(limits: Limits) -> [Fleet; 2] {
    [Fleet::alone(limits), Fleet::new(limits, 1)]
}

/// Starts `callers` callers, and sends their calls that are due.
fn request(fleet: &mut Fleet, callers: usize, caller: Caller) {
    (0..callers).for_each(|_| fleet.start_caller(0, caller));
    fleet.advance(0);
}

fn gauges(fleet: &mut Fleet) -> Gauges {
    fleet.refresh(0);
    let now = fleet.now;
    fleet.processes[0].scheduler.gauges(now)
}

#[test]
fn concurrency_refusal_counts_the_calls_that_stay_in_flight() {
    for (limit, adapted) in [(2, 1.0), (3, 2.0), (4, 3.0), (8, 6.0)] {
        for mut fleet in both(calls_per_minute(6000).no_ramp().max_in_flight(limit)) {
            fleet.call_time = seconds(1);
            fleet.run(millis(10));
            request(&mut fleet, 1, Caller { refusals: 1, verdict: refusal(LimitKind::Concurrency), ..Caller::PLAIN });
            request(&mut fleet, limit as usize - 1, Caller::PLAIN);
            fleet.run(millis(1500));
            assert_eq!(fleet.tickets.len(), limit as usize);
            assert_eq!(gauges(&mut fleet).learned_in_flight, Some(adapted), "of {limit}");
        }
    }
}

#[test]
fn token_refusal_is_measured_since_the_oldest_usage() {
    for mut fleet in both(per_minute(6000, 60_000)) {
        for second in 70..80 {
            fleet.run(seconds(second));
            let refusals = u32::from(second == 79);
            request(
                &mut fleet,
                1,
                Caller { tokens: 1000, refusals, verdict: refusal(LimitKind::Tokens), ..Caller::PLAIN },
            );
        }
        fleet.run(seconds(80));
        let adapted = gauges(&mut fleet).budgets[0].unwrap().learned.unwrap();
        // 9,000 tokens in 9 seconds are the configured rate; 85 % of that.
        assert!((adapted - 51_000.0).abs() <= 510.0, "{adapted}");
    }
}

#[test]
fn ramp_stays_low_while_tokens_limit_the_calls() {
    for mut fleet in both(calls_per_minute(6000).tokens_per_minute(60_000)) {
        fleet.run(millis(10));
        request(&mut fleet, 50, Caller { tokens: 1000, ..Caller::PLAIN });
        fleet.run(seconds(20));
        assert!((20..=22).contains(&fleet.tickets.len()), "{}", fleet.tickets.len());
        let rate = gauges(&mut fleet).rate;
        assert!((rate - 25.0).abs() < 1e-6, "a quarter of 100 a second, not {rate}");
    }
}

#[test]
fn throughput_is_measured_from_the_first_call() {
    for mut fleet in both(calls_per_minute(300).no_ramp()) {
        fleet.run(millis(1900));
        request(&mut fleet, 10, Caller::PLAIN);
        request(&mut fleet, 1, Caller { refusals: 1, verdict: refusal(LimitKind::Requests), ..Caller::PLAIN });
        fleet.run(seconds(5));
        let adapted = gauges(&mut fleet).learned_rate.unwrap();
        // Ten calls in 2.2 seconds, and 85 % of that.
        assert!((adapted - 0.85 * 10.0 / 2.2).abs() < 0.03, "{adapted}");
    }
}

#[test]
fn canary_waits_for_its_slot_at_a_slow_rate() {
    let hint = Verdict::RateLimited { retry_after: Some(millis(100)), limit: LimitKind::Requests };
    for mut fleet in both(calls_per_minute(30)) {
        fleet.run(millis(10));
        request(&mut fleet, 1, Caller { refusals: 1, verdict: hint, ..Caller::PLAIN });
        fleet.run(seconds(10));
        let at: Vec<_> = fleet.tickets.iter().map(|ticket| ticket.at).collect();
        assert_eq!(at.len(), 2, "{at:?}");
        assert!((at[1] - at[0]).abs_diff(seconds(2)) <= millis(5), "one call each two seconds: {at:?}");
    }
}

/// Returns the times between successive calls.
fn distances(fleet: &Fleet) -> Vec<Duration> {
    fleet.tickets.windows(2).map(|two| two[1].at - two[0].at).collect()
}

#[test]
fn pauses_without_a_hint_grow_to_their_maximum() {
    for mut fleet in both(calls_per_minute(600).no_ramp().give_up_after(seconds(3600))) {
        fleet.run(millis(10));
        request(&mut fleet, 1, Caller { refusals: 12, verdict: refusal(LimitKind::Growth), ..Caller::PLAIN });
        fleet.run(seconds(900));
        let pauses = distances(&fleet);
        assert_eq!(pauses.len(), 12);
        // The first pause is 2 s, and each is longer by half; a call takes 200 ms.
        assert!(pauses[8] < seconds(60) && pauses[9..].iter().all(|pause| pause.abs_diff(millis(65_200)) < millis(20)));
    }
}

#[test]
fn call_that_cannot_fail_is_sent_while_a_long_hint_closes() {
    for mut fleet in both(calls_per_minute(600).no_ramp()) {
        fleet.run(millis(10));
        let verdict = Verdict::RateLimited { retry_after: Some(seconds(601)), limit: LimitKind::Requests };
        request(&mut fleet, 1, Caller { refusals: 1, verdict, ..Caller::PLAIN });
        fleet.run(seconds(900));
        // A second after the refusal; a call takes 200 ms.
        assert!(distances(&fleet)[0].abs_diff(millis(1200)) < millis(20), "{:?}", distances(&fleet));
    }
}

#[test]
fn jitter_lengthens_a_pause_by_a_twentieth() {
    let mut fleet = Fleet::new(calls_per_minute(600).no_ramp(), 1);
    fleet.jitter = 1.0;
    fleet.run(millis(10));
    let verdict = Verdict::RateLimited { retry_after: Some(seconds(4)), limit: LimitKind::Requests };
    request(&mut fleet, 1, Caller { refusals: 1, verdict, ..Caller::PLAIN });
    fleet.run(seconds(20));
    assert!(distances(&fleet)[0].abs_diff(millis(4400)) < millis(20), "{:?}", distances(&fleet));
}

#[test]
fn throughput_is_that_of_the_last_seconds() {
    for mut fleet in both(calls_per_minute(600).no_ramp()) {
        // One call a second for 20 seconds, then ten a second for as long as throughput is measured.
        for second in 1..20 {
            fleet.run(seconds(second));
            request(&mut fleet, 1, Caller::PLAIN);
        }
        fleet.run(seconds(20));
        request(&mut fleet, 70, Caller::PLAIN);
        fleet.run(millis(26_500));
        request(&mut fleet, 1, Caller { refusals: 1, verdict: refusal(LimitKind::Requests), ..Caller::PLAIN });
        fleet.run(seconds(28));
        let adapted = gauges(&mut fleet).learned_rate.unwrap();
        // 85 % of the mean of the last seconds, in which all but the first calls were sent at ten a second.
        assert!((adapted - 0.85 * 9.608).abs() < 0.01, "{adapted}");
    }
}

#[test]
fn second_token_refusal_cuts_the_limit_in_force() {
    let [alone, shared] = both(per_minute(6000, 60_000)).map(|mut fleet| {
        fleet.run(millis(10));
        request(&mut fleet, 100, Caller { tokens: 1000, ..Caller::PLAIN });
        let limit_after_a_refusal = |fleet: &mut Fleet, at| {
            fleet.run(seconds(at));
            let verdict = refusal(LimitKind::Tokens);
            let priority = Priority::High;
            request(fleet, 1, Caller { tokens: 1000, refusals: 1, verdict, priority, ..Caller::PLAIN });
            fleet.run(seconds(at + 2));
            gauges(fleet).budgets[0].unwrap().learned.unwrap()
        };
        let first = limit_after_a_refusal(&mut fleet, 10);
        let second = limit_after_a_refusal(&mut fleet, 17);
        assert!(first < 60_000.0 && second < first, "{second} after {first}");
        [first, second]
    });
    for (one, other) in alone.into_iter().zip(shared) {
        assert!((one - other).abs() < 0.01 * one, "{alone:?} {shared:?}");
    }
}
