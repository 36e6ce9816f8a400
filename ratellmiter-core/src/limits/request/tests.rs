//! The text of a rejection.

use super::*;

#[test]
fn rejection_is_one_line_with_the_times_waited_and_allowed() {
    let rejected = |reason, waited, allowed: Option<u64>, estimated| {
        let [waited, estimated_wait] = [waited, estimated].map(Duration::from_millis);
        let allowed_wait = allowed.map(Duration::from_millis);
        Rejected { reason, waited, allowed_wait, estimated_wait, resumes_at: None }.to_string()
    };
    assert_eq!(
        rejected(RejectReason::MaxWait, 1_234, Some(5_000), 60_210),
        "rejected: the wait would exceed the maximum; waited 1.2 s of 5.0 s; estimated further wait 60 s"
    );
    assert_eq!(
        rejected(RejectReason::Deadline, 0, Some(90_000), 110_000),
        "rejected: the deadline would be missed; waited 0.0 s of 90 s; estimated further wait 110 s"
    );
    assert_eq!(
        rejected(RejectReason::MaxQueue, 0, None, 61_900),
        "rejected: the queue is full; estimated further wait 61 s"
    );
}

#[test]
fn rejection_by_a_closed_limiter_names_the_time_until_it_resumes_or_is_tested() {
    let rejected = |reason, resumes_at| {
        let [waited, estimated_wait] = [0, 3_600].map(Duration::from_secs);
        Rejected { reason, waited, allowed_wait: None, estimated_wait, resumes_at }.to_string()
    };
    assert_eq!(
        rejected(RejectReason::QuotaExhausted, Some(SystemTime::UNIX_EPOCH)),
        "rejected: the quota is exhausted; it resumes in 3600 s"
    );
    assert_eq!(
        rejected(RejectReason::Unavailable, None),
        "rejected: the server has not accepted a call for a long time; it is tested again in 3600 s"
    );
}
