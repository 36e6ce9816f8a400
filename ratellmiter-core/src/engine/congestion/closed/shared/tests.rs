//! Closing without a server.

use super::*;
use crate::{limits::Limits, log::row::ClosedReason};

#[test]
fn acceptance_in_another_process_prevents_giving_up() {
    let limits = Limits::per_minute(300).give_up_after(Duration::from_secs(20));
    let mut closing = Closing::default();
    closing.join_fleet();
    for second in (0..=30).step_by(5) {
        let now = Duration::from_secs(second);
        closing.on_refused(now, now, None, &limits);
        if second == 15 {
            let grant = LeaseGrant { accepted: Some(3e6), ..LeaseGrant::default() };
            assert_eq!(closing.apply(now, &grant), Change::None);
        }
    }
    assert_eq!(closing.closed(), None, "20 s after 12 s");
    let now = Duration::from_secs(35);
    closing.on_refused(now, now, None, &limits);
    assert_eq!(closing.closed().map(|closed| closed.reason), Some(ClosedReason::Unavailable));
}
