//! Tests of `marks`.

use std::convert::Infallible;

use super::*;

fn of(events: &[(i32, u64)]) -> Vec<(i32, u64)> {
    let width = |count: u64| Ok::<_, Infallible>(if count > 1 { 50 } else { 20 });
    let Ok(marks) = joined(events.iter().copied(), width);
    marks
}

#[test]
fn events_that_overlap_are_one_mark_with_their_number() {
    assert_eq!(of(&[(0, 1), (30, 1), (60, 1)]), [(0, 1), (30, 1), (60, 1)]);
    assert_eq!(of(&[(0, 1), (10, 1), (15, 7)]), [(0, 9)]);
    // The number needs room, too.
    assert_eq!(of(&[(0, 1), (10, 1), (45, 1), (55, 1)]), [(0, 3), (55, 1)]);
    assert_eq!(of(&[(0, 2), (45, 1)]), [(0, 3)]);
    assert_eq!(of(&[(i32::MAX, u64::MAX), (i32::MAX, 1)]), [(i32::MAX, u64::MAX), (i32::MAX, 1)]);
    assert_eq!(of(&[]), []);
}
