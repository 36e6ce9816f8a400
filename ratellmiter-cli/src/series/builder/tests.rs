//! Tests of `builder`.

use super::*;

fn built(seconds: &[u64], part: usize) -> Series {
    let mut all = SeriesBuilder::default();
    for rows in rows(seconds).chunks(part) {
        let mut builder = SeriesBuilder::default();
        rows.iter().for_each(|row| builder.add_row(row));
        all.append(builder);
    }
    all.build()
}

/// Returns rows with distinct counts and gauges.
fn rows(seconds: &[u64]) -> Vec<Row<'static>> {
    let row = |(index, at): (u64, &u64)| {
        let rate = f64::from(u32::try_from(index).unwrap());
        Row { at: *at, issued: index, in_flight: index, rate, limit: Some(rate), ..Row::default() }
    };
    (1..).zip(seconds).map(row).collect()
}

#[test]
fn rows_in_any_order_are_summed_by_second() {
    for seconds in [&[5, 6, 7][..], &[7, 6, 5], &[5, 3, 3, 5, 4, 5], &[1, 3, 5, 2, 4, 3], &[2, 2, 1, 1, 2], &[]] {
        let mut expected = Series::default();
        rows(seconds).iter().for_each(|row| expected.add_row(row));
        for part in 1..=4 {
            let series = built(seconds, part);
            let values = |series: &Series| {
                let seconds = series.seconds().iter();
                seconds.map(|second| (second.at, second.counts, second.in_flight, second.rate)).collect::<Vec<_>>()
            };
            assert_eq!(values(&series), values(&expected), "{seconds:?} in parts of {part}");
        }
    }
}

#[test]
fn counts_saturate() {
    let row = Row { at: 7, issued: u64::MAX, reserved_tokens: u64::MAX, ..Row::default() };
    let mut builder = SeriesBuilder::default();
    [7, 3, 7, 3].into_iter().for_each(|at| builder.add_row(&Row { at, ..row.clone() }));
    let series = builder.build();
    let counted: Vec<_> = series.seconds().iter().map(|second| (second.issued(), second.reserved_tokens)).collect();
    assert_eq!(counted, [(u64::MAX, u32::MAX); 2]);
}
