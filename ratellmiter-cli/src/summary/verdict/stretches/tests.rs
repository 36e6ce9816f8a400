//! Tests of `stretches`.

use super::*;

/// Returns rows with a number of issued calls at each time.
fn rows(issued: &[(u64, u64)]) -> Vec<Second> {
    issued.iter().map(|(at, issued)| Second::from_counts(*at, [0, *issued, 0, 0, 0])).collect()
}

#[test]
fn stretches_lie_between_breaks() {
    let breaks = [0, 3, 4, 9];
    assert_eq!(between(0..10, |row| breaks.contains(&row)), [1..3, 5..9]);
    assert_eq!(between(1..4, |row| row == 3).first(), Some(&(1..3)));
    assert!(between(3..3, |_| false).is_empty());
    assert!(between(3..5, |_| true).is_empty());
}

#[test]
fn longest_part_at_a_rate_is_found() {
    // One call per second for 30 s, five for 40 s, one for 10 s.
    let mixed = rows(&(0..80).map(|at| (at, if (30..70).contains(&at) { 5 } else { 1 })).collect::<Vec<_>>());
    assert_eq!(longest(&mixed, 0..80, 5.0), Some(Accepted { rate: 5.0, seconds: 40 }));
    assert_eq!(longest(&mixed, 0..80, 1.0).map(|part| part.seconds), Some(80));
    assert_eq!(longest(&mixed, 0..80, 5.1), None);
    // Parts of less than 20 seconds do not count.
    assert_eq!((longest(&mixed, 30..49, 5.0), longest(&mixed, 30..30, 0.1)), (None, None));
    assert_eq!(longest(&mixed, 30..50, 5.0), Some(Accepted { rate: 5.0, seconds: 20 }));
    let all_pairs = |rate: f64| {
        let pairs = (0..80).flat_map(|from| (from + 20..=80).map(move |to| (from, to)));
        let is_accepted = |(from, to): &(usize, usize)| {
            mixed[*from..*to].iter().map(|second| as_float(second.issued()) - rate).sum::<f64>() >= -1e-6
        };
        pairs.filter(is_accepted).map(|(from, to)| (to - from) as u64).max()
    };
    for rate in [1.5, 2.0, 3.0, 4.0, 4.9] {
        assert_eq!(longest(&mixed, 0..80, rate).map(|part| part.seconds), all_pairs(rate), "{rate}");
    }
}

#[test]
fn rates_of_sparse_rows_count_the_time_between_them() {
    let sparse = rows(&(0..12).map(|row| (row * 10, 1)).collect::<Vec<_>>());
    assert_eq!(highest(&sparse, 0..11, MIN_SECONDS, Second::issued), Some(0.1));
    assert_eq!(longest(&sparse, 0..11, 0.1), Some(Accepted { rate: 0.1, seconds: 110 }));
    assert_eq!(highest(&sparse, 0..1, MIN_SECONDS, Second::issued), None);
    assert_eq!(lasted(&sparse, 10, 12), 11);
    // A gap of years is one row.
    let far = rows(&[(0, 100), (u64::MAX - 1, 100), (u64::MAX, 1)]);
    assert!(highest(&far, 0..3, MIN_SECONDS, Second::issued).is_some_and(|rate| rate < 1e-6));
}
