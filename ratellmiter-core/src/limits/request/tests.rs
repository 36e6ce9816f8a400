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
