use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn failure(call: CallId, retries: u32) -> Failure {
    Failure { call, hint: None, retries, max_retries: u32::MAX, deadline: None }
}

#[test]
fn wait_doubles_up_to_eight_seconds() {
    let mut transient = TransientFailures::default();
    let waits: Vec<_> =
        [0, 1, 2, 3, 4, 5, 500].map(|retries| transient.on_failure(at(0), &failure(1, retries), 1)).into();
    let expected = [500, 1000, 2000, 4000, 8000, 8000, 8000].map(|millis| Some(Duration::from_millis(millis)));
    assert_eq!(waits, expected);
}

#[test]
fn hint_replaces_the_wait() {
    let mut transient = TransientFailures::default();
    let mut wait = |hint| transient.on_failure(at(0), &Failure { hint: Some(hint), ..failure(1, 1) }, 1);
    assert_eq!(wait(at(3)), Some(at(3)));
    assert_eq!(wait(at(600)), Some(at(600)));
    assert_eq!(wait(at(601)), None, "too long, as for refusals");
    assert_eq!(wait(at(0)), Some(at(1)), "no hint");
}

#[test]
fn retries_are_bounded_by_number_and_deadline() {
    let mut transient = TransientFailures::default();
    let failure = Failure { max_retries: 2, deadline: Some(at(10)), ..failure(1, 1) };
    assert_eq!(transient.on_failure(at(9), &failure, 1), Some(at(1)));
    assert_eq!(transient.on_failure(at(9) + RESOLUTION, &failure, 1), None, "after its deadline");
    assert_eq!(transient.on_failure(at(1), &Failure { retries: 2, ..failure }, 1), None);
}

#[test]
fn budget_is_a_fifth_of_the_calls_plus_ten() {
    for (calls, retries) in [(1, 10), (4, 10), (5, 11), (100, 30), (1000, 210)] {
        let mut transient = TransientFailures::default();
        let granted = (0..calls).filter(|call| transient.on_failure(at(1), &failure(*call, 0), calls).is_some());
        assert_eq!(granted.count() as u64, retries.min(calls), "{calls}");
        assert_eq!(transient.on_failure(at(60), &failure(0, 0), calls).is_some(), calls < retries, "{calls}");
        assert!(transient.on_failure(at(61), &failure(0, 0), calls).is_some(), "a minute later");
    }
}

#[test]
fn retries_do_not_add_to_the_budget() {
    let mut transient = TransientFailures::default();
    (0..10).for_each(|_| transient.on_retry_sent(at(0)));
    transient.on_retry_sent(at(1));
    transient.on_retry_cancelled(at(1));
    let granted = (0..100).filter(|call| transient.on_failure(at(1), &failure(*call, 0), 110).is_some());
    assert_eq!(granted.count(), 30);
}

#[test]
fn server_is_failing_after_five_calls_in_a_row() {
    let mut transient = TransientFailures::default();
    for call in [1, 2, 2, 3, 4] {
        transient.on_failure(at(0), &failure(call, 0), 9);
    }
    assert!(!transient.is_failing(0));
    transient.on_failure(at(0), &failure(5, 0), 9);
    assert!(transient.is_failing(0) && transient.is_failing(5) && !transient.is_failing(6));
    transient.on_success();
    transient.on_failure(at(0), &failure(5, 0), 9);
    assert!(!transient.is_failing(0));
}

#[test]
fn many_calls_in_flight_delay_the_pause_to_a_bound() {
    let mut transient = TransientFailures::default();
    (0..1000).for_each(|call| _ = transient.on_failure(at(0), &failure(call, 0), 9));
    assert!(transient.is_failing(10_000));
    assert_eq!(transient.failed.len(), MAX_FAILED_CALLS);
}
