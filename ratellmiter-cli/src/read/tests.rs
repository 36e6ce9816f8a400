//! Tests of `read`.

use super::*;
use crate::series::Counts;

fn counts(log: &Log, model: &str) -> Vec<(u64, Counts)> {
    log.models[model].seconds().iter().map(|second| (second.at, second.counts)).collect()
}

fn read(text: &[u8]) -> Log {
    Log::of(text, false).unwrap()
}

const HEADER: &str = r#"{"format":1,"started":7,"library":"0.1.0"}"#;

#[test]
fn rows_are_read_by_model_and_second() {
    let text = format!(
        "{HEADER}\n{}\n{}\n\n{}\n",
        r#"{"at":7,"model":"m","requested":3,"issued":1,"overflow":2,"rate":5.0}"#,
        r#"{"at":7,"model":"other","finished":1}"#,
        r#"{"at":8,"model":"m","issued":1,"rate_limited":1,"overflow":1,"new":{"in":["later"]}}"#,
    );
    let log = read(text.as_bytes());
    assert_eq!(counts(&log, "m"), [(7, [3, 1, 0, 0, 2]), (8, [0, 1, 1, 0, 1])]);
    assert_eq!(counts(&log, "other"), [(7, [0, 0, 0, 1, 0])]);
    assert!(log.notes(Path::new("x")).is_empty());
}

#[test]
fn header_has_namespace_and_budgets_are_kept_on_request() {
    let row = r#"{"at":7,"model":"m","budgets":[{"meter":"tokens_per_day","limit":9,"taken":1}]}"#;
    let text = format!("{}\n{row}\n", HEADER.replace('}', r#","namespace":"team-a"}"#));
    let kept = |keeps_budgets| {
        let log = Log::of(text.as_bytes(), keeps_budgets).unwrap();
        assert_eq!((log.namespace.as_deref(), log.is_python), (Some("team-a"), false));
        log.models["m"].kept_budgets().len()
    };
    assert_eq!((kept(true), kept(false)), (1, 0));
    assert_eq!(read(HEADER.as_bytes()).namespace, None);
}

#[test]
fn python_minute_is_counted_by_list_lengths() {
    let text = r#"{"rate_limiter_name":"a\/b","second_bucket_list":[
        {"second_bucket_id":5,"second_requested_ticket_count":4,"issued_ticket_count":2,"issued_ticket_list":[{},{}],
         "overflow_request_list":[{"request_id":1},{"x":[1,2,3]}],"rate_limited_request_list":[{}],"finished_ticket_list":[]}]}"#;
    let log = read(text.replace('\n', "").as_bytes());
    assert_eq!(counts(&log, "a/b"), [(5, [4, 2, 1, 0, 2])]);
    assert!(log.is_python);
}

#[test]
fn incomplete_and_broken_lines_are_skipped_with_notes() {
    let row = r#"{"at":7,"model":"m","issued":1}"#;
    let torn = format!("{HEADER}\n{row}\n{}", &row[..20]);
    let log = read(torn.as_bytes());
    assert_eq!(log.notes(Path::new("x")), ["skipped the incomplete last line of x"]);
    assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);

    let mut broken = format!("{HEADER}\n{}\n{row}\n", &row[..20]).into_bytes();
    broken.extend(b"\xff\xfe\n{}\n[]\n7\n");
    let log = read(&broken);
    let notes = log.notes(Path::new("x"));
    assert_eq!(notes.len(), 4);
    assert!(notes[0].starts_with("skipped broken line 2 of x, column 20: EOF while parsing"), "{notes:?}");
    assert_eq!(notes[1], "skipped broken line 4 of x: it is not UTF-8");
    assert!(notes[2].starts_with("skipped broken line 5 of x, column 2: missing field `at`"), "{notes:?}");
    assert_eq!(notes[3], "skipped 2 more broken lines of x");
    assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);
}

#[test]
fn endless_line_is_skipped_at_its_limit() {
    let row = b"\n{\"at\":7,\"model\":\"m\",\"issued\":1}\n";
    let endless = io::repeat(b'x').take(3 * MAX_ROW_BYTES + 17);
    let log = Log::of(BufReader::new(endless.chain(&row[..])), false).unwrap();
    assert_eq!(log.too_long, Some((1, MAX_ROW_BYTES)));
    assert_eq!(counts(&log, "m"), [(7, [0, 1, 0, 0, 0])]);
}

