//! Tests of `headline`.

use ratellmiter_core::log::Row;

use super::*;

fn of(change: impl Fn(&mut Row<'static>)) -> String {
    of_seconds(100, change)
}

/// Returns the headline of some seconds at a limit of 5 per second, changed by `change`.
fn of_seconds(seconds: u64, change: impl Fn(&mut Row<'static>)) -> String {
    let row = |at: u64| {
        let mut row = Row { at, requested: 5, issued: 5, finished: 5, rate: 5.0, limit: Some(5.0), ..Row::default() };
        change(&mut row);
        row
    };
    let series: Series = (0..seconds).map(row).collect();
    headline(&Summary::from_series("m", &series), &series).join("; ")
}

#[test]
fn shares_of_the_waiting_time_are_those_of_the_verdict_and_add_up() {
    let waited = |row: &mut Row<'static>| {
        row.overflow = 50;
        row.held = Some(match row.at {
            ..56 => Bottleneck::Rate,
            56..86 => Bottleneck::Learned,
            86..95 => Bottleneck::Ramp,
            _ => Bottleneck::InFlight,
        });
    };
    assert_eq!(of(waited), "limit 300 a minute; waiting: 56 % limit, 30 % adapted limit, 9 % ramp, 5 % other");
}

#[test]
fn outage_and_refusals_are_named() {
    let outage = |row: &mut Row<'static>| {
        row.overflow = 50;
        row.held = Some(Bottleneck::Rate);
        if (20..40).contains(&row.at) {
            (row.issued, row.finished, row.rate, row.held) = (0, 0, 0.0, Some(Bottleneck::Pause));
            (row.rate_limited, row.overloaded) = (u64::from(row.at == 20), u64::from(row.at == 20));
        }
    };
    assert_eq!(of(outage), "limit 300 a minute; 1 overload, 1 pause of 20 s; waiting: 80 % limit, 20 % pauses");
    assert_eq!(of(|row| row.rate_limited = u64::from(row.at == 7)).split("; ").nth(1), Some("1 refusal"));
}

#[test]
fn suggested_limit_is_called_so() {
    let refused = |row: &mut Row<'static>| {
        (row.requested, row.limit, row.overflow) = (10, Some(10.0), 99);
        row.rate_limited = u64::from([20, 40].contains(&row.at));
        (row.issued, row.held) =
            if row.at <= 20 { (6, Some(Bottleneck::Ramp)) } else { (4, Some(Bottleneck::Learned)) };
    };
    assert_eq!(
        of_seconds(60, refused),
        "limit 600 a minute; 2 refusals; refused at 3.9 a second, suggested limit: 230 a minute"
    );
}

#[test]
fn other_verdicts_are_their_first_clause() {
    assert_eq!(of(|_| {}), "limit 300 a minute; no call was queued: the limit is not the bottleneck");
    assert_eq!(
        of(|row| row.overflow = 9),
        "limit 300 a minute; 100 % of the calls waited, up to 9 at once, for a reason not in the log"
    );
}
