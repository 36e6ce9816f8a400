//! What the line waits for.

use super::*;

#[test]
fn it_is_told_what_the_line_waits_for() {
    let mut ramping = scheduler(per_minute(300));
    (0..100).for_each(|_| _ = ramping.joins(Duration::ZERO));
    advance(&mut ramping, Duration::ZERO);
    assert_eq!(ramping.held(Duration::ZERO), Some(Held::Ramp));
    let mut full = scheduler(per_minute(300).no_ramp().max_in_flight(NonZeroU32::MIN));
    (0..2).for_each(|_| _ = full.joins(Duration::ZERO));
    advance(&mut full, Duration::ZERO);
    assert_eq!(full.held(Duration::ZERO), Some(Held::InFlight));
    let mut even = scheduler(per_minute(300).no_ramp());
    (0..100).for_each(|_| _ = even.joins(Duration::ZERO));
    let grant = advance(&mut even, Duration::ZERO)[0];
    assert_eq!(even.held(Duration::ZERO), Some(Held::Rate));
    even.restore(Duration::ZERO, Some(200.0), None);
    assert_eq!(even.held(Duration::ZERO), Some(Held::Learned));
    even.refuse(millis(100), grant, &refused(None), NOBODY);
    assert_eq!(even.held(Duration::ZERO), Some(Held::Pause));
    assert_eq!(scheduler(per_minute(300)).held(Duration::ZERO), None, "nobody waits");
}
