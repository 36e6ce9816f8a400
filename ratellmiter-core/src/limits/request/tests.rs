//! The text of a rejection.

use super::*;

#[test]
fn rejection_is_one_line_with_reason_and_estimated_wait() {
    let rejected = |reason, millis| {
        let estimated_wait = Duration::from_millis(millis);
        Rejected::by_bound(reason, estimated_wait).to_string()
    };
    let long_wait = rejected(RejectReason::MaxWait, 1_234);
    assert_eq!(long_wait, "rejected: the wait would exceed the maximum; estimated wait 1.2 s");
    assert_eq!(rejected(RejectReason::MaxQueue, 61_900), "rejected: the queue is full; estimated wait 61 s");
}
