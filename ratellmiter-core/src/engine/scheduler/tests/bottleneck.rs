//! The bottleneck of the queue.

use super::*;

#[test]
fn bottleneck_is_the_limit_of_the_first_call() {
    let mut ramping = scheduler(per_minute(300));
    (0..100).for_each(|_| _ = ramping.enqueue_plain(Duration::ZERO));
    advance(&mut ramping, Duration::ZERO);
    assert_eq!(ramping.bottleneck(Duration::ZERO), Some(Bottleneck::Ramp));
    let mut full = scheduler(per_minute(300).no_ramp().max_in_flight(1));
    (0..2).for_each(|_| _ = full.enqueue_plain(Duration::ZERO));
    advance(&mut full, Duration::ZERO);
    assert_eq!(full.bottleneck(Duration::ZERO), Some(Bottleneck::InFlight));
    let mut even = scheduler(per_minute(300).no_ramp());
    (0..100).for_each(|_| _ = even.enqueue_plain(Duration::ZERO));
    let grant = advance(&mut even, Duration::ZERO)[0];
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Rate));
    even.restore(Duration::ZERO, Some(200.0), None);
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Learned));
    even.requeue(millis(100), grant, &refused(None), NO_PAYLOAD);
    assert_eq!(even.bottleneck(Duration::ZERO), Some(Bottleneck::Pause));
    assert_eq!(scheduler(per_minute(300)).bottleneck(Duration::ZERO), None, "the queue is empty");
}
