//! Bounds of percentiles and means.

use super::*;

fn bounds(rows: &[(u64, [u32; 3])]) -> Option<Bounds> {
    let mut times = Times::default();
    rows.iter().for_each(|(count, quantiles)| times.add_quantiles(*count, *quantiles));
    times.percentile(99)
}

#[test]
fn sketches_give_the_percentile_of_all_calls() {
    let mut run = Times::default();
    for second in 0..60 {
        let slow = u64::from(second < 4);
        let sketch: Sketch = [(500, 10 - slow), (30_000, slow)].into_iter().collect();
        let mut row = Times::default();
        row.add_sketch(&sketch, if slow > 0 { 30_000 } else { 500 }, Some(500 * (10 - slow) + 30_000 * slow));
        run.merge(&row);
    }
    assert!((run.percentile(99).unwrap().value().unwrap() - 0.5).abs() < 0.01);
    assert!((run.percentile(100).unwrap().value().unwrap() - 30.0).abs() < 0.3);
    assert!((run.mean().unwrap() - (596.0 * 0.5 + 4.0 * 30.0) / 600.0).abs() < 1e-9);
}

#[test]
fn rows_of_earlier_versions_bound_the_percentile() {
    // Of ten calls in each of 60 seconds, four are slow: the rows do not exclude that more are.
    let rows: Vec<_> = (0..60).map(|second| (10, if second < 4 { [500, 30_000, 30_000] } else { [500; 3] })).collect();
    let found = bounds(&rows).unwrap();
    assert_eq!((found.least, found.most, found.value()), (0.5, 30.0, None));
    // They exclude it if few seconds are slow.
    let rows: Vec<_> = (0..600).map(|second| (10, if second < 4 { [500, 30_000, 30_000] } else { [500; 3] })).collect();
    assert_eq!(bounds(&rows).unwrap().value(), Some(0.5));
}

#[test]
fn percentile_is_over_all_calls() {
    let close = |rows: &[(u64, [u32; 3])], expected: f64| {
        let found = bounds(rows).unwrap().value().unwrap();
        assert!((found - expected).abs() <= expected / 500.0, "{found} {expected}");
    };
    close(&[(1, [33_000, 33_000, 33_000])], 33.0);
    close(&[(1, [u32::MAX; 3])], f64::from(u32::MAX) / 1000.0);
    // A single slow second does not dominate.
    close(&[(999, [1000, 1000, 1000]), (1, [60_000; 3])], 1.0);
    // One of 100 calls per second took the maximum.
    let even = [(100, [1000, 2000, 9000]), (100, [1000, 2000, 9000])];
    close(&even, 2.0);
    assert_eq!(bounds(&[(0, [7; 3])]), None);
    assert!(bounds(&[(u64::MAX, [1000; 3]), (u64::MAX, [1000; 3])]).is_some());
}

#[test]
fn mean_is_that_of_the_calls() {
    let mut times = Times::default();
    (0..100).for_each(|_| times.add_quantiles(5, [800, 900, 900]));
    let mean = times.mean().unwrap();
    assert!((0.8..=0.9).contains(&mean), "{mean}");
    assert_eq!(Times::default().mean(), None);
}

#[test]
fn sum_that_the_sketch_rules_out_is_not_used() {
    let mean = |total: u64| {
        let mut times = Times::default();
        times.add_sketch(&[(100, 4)].into_iter().collect(), 100, Some(total));
        times.mean().unwrap()
    };
    assert!([1, 400, u64::MAX].into_iter().all(|total| (mean(total) - 0.1).abs() < 1e-9));
}

#[test]
fn rows_of_earlier_versions_bound_the_mean() {
    // Of five calls two waited for up to 1 s, one for 1 s, one for up to 2 s and one for 2 s.
    let mut times = Times::default();
    times.add_quantiles(5, [1000, 2000, 2000]);
    let Bounds { least, most } = times.mean_bounds().unwrap();
    assert!((least - 0.8).abs() < 1e-9 && (most - 1.4).abs() < 1e-9, "{least} {most}");
    assert!((least..=most).contains(&times.mean().unwrap()));
    // A sum in the rows is exact, and a sketch is nearly so.
    let sketch: Sketch = [(1000, 4)].into_iter().collect();
    let bounds = |total| {
        let mut times = Times::default();
        times.add_sketch(&sketch, 1005, total);
        times.mean_bounds().unwrap()
    };
    assert_eq!(bounds(Some(4008)), Bounds { least: 1.002, most: 1.002 });
    assert!([None, Some(0)].into_iter().all(|total| bounds(total).value().is_some()));
    assert_eq!(Times::default().mean_bounds(), None);
    // The bounds of both parts are summed.
    let mut both = Times::default();
    both.merge(&times);
    both.merge(&times);
    assert_eq!(both.mean_bounds(), times.mean_bounds());
}
