//! What the line waits for.

use super::*;

#[test]
fn it_is_told_what_the_line_waits_for() {
    let mut ramping = scheduler(per_minute(300));
    (0..100).for_each(|_| _ = ramping.joins(Duration::ZERO));
    advance(&mut ramping, Duration::ZERO);
    assert_eq!(ramping.bottleneck(Duration::ZERO), Some(Bottleneck::Ramp));
    let mut full = scheduler(per_minute(300).no_ramp().max_in_flight(1));
    (0..2).for_each(|_| _ = full.joins(Duration::ZERO));
    advance(&mut full, Duration::ZERO);
    assert_eq!(full.bottleneck(Duration::ZERO), Some(Bottleneck::InFlight));
    let mut even = scheduler(per_minute(300).no_ramp());
    (0..100).for_each(|_| _ = even.joins(Duration::ZERO));
    let grant = advance(&mut even, Duration::ZERO)[0];
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Rate));
    even.restore(Duration::ZERO, Some(200.0), None);
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Learned));
    even.requeue(millis(100), grant, &refused(None), NOBODY);
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Pause));
    assert_eq!(scheduler(per_minute(300)).bottleneck(Duration::ZERO), None, "nobody waits");
}
