//! Single scenarios of the closed state, and of the pauses around it.

use super::*;

fn rate_limited(hint: impl Into<Option<u64>>) -> Answer {
    Answer::Other(Verdict::RateLimited { retry_after: hint.into().map(millis), limit: LimitKind::Unknown })
}

/// Returns a step that starts calls that cannot fail.
fn calls(calls: u64) -> Step {
    Step::Calls { calls, can_fail: false, attempts: Some(6) }
}

/// Compares all calls exactly.
fn compare_exactly(limits: Limits, call_time: u64, steps: &[Step]) {
    compare(limits.no_ramp(), millis(call_time), steps, Duration::ZERO).unwrap();
}

#[test]
fn canary_in_flight_counts_as_accepted_at_its_time() {
    compare_exactly(Limits::per_minute(57), 1987, &[calls(14), Step::Unattributed(rate_limited(7346))]);
}

#[test]
fn slow_failures_of_a_failing_server_extend_the_time_of_the_canary() {
    let answer = Answer::Other(Verdict::Transient { retry_after: Some(millis(2064)) });
    let outage = Step::Outage { answer, time: seconds(40) };
    let demand = Step::Demand { time: seconds(50), gap: millis(1818), can_fail: false };
    compare_exactly(Limits::per_minute(57), 1987, &[outage, demand, Step::Wait(seconds(5))]);
}

#[test]
fn end_reported_by_a_probe_does_not_delay_the_next_one() {
    let answer = Answer::Quota(None);
    let steps = [
        Step::Refused { answer, refusals: 1, can_fail: true, attempts: Some(6) },
        Step::Wait(seconds(1)),
        Step::Outage { answer: rate_limited(1_367_608), time: seconds(700) },
        Step::Calls { calls: 3, can_fail: true, attempts: Some(6) },
        Step::Wait(seconds(620)),
    ];
    compare_exactly(Limits::per_minute(290).on_exhausted(OnExhausted::Wait), 413, &steps);
}

#[test]
fn refusal_of_an_unknown_call_uncounts_no_call() {
    let demand = Step::Demand { time: seconds(25), gap: millis(953), can_fail: false };
    let mut limits = Limits::per_minute(97);
    limits.max_in_flight = NonZeroU32::new(2);
    compare_exactly(limits, 107, &[demand, Step::Unattributed(rate_limited(None)), calls(18)]);
}

#[test]
fn calls_of_a_closed_fleet_follow_the_adapted_rate() {
    let steps = [
        calls(25),
        Step::Wait(seconds(22)),
        Step::Outage { answer: rate_limited(None), time: millis(1500) },
        calls(3),
        Step::Wait(seconds(20)),
        Step::Outage { answer: Answer::Quota(Some(seconds(300))), time: seconds(60) },
        calls(20),
    ];
    compare_exactly(Limits::per_minute(57), 413, &steps);
}

#[test]
fn canary_of_an_opened_fleet_is_paced_after_the_accepted_probe() {
    let answer = rate_limited(707_568);
    let steps = [
        Step::Wait(seconds(5)),
        calls(19),
        Step::Refused { answer, refusals: 2, can_fail: true, attempts: None },
        calls(11),
    ];
    compare_exactly(Limits::per_minute(57), 413, &steps);
}

/// Returns the times of the calls around a spent quota, with calls that wait for it or `can_fail`.
fn calls_around_a_spent_quota(mut fleet: Fleet, spent: Spent, can_fail: bool) -> (Vec<Duration>, usize) {
    fleet.spent = Some(spent);
    // No call is requested at the end of the quota, of which a fleet knows up to a round trip.
    fleet.run(millis(137));
    while fleet.now < seconds(1000) {
        fleet.run(fleet.now + millis(500));
        fleet.start_caller(0, Caller { can_fail, ..Caller::PLAIN });
        fleet.advance(0);
    }
    (fleet.tickets.iter().map(|ticket| ticket.at).collect(), fleet.rejected.len())
}

#[test]
fn fleet_of_one_closes_and_opens_like_an_unshared_limiter() {
    let wait = Limits::per_minute(300).no_ramp().on_exhausted(OnExhausted::Wait);
    for (limits, can_fail) in
        [(wait, true), (Limits::per_minute(300).no_ramp(), true), (Limits::per_minute(300).no_ramp(), false)]
    {
        for (until, is_end_known) in [(100, true), (800, true), (100, false), (250, false)] {
            let spent = Spent { from: seconds(10), until: seconds(until), is_end_known };
            let (alone, rejected) = calls_around_a_spent_quota(Fleet::alone(limits), spent, can_fail);
            let (shared, rejected_shared) = calls_around_a_spent_quota(Fleet::new(limits, 1), spent, can_fail);
            let case = format!("{spent:?}, can fail: {can_fail}, {:?}", limits.on_exhausted);
            let differs = alone.iter().zip(&shared).find(|(one, other)| one.abs_diff(**other) > millis(50));
            assert_eq!(differs, None, "{case}");
            assert!(alone.len().abs_diff(shared.len()) <= 1, "{} {} {case}", alone.len(), shared.len());
            assert!(rejected.abs_diff(rejected_shared) <= 1, "{rejected} {rejected_shared} {case}");
        }
    }
}
