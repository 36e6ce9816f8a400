//! Buckets, sums and the form in logs.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Small numbers.

use proptest::prelude::*;

use super::*;

fn sketch(times: impl IntoIterator<Item = u64>) -> Sketch {
    times.into_iter().map(|millis| (millis, 1)).collect()
}

#[test]
fn few_slow_calls_do_not_raise_the_p99() {
    let row = |slow: u64| [(500, 10 - slow), (30_000, slow)].into_iter().collect::<Sketch>();
    let mut run = Sketch::default();
    (0..60).for_each(|second| run.merge(&row(u64::from(second < 4))));
    assert_eq!((run.count(), run.quantile(0.99).unwrap().from), (600, 500));
    assert!(run.quantile(1.0).unwrap().to >= 30_000);
    assert_eq!(Sketch::default().quantile(0.5), None);
}

#[test]
fn form_in_logs_is_a_flat_list() {
    let text = serde_json::to_string(&sketch([3, 500, 501, 30_000, 3])).unwrap();
    assert_eq!(text, "[3,2,500,2,29952,1]");
    assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), sketch([3, 3, 500, 500, 30_000]));
    let wide = format!("[{0},{0},{0},{0}]", u64::MAX);
    assert_eq!(serde_json::from_str::<Sketch>(&wide).unwrap().count(), u64::MAX);
    assert_eq!(serde_json::from_str::<Sketch>("[7,1,5,0,5,2]").unwrap(), sketch([5, 5, 7]));
    for broken in ["[3]", "[3,-1]", "{}", "[3,1.5]"] {
        assert!(serde_json::from_str::<Sketch>(broken).is_err(), "{broken}");
    }
}

proptest! {
    #[test]
    fn quantile_of_a_sum_is_within_its_bucket(
        parts in prop::collection::vec(prop::collection::vec(0..10_000_000_u64, 1..50), 1..10),
        percent in 1..=100_usize,
    ) {
        let mut sum = Sketch::default();
        parts.iter().for_each(|part| sum.merge(&sketch(part.iter().copied())));
        let mut all = parts.concat();
        all.sort_unstable();
        let exact = all[(all.len() * percent).div_ceil(100) - 1];
        let rank = ((all.len() as f64) * (percent as f64 / 100.0)).ceil() as usize;
        prop_assume!(rank == (all.len() * percent).div_ceil(100));
        let found = sum.quantile(percent as f64 / 100.0).unwrap();
        prop_assert!(found.from <= exact && exact <= found.to, "{exact} {found:?}");
        prop_assert!((found.to - found.from) * 64 <= found.from, "{found:?}");
    }
}
