use proptest::prelude::*;

use super::*;

#[test]
fn cached_tokens_are_at_most_the_input() {
    assert_eq!(Usage::new(10, 1).cached(11).cached, 10);
    assert_eq!(Usage::new(10, 1).cached(3).cached, 3);
    assert_eq!(Usage::from((10, 1)), Usage::new(10, 1));
}

proptest! {
    #[test]
    fn merging_ignores_the_order_of_parts(parts in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..5)) {
        let parts: Vec<_> = parts.into_iter().map(|(i, c, o)| Usage::new(i, o).cached(c)).collect();
        let forwards = parts.iter().copied().reduce(Usage::merged);
        let backwards = parts.iter().rev().copied().reduce(Usage::merged);
        prop_assert_eq!(forwards, backwards);
        prop_assert!(forwards.is_some_and(|usage| usage.cached <= usage.input));
    }
}
