//! Tests of `graph`.

use super::*;
use crate::series::{Counts, Second};

fn series(rows: impl IntoIterator<Item = (u64, Counts)>) -> Series {
    rows.into_iter().map(|(at, counts)| Second::from_counts(at, counts)).collect()
}

fn lines(letters: &str) -> Lines {
    letters.parse().unwrap()
}

#[test]
fn thinning_keeps_a_peak_of_one_second() {
    let day = series((0..86_400).map(|at| (at, [0, if at == 54_321 { 99 } else { at % 3 }, 0, 0, 0])));
    let graph = Graph::of_model("m", &day, &lines("i"), 1000);
    let corners = &graph.curves[0].corners;
    assert!(corners.len() <= 4 * 1001, "{}", corners.len());
    assert!(corners.contains(&(54_321, 99.0)));
    assert!(corners.is_sorted_by_key(|(offset, _)| *offset));
    assert_eq!(graph.largest(Axis::Calls), Some(99.0));
    assert_eq!(graph.largest(Axis::Seconds), None);
}

#[test]
fn short_log_is_not_thinned() {
    let graph = Graph::of_model("m", &series((5..15).map(|at| (at, [at, 0, 0, 0, 0]))), &lines("r"), 2000);
    assert_eq!(
        graph.curves[0].corners,
        (0_u32..10).map(|offset| (offset.into(), f64::from(offset + 5))).collect::<Vec<_>>()
    );
    assert_eq!(graph.last, 9);
}

#[test]
fn models_are_aligned_by_time_and_runs_by_start() {
    let (one, other) = (series([(10, [0, 0, 0, 3, 0]), (12, [0, 0, 0, 4, 0])]), series([(11, [0, 0, 0, 5, 0])]));
    let graph = Graph::of_models(&[("a", &one), ("b\n", &other)], 100);
    assert_eq!(graph.curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>(), ["a: 7", "b : 5"]);
    assert_eq!((graph.last, &graph.curves[1].corners[..]), (2, &[(1, 5.0)][..]));
    let graph = Graph::of_runs("m", [&one, &other], ["x", "y"], &lines("f"), 100);
    assert_eq!((graph.last, &graph.curves[0].corners[..], graph.curves[0].is_pale), (2, &[(0, 5.0)][..], true));
    assert_eq!(graph.curves[1].corners[0], (0, 3.0));
}

#[test]
fn ticks_are_round_numbers() {
    for (length, max_steps, expected) in [
        (1.0, 7, 0.2),
        (7.0, 7, 1.0),
        (8.0, 7, 2.0),
        (35.0, 12, 5.0),
        (100.0, 7, 20.0),
        (86_400.0, 12, 10_000.0),
        (0.0, 7, 0.001),
    ] {
        let step = step(length, max_steps);
        assert!((step - expected).abs() < 1e-9 * expected, "{length}: {step}");
    }
    for (value, step, text) in [
        (0.0, 1.0, "0"),
        (999_999.0, 1.0, "999999"),
        (1e6, 1e5, "1M"),
        (1.5e6, 1e5, "1.5M"),
        (2e10, 1e9, "20G"),
        (0.4, 0.2, "0.4"),
        (0.25, 0.05, "0.25"),
    ] {
        assert_eq!(abbreviated(value, step), text);
    }
    for (value, text) in [(0.0, "0"), (500.0, "500"), (1500.0, "1.5k"), (20_000.0, "20k"), (2e6, "2M")] {
        assert_eq!(tick(Axis::Tokens, value, 500.0), text);
    }
}
