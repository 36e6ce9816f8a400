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

#[test]
fn paused_parts_have_the_lengths_of_their_rows() {
    let row = |at, paused_ms, rate| Row { at, issued: 3, paused_ms, rate, ..Row::default() };
    let of = |rows: &[Row<'static>]| {
        parts(&seconds(rows.iter().cloned()))
            .iter()
            .map(|pause| (pause.from, pause.to, pause.around_ms))
            .collect::<Vec<_>>()
    };
    let short: Vec<_> = (0..29).map(|at| row(at, 400, 5.0)).collect();
    assert_eq!(of(&short), (0..29).map(|at| (at, at, [300, 300])).collect::<Vec<_>>());
    // From the end of a second over a whole one into the next.
    assert_eq!(of(&[row(5, 100, 0.0), row(6, 1000, 0.0), row(7, 700, 5.0), row(8, 0, 5.0)]), [(5, 7, [900, 300])]);
    // A second pause begins in the second in which the first one ends.
    assert_eq!(of(&[row(5, 1000, 0.0), row(6, 800, 0.0), row(7, 1000, 0.0)]), [(5, 5, [0, 0]), (6, 7, [200, 0])]);
    assert_eq!(of(&[row(u64::MAX, 5000, 0.0)]), [(u64::MAX, u64::MAX, [0, 0])]);
    assert_eq!(of(&[row(5, 0, 0.0)]), [(5, 5, [0, 0])], "no times");
}
