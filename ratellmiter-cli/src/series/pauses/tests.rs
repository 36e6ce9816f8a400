//! Pauses of rows with and without their times.

use ratellmiter_core::log::Row;

use super::*;

fn seconds(rows: impl IntoIterator<Item = Row<'static>>) -> Vec<Second> {
    rows.into_iter().map(|row| Second::from_row(&row)).collect()
}

#[test]
fn each_pause_of_a_second_is_counted() {
    // Three pauses in each of four seconds, of which none lasts until the end of its second.
    let short = seconds((0..4).map(|at| Row { at, issued: 9, rate: 5.0, pauses: 3, paused_ms: 600, ..Row::default() }));
    assert_eq!((begun(&short), total_ms(&short), spans(&short)), (12, 2400, vec![(0, 3)]));
}

#[test]
fn second_in_which_calls_were_sent_is_not_shaded() {
    let row = |at, issued, paused_ms| Row { at, issued, paused_ms, pauses: u64::from(issued > 1), ..Row::default() };
    let timed = seconds([row(5, 39, 100), row(6, 0, 1000), row(7, 1, 700), row(8, 3, 0)]);
    assert_eq!((begun(&timed), total_ms(&timed), spans(&timed)), (2, 1800, vec![(6, 7)]));
    let row = |at, issued, rate| Row { at, issued, rate, ..Row::default() };
    let earlier = seconds([row(5, 39, 0.0), row(6, 0, 0.0), row(7, 1, 0.0), row(8, 3, 5.0)]);
    assert_eq!((begun(&earlier), total_ms(&earlier), spans(&earlier)), (1, 3000, vec![(6, 7)]));
}

#[test]
fn refused_calls_after_a_canary_begin_another_pause() {
    let row = |at, issued, rate_limited| Row { at, issued, rate_limited, rate: 0.0, ..Row::default() };
    let rows = [row(1, 5, 1), row(2, 0, 0), row(3, 1, 1), row(4, 0, 0), row(5, 3, 1), row(6, 0, 0)];
    assert_eq!(begun(&seconds(rows)), 2, "the refused canary extends the first pause");
}
