use super::*;

fn quantiles(millis: impl IntoIterator<Item = u64>) -> Quantiles {
    let mut samples = LatencySamples::default();
    millis.into_iter().for_each(|value| samples.add(Duration::from_millis(value)));
    samples.quantiles()
}

#[test]
fn quantiles_are_ranks_of_what_was_measured() {
    assert_eq!(quantiles([]), Quantiles::default());
    assert_eq!(quantiles([7]), Quantiles { p50: 7, p99: 7, max: 7 });
    assert_eq!(quantiles((1..=100).rev()), Quantiles { p50: 50, p99: 99, max: 100 });
}

#[test]
fn a_flood_is_thinned_but_its_largest_is_kept() {
    let flood = quantiles((0..1_000_000).map(|index| if index == 777_777 { 99_999 } else { index % 1000 }));
    assert_eq!(flood.max, 99_999);
    assert!(flood.p50.abs_diff(500) <= 20 && flood.p99.abs_diff(990) <= 10, "{flood:?}");
    let mut samples = LatencySamples::default();
    (0..1_000_000).for_each(|_| samples.add(Duration::ZERO));
    assert!(samples.kept.len() <= LatencySamples::MAX_KEPT);
}

#[test]
fn seconds_in_which_someone_waits_have_rows_and_quiet_ones_none() {
    let mut tally = SecondStats::new(Duration::from_millis(10_500));
    tally.record(true);
    tally.counts.requested = 3;
    let waiting = Gauges { overflow: 2, in_flight: 1, rate: 5.0, ..Gauges::default() };
    tally.advance_to(Duration::from_millis(499), &waiting);
    assert_eq!(tally.drain(), [], "still in second 10");
    tally.advance_to(Duration::from_secs(3), &waiting);
    let rows = tally.drain();
    assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(rows.iter().map(|row| row.counts.requested).collect::<Vec<_>>(), [3, 0, 0]);
    tally.advance_to(Duration::from_secs(9), &Gauges::default());
    assert_eq!(tally.drain(), []);
}

#[test]
fn nothing_is_kept_while_nobody_records() {
    let mut tally = SecondStats::new(Duration::ZERO);
    tally.counts.requested = 3;
    tally.advance_to(Duration::from_secs(1), &Gauges { overflow: 1, ..Gauges::default() });
    assert_eq!(tally.drain(), []);
    assert_eq!(tally.counts, Counts::default());
}