#[test]
fn later_format_is_noted() {
    let row = r#"{"at":7,"model":"m","issued":1}"#;
    let log = read(format!("{}\n{row}\n", HEADER.replace(r#""format":1"#, r#""format":9"#)).as_bytes());
    assert_eq!(
        log.notes(Path::new("x")),
        ["x has version 9 of the format, and this command reads version 1: figures may be missing"]
    );
}

#[test]
fn row_far_from_the_others_is_skipped_with_a_note() {
    let row = |at: u64| format!("{{\"at\":{at},\"model\":\"m\",\"issued\":1}}\n");
    let rows: String = [1_795_502_413, 3, 1_795_502_414, 1_795_502_415].map(row).concat();
    let log = read(rows.as_bytes());
    assert_eq!((log.models["m"].start(), log.models["m"].length()), (1_795_502_413, 3));
    assert_eq!(
        log.notes(Path::new("x")),
        ["skipped 1 row of x far from the time of the others, at 1970-01-01 00:00:03 UTC"]
    );
}

#[test]
fn refusals_of_the_python_package_are_counted_as_calls_join() {
    let refused = |id: u64, at: u64| {
        format!(r#"{{"request_id":{id},"rate_limit_event_list":[{{"second_bucket_ticket_was_limited":{at}}}]}}"#)
    };
    let second = |at: u64, list: &[String]| {
        format!(
            r#"{{"second_bucket_id":{at},"second_requested_ticket_count":1,"issued_ticket_count":1,"overflow_request_list":[],"rate_limited_request_list":[{}],"finished_ticket_list":[]}}"#,
            list.join(",")
        )
    };
    // One call leaves the queue as another joins it, so that the number does not change.
    let seconds = [
        second(5, &[refused(1, 5), refused(2, 5)]),
        second(6, &[refused(2, 5), refused(3, 6)]),
        second(7, &[refused(3, 6), refused(4, 7)]),
    ];
    let text = format!(r#"{{"rate_limiter_name":"m","second_bucket_list":[{}]}}"#, seconds.join(","));
    let log = read(text.as_bytes());
    assert_eq!(log.models["m"].refusals(), 4);
    // The refused calls wait beside the calls that wait for their first ticket.
    assert_eq!((log.models["m"].end().waiting, log.models["m"].seconds()[0].queued()), (2, 2));
    assert_eq!(log.models["m"].value(&log.models["m"].seconds()[0], 'o'), Some(0.0));
    assert!(log.models["m"].has_refused_queue());
}

fn row(at: u64) -> String {
    format!("{{\"at\":{at},\"model\":\"m\",\"issued\":1}}\n")
}

#[test]
fn rows_in_reverse_order_are_read_in_order() {
    let text: String = (0..100_000).rev().map(row).collect();
    let start = std::time::Instant::now();
    let log = read(text.as_bytes());
    assert!(start.elapsed() < std::time::Duration::from_secs(8), "{:?}", start.elapsed());
    let series = &log.models["m"];
    assert_eq!((series.seconds().len(), series.start(), series.length()), (100_000, 0, 100_000));
    assert!(series.seconds().is_sorted_by_key(|second| second.at));
}

#[test]
fn interleaved_logs_are_read_in_order() {
    for length in [1000, 50_000] {
        let text: String = (0..length).flat_map(|at| [row(at), row(length - at)]).collect();
        let start = std::time::Instant::now();
        let counted = counts(&read(text.as_bytes()), "m");
        assert!(start.elapsed() < std::time::Duration::from_secs(8), "{:?}", start.elapsed());
        assert!(counted.is_sorted() && counted.len() as u64 == length + 1);
        assert_eq!(counted.iter().map(|(_, counts)| counts[1]).sum::<u64>(), 2 * length);
    }
}

#[test]
fn row_far_from_the_others_is_in_no_figure() {
    let buckets = r#""wait_total_ms":9000,"wait_buckets":[9000,9],"call_buckets":[9000,9]"#;
    let times = |ms: u64| format!(r#"{{"p50":{ms},"p99":{ms},"max":{ms}}}"#);
    let far = format!(
        r#"{{"at":3,"model":"m","requested":9,"issued":9,"finished":9,"rate_limited":9,"overflow":9,"wait_ms":{},"call_ms":{},{buckets},"budgets":[{{"meter":"tokens_per_minute","limit":10,"taken":10}}]}}"#,
        times(9000),
        times(9000)
    );
    let near = |at: u64| {
        format!(
            r#"{{"at":{at},"model":"m","requested":1,"issued":1,"finished":1,"wait_ms":{0},"call_ms":{0},"wait_total_ms":100,"wait_buckets":[100,1],"call_buckets":[100,1],"budgets":[{{"meter":"tokens_per_minute","limit":10,"taken":5}}]}}"#,
            times(100)
        )
    };
    let rows = [1_795_502_413, 1_795_502_414, 1_795_502_415].map(near);
    let summary = |lines: &[String]| {
        let log = read((lines.join("\n") + "\n").as_bytes());
        crate::summary::Summary::from_series("m", &log.models["m"])
    };
    let expected = summary(&rows);
    assert_eq!((expected.wait_p99, expected.budget_peak), (Some(0.1), Some(0.5)));
    for position in 0..=3 {
        let mut lines = rows.to_vec();
        lines.insert(position, far.clone());
        assert_eq!(summary(&lines), expected, "at {position}");
    }
}
