//! Tests of `run`.

use super::*;
use crate::live::followed::Live;

const START: u64 = 1_795_502_413;

fn seconds(offset: f64) -> Duration {
    Duration::from_secs(START) + Duration::from_secs_f64(offset)
}

/// A program followed from its start, with each row read as its second ends.
fn live(rows: &[(u64, &str, &str)]) -> Live {
    let mut live = Live::default();
    live.caught_up();
    for (at, model, rest) in rows {
        let row = format!(r#"{{"at":{},"model":"{model}",{rest}}}"#, START + at);
        live.add(row.as_bytes(), Duration::from_secs(START + at + 1));
    }
    live
}

fn chart(live: &Live, shown: &Selection, room: u64, now: f64) -> Chart {
    match live.view(shown, &"rfn".parse().unwrap(), room, seconds(now)) {
        View::Chart(chart) => *chart,
        View::Waiting(text) => panic!("{text}"),
    }
}

fn figures(chart: &Chart) -> String {
    chart
        .figures
        .iter()
        .map(|figure| format!("{} {}{}", figure.name, figure.value, if figure.is_alarm { "!" } else { "" }))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn figures_count_down_between_rows() {
    let live = live(&[
        (0, "m", r#""requested":9,"issued":1,"overflow":8,"rate":5.0,"in_flight":1"#),
        (
            1,
            "m",
            r#""requested":1,"rate_limited":1,"finished":2,"overflow":9,"limit":5.0,"rate":0.0,"paused_for":7.5,"time_left":12.5"#,
        ),
    ]);
    let at = |now| figures(&chart(&live, &Selection::Default, 100, now));
    assert_eq!(
        at(2.0),
        "waiting 9, in flight 0, allowed/s 0 of 5, pause 8 s!, time left 13 s, calls 10, finished 2, refusals 1!"
    );
    assert!(at(4.5).contains("pause 5 s!, time left 10 s"), "{}", at(4.5));
    assert!(at(99.0).contains("pause 0 s!, time left 0 s"), "{}", at(99.0));
}

#[test]
fn closed_limiter_counts_down_without_rows() {
    let closed = |rest: &str| {
        format!(r#""requested":3,"rejected":3,"rate":0.0,"limit":5.0,"closed":"quota","closed_for":{rest}"#)
    };
    let (long, short, unknown) = (closed("3600.0"), closed("30.0"), r#""requested":3,"closed":"unavailable""#);
    let live = live(&[
        (0, "m", r#""requested":1,"rate":5.0"#),
        (1, "m", &long),
        (1, "short", &short),
        (1, "unknown", unknown),
        (9, "other", r#""requested":1"#),
    ]);
    let named = |name: &str, now| chart(&live, &Selection::Named(name.into()), 100, now);
    assert!(figures(&named("m", 10.0)).contains("allowed/s 0 of 5, pause closed 59:52!, time left –"));
    assert_eq!(named("m", 10.0).graphs[0].0.closed, [(1, 9)], "closed up to now, and not only up to its last row");
    assert!(figures(&named("short", 10.0)).contains("pause closed 22 s!"));
    assert!(figures(&named("short", 40.0)).contains("pause –"));
    assert_eq!(named("short", 40.0).graphs[0].0.closed, [(1, 1)]);
    // Without a known end it is closed for as long as its rows show it.
    assert!(figures(&named("unknown", 10.0)).contains("pause –"));
    let unknown = self::live(&[(0, "m", unknown)]);
    assert!(figures(&chart(&unknown, &Selection::Default, 100, 1.0)).contains("pause closed!, time left –"));
    let all = |now| figures(&chart(&live, &Selection::All, 100, now));
    assert!(all(10.0).contains("models 4, paused 0, closed 2!, time left –"), "{}", all(10.0));
    assert!(!all(9999.0).contains("closed"), "{}", all(9999.0));
}

#[test]
fn fullest_budget_is_shown() {
    let budgets = r#""overflow":3,"rate":5.0,"budgets":[{"meter":"tokens_per_minute","limit":1000,"taken":200},{"meter":"requests_per_day","limit":50,"taken":31}]"#;
    let busy = live(&[(0, "m", budgets)]);
    assert!(figures(&chart(&busy, &Selection::Default, 100, 1.0)).contains("time left ~1 s, budget 62 %, calls 0"));
    let idle = live(&[(0, "m", budgets), (9, "other", r#""requested":1"#)]);
    assert!(
        figures(&chart(&idle, &Selection::Named("m".into()), 100, 10.0)).contains("time left –, budget –, calls 0")
    );
}

#[test]
fn model_without_recent_rows_is_idle() {
    let live = live(&[
        (0, "m", r#""overflow":8,"rate":0.0,"paused_for":7.5,"in_flight":2"#),
        (3, "other", r#""requested":1,"overflow":1,"rate":0.5"#),
    ]);
    let named = |name: &str| figures(&chart(&live, &Selection::Named(name.into()), 100, 4.0));
    assert!(named("m").starts_with("waiting 0, in flight 2, allowed/s 0, pause –, time left –"), "{}", named("m"));
    assert!(named("other").contains("time left ~2 s"), "{}", named("other"));
    let all = figures(&chart(&live, &Selection::All, 100, 4.0));
    assert_eq!(all, "waiting 1, in flight 2, models 2, paused 0, time left –, calls 1, finished 0, refusals 0");
}

#[test]
fn chart_fills_then_narrows_then_scrolls() {
    let rows: Vec<_> = (0..100).map(|at| (at, "m", r#""requested":1"#)).collect();
    let span = |count: u8| {
        let chart = chart(&live(&rows[..count.into()]), &Selection::Default, 70, count.into());
        (chart.from, chart.to)
    };
    assert_eq!(
        [span(1), span(30), span(31), span(60), span(61), span(70), span(100)],
        [(0, 29), (0, 29), (0, 59), (0, 59), (0, 69), (0, 69), (30, 99)]
    );
    let chart = chart(&live(&rows), &Selection::Default, 70, 100.0);
    assert_eq!(chart.graphs[0].0.curves[0].corners.len(), 70, "earlier corners are removed");
}

#[test]
fn chart_advances_for_a_minute_without_rows() {
    let live = live(&[(5, "m", r#""requested":4,"in_flight":3"#)]);
    let ends = |now: f64| {
        let chart = chart(&live, &Selection::Default, 20, now);
        let last = |panel: usize| *chart.graphs[panel].0.curves[0].corners.last().unwrap();
        (last(0), last(1), chart.to)
    };
    // The row of the current second has not been written yet.
    assert_eq!(ends(7.9), ((0, 4.0), (0, 3.0), 19));
    assert_eq!(ends(9.0), ((2, 0.0), (2, 3.0), 19));
    assert_eq!(ends(40.0), ((33, 0.0), (33, 3.0), 33));
    assert_eq!(ends(9999.0), ((60, 0.0), (60, 3.0), 60));
    assert_eq!(
        [7.9, 9.5, 70.0].map(|now| live.note(seconds(now))),
        [None, Some("no row for 3 s".into()), Some("no row for 1:04".into())]
    );
}

#[test]
fn chart_of_an_old_log_stands_still() {
    let mut live = Live::default();
    live.add(format!(r#"{{"at":{START},"model":"m","requested":1}}"#).as_bytes(), seconds(7200.0));
    live.caught_up();
    assert_eq!(chart(&live, &Selection::Default, 20, 7300.0).graphs[0].0.curves[0].corners, [(0, 1.0); 2]);
    assert_eq!(live.note(seconds(7300.0)).unwrap(), "no row for 2:01:39");
    // Written by another clock: the time of reading counts.
    live.add(format!(r#"{{"at":{},"model":"m","requested":1}}"#, START + 1).as_bytes(), seconds(7300.0));
    assert_eq!(live.note(seconds(7301.0)), None);
}

#[test]
fn missing_model_is_waited_for() {
    let waits = |live: &Live, shown: &Selection| match live.view(shown, &Lines::default(), 100, seconds(0.0)) {
        View::Waiting(text) => text,
        View::Chart(_) => String::new(),
    };
    let named = |name: &str| Selection::Named(name.into());
    assert_eq!(waits(&Live::default(), &Selection::All), "waiting for the first row");
    let live = live(&[(0, "b", r#""requested":1"#), (0, "a", r#""requested":1"#), (0, "a,b,c", r#""requested":1"#)]);
    assert_eq!(waits(&live, &named("c")), r#"waiting for the model "c"; the log contains "a", "a,b,c", "b""#);
    assert_eq!(waits(&live, &named("a,c")), r#"waiting for the model "a,c"; the log contains "a", "a,b,c", "b""#);
    assert_eq!(live.chosen(&Selection::Default), Some(vec!["b"]), "the first one");
    assert_eq!(live.chosen(&named("a,b,c")), Some(vec!["a,b,c"]));
    assert_eq!(live.chosen(&named("a,b")), Some(vec!["a", "b"]));
    assert_eq!(chart(&live, &named("a,b"), 100, 1.0).graphs[0].0.curves.len(), 2);
}

#[test]
fn dropped_rows_stay_in_the_totals() {
    let mut live = Live::default();
    for at in 0..20_000 {
        live.add(format!(r#"{{"at":{},"model":"m","requested":2,"finished":1}}"#, START + at).as_bytes(), seconds(0.0));
    }
    assert!(live.run().unwrap().models["m"].series.seconds().len() < 2 * MAX_ROWS);
    let chart = chart(&live, &Selection::All, 100, 0.0);
    assert!(figures(&chart).contains("calls 40000, finished 20000"));
    assert_eq!((chart.to, chart.graphs[0].0.curves[0].corners.last()), (19_999, Some(&(19_999, 1.0))));
    assert_eq!(chart.graphs[0].0.curves[0].name, "m: 20000");
}

#[test]
fn broken_lines_are_counted_and_python_minutes_read() {
    let mut live = live(&[]);
    for line in [
        "junk",
        "",
        r#"{"format":1,"started":7,"library":"0.1.0"}"#,
        "\u{1f980}",
        r#"{"at":18446744073709551615,"model":"m"}"#,
    ] {
        live.add(line.as_bytes(), seconds(1.0));
    }
    let _ = live.view(&Selection::Default, &Lines::default(), 100, seconds(9.0));
    for model in ["p", "q"] {
        let minute = format!(
            r#"{{"rate_limiter_name":"{model}","second_bucket_list":[{{"second_bucket_id":{START},"second_requested_ticket_count":4,"issued_ticket_count":2,"overflow_request_list":[1,2],"rate_limited_request_list":[],"finished_ticket_list":[1]}}]}}"#
        );
        live.add(minute.as_bytes(), seconds(1.0));
    }
    let _ = live.view(&Selection::All, &Lines::default(), 100, seconds(9.0));
    assert_eq!(live.note(seconds(1.0)).unwrap(), "1 row of another time, 2 broken lines");
    let chart = chart(&live, &Selection::Named("p".into()), 100, 1.0);
    assert!(figures(&chart).ends_with("calls 4, finished 1, refusals 0"), "{}", figures(&chart));
}

#[test]
fn extreme_times_and_counts_are_shown() {
    let mut live = Live::default();
    for at in [0, u64::MAX] {
        let row = format!(r#"{{"at":{at},"model":"m","requested":{},"overflow":{}}}"#, u64::MAX, u64::MAX);
        live.add(row.as_bytes(), Duration::from_secs(5));
    }
    for room in [2, 100, u64::MAX] {
        let chart = chart(&live, &Selection::Default, room, 1.0);
        assert!(chart.from <= chart.to, "{} {}", chart.from, chart.to);
    }
    chart(&live, &Selection::All, 100, 1.0);
}

#[test]
fn log_in_reverse_order_keeps_its_last_rows() {
    let mut live = Live::default();
    let count = 3 * MAX_ROWS as u64;
    let start = std::time::Instant::now();
    for at in (0..count).rev() {
        live.add(format!("{{\"at\":{at},\"model\":\"m\",\"requested\":1}}").as_bytes(), Duration::ZERO);
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let model = &live.run().unwrap().models["m"];
    assert_eq!((model.series.seconds().len(), model.series.start()), (MAX_ROWS, count - MAX_ROWS as u64));
    assert_eq!(model.totals[0], count, "the others count in the totals");
}

#[test]
fn rows_of_another_time_are_not_shown() {
    let far = |at: u64| format!(r#"{{"at":{at},"model":"m","requested":50,"rate_limited":9}}"#);
    for position in 0..=3 {
        let mut live = Live::default();
        live.caught_up();
        for at in 0..=3 {
            if at == position {
                live.add(far(3).as_bytes(), Duration::from_secs(START + at));
            }
            if at < 3 {
                let row = format!(r#"{{"at":{},"model":"m","requested":2}}"#, START + at);
                live.add(row.as_bytes(), Duration::from_secs(START + at + 1));
            }
        }
        let chart = chart(&live, &Selection::Default, 100, 3.0);
        assert_eq!((chart.from, chart.to), (0, 29));
        assert!(figures(&chart).ends_with("calls 6, finished 0, refusals 0"), "{}", figures(&chart));
        assert_eq!(live.note(seconds(3.0)).as_deref(), Some("1 row of another time"));
    }
}

#[test]
fn refusals_of_the_python_package_are_counted_as_calls_join() {
    let mut live = live(&[]);
    for at in START..START + 3 {
        let refused = format!(r#"{{"rate_limit_event_list":[{{"second_bucket_ticket_was_limited":{at}}}]}}"#);
        let minute = format!(
            r#"{{"rate_limiter_name":"p","second_bucket_list":[{{"second_bucket_id":{at},"second_requested_ticket_count":1,"issued_ticket_count":1,"overflow_request_list":[],"rate_limited_request_list":[{refused}],"finished_ticket_list":[]}}]}}"#
        );
        live.add(minute.as_bytes(), seconds(3.0));
    }
    let chart = chart(&live, &Selection::Default, 100, 3.0);
    assert!(figures(&chart).ends_with("calls 3, finished 0, refusals 3!"), "{}", figures(&chart));
}
