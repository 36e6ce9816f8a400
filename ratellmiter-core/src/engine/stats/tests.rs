use super::*;

fn quantiles(millis: impl IntoIterator<Item = u64>) -> Quantiles {
    let mut samples = LatencySamples::default();
    millis.into_iter().for_each(|value| samples.add(Duration::from_millis(value)));
    samples.quantiles()
}

#[test]
fn quantiles_are_ranks() {
    assert_eq!(quantiles([]), Quantiles::default());
    assert_eq!(quantiles([7]), Quantiles { p50: 7, p99: 7, max: 7 });
    assert_eq!(quantiles((1..=100).rev()), Quantiles { p50: 50, p99: 99, max: 100 });
}

#[test]
fn thinned_samples_keep_the_largest() {
    let quantiles = quantiles((0..1_000_000).map(|index| if index == 777_777 { 99_999 } else { index % 1000 }));
    assert_eq!(quantiles.max, 99_999);
    assert!(quantiles.p50.abs_diff(500) <= 20 && quantiles.p99.abs_diff(990) <= 10, "{quantiles:?}");
    let mut samples = LatencySamples::default();
    (0..1_000_000).for_each(|_| samples.add(Duration::ZERO));
    assert!(samples.kept.len() <= LatencySamples::MAX_KEPT);
}

#[test]
fn quiet_seconds_have_no_rows() {
    let mut stats = SecondStats::new(Duration::from_millis(10_500));
    stats.record(true);
    stats.counts.requested = 3;
    let queued = Gauges { overflow: 2, in_flight: 1, rate: 5.0, ..Gauges::default() };
    stats.advance_to(Duration::from_millis(499), &queued);
    assert_eq!(stats.drain(), [], "still in second 10");
    stats.advance_to(Duration::from_secs(3), &queued);
    let rows = stats.drain();
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(rows.iter().map(|row| row.counts.requested).collect::<Vec<_>>(), [3, 0, 0]);
    stats.advance_to(Duration::from_secs(9), &Gauges::default());
    assert_eq!(stats.drain(), []);
}

#[test]
fn nothing_is_kept_without_recording() {
    let mut stats = SecondStats::new(Duration::ZERO);
    stats.counts.requested = 3;
    stats.advance_to(Duration::from_secs(1), &Gauges { overflow: 1, ..Gauges::default() });
    assert_eq!(stats.drain(), []);
    assert_eq!(stats.counts, Counts::default());
}
