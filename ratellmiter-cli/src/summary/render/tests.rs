//! Tests of `render`.

use super::*;
use crate::series::{Second, Series};
use ratellmiter_core::log::{BudgetStatus, ClosedReason, Quantiles, Row};

fn run(model: &str, calls: u64) -> Summary {
    let row = |at: u64| Row {
        at: 1_795_502_400 + at,
        requested: calls,
        issued: calls,
        finished: calls,
        rate: 5.0,
        limit: Some(5.0),
        ..Row::default()
    };
    Summary::from_series(model, &(0..20).map(|at| Second::from_row(&row(at))).collect::<Series>())
}

#[test]
fn text_has_a_block_for_each_model() {
    let text = summaries(Format::Text, "x.jsonl", &[run("gpt-4o", 5), run("a\nb", 1)]);
    insta::assert_snapshot!(text, @r#"
    gpt-4o, from 2026-11-24 06:40:00 UTC
      calls     100: 100 finished (0 failed), 0 given up
      refusals  0, 0.000 per call; 0 pauses, 0 s in total
      wait      0.0 s mean, 0.0 s p99; at most 0 queued
      latency   0.0 s p99
      in flight 0.0 mean, 0 max
      duration  20 s; at least 19.8 s at 300 per minute
      verdict   no call was queued: the limit is not the bottleneck

    a b, from 2026-11-24 06:40:00 UTC
      calls     20: 20 finished (0 failed), 0 given up
      refusals  0, 0.000 per call; 0 pauses, 0 s in total
      wait      0.0 s mean, 0.0 s p99; at most 0 queued
      latency   0.0 s p99
      in flight 0.0 mean, 0 max
      duration  20 s; at least 3.8 s at 300 per minute
      verdict   no call was queued: the limit is not the bottleneck
    "#);
}

#[test]
fn tokens_and_budgets_are_rendered_if_known() {
    let row = |at: u64| Row {
        at: 1_795_502_400 + at,
        requested: 2,
        issued: 2,
        finished: 2,
        in_flight: 4,
        rate: 5.0,
        reserved_tokens: 8192,
        used_tokens: 4500,
        budgets: vec![BudgetStatus {
            meter: BudgetKind::TokensPerMinute,
            limit: 600_000,
            taken: 300_000,
            others: 0,
            learned: Some(400_000.0),
        }],
        ..Row::default()
    };
    let run = Summary::from_series("m", &(0..100).map(row).collect());
    insta::assert_snapshot!(text(&run), @r#"
    m, from 2026-11-24 06:40:00 UTC
      calls     200: 200 finished (0 failed), 0 given up, 4 in flight; 4 of them requested before the first row
      refusals  0, 0.000 per call; 0 pauses, 0 s in total
      wait      0.0 s mean, 0.0 s p99; at most 0 queued
      latency   0.0 s p99
      in flight 4.0 mean, 4 max
      tokens    819200 reserved, 4096 per call; 450000 used, 2250 per call
      budget    600000 tokens per minute, adapted to 400000: 75 % charged on average, 75 % at most; 45 % used
      duration  1:40
      verdict   no call was queued: the limit is not the bottleneck
    "#);
    insta::assert_snapshot!(table(&["m".into()], &[&run], false).split_once("| mean in").unwrap().1, @r#"
     flight | 4.0 |
    | max in flight | 4 |
    | reserved tokens | 819200 |
    | used tokens | 450000 |
    | reserved tokens per call | 4096.0 |
    | used tokens per call | 2250.0 |
    | tokens per minute, used | 45 % |
    | fullest budget, mean | 75 % |
    | fullest budget, peak | 75 % |
    "#);
    let value: serde_json::Value = serde_json::from_str(&summaries(Format::Json, "x", &[run])).unwrap();
    let budget = &value["models"][0]["budgets"][0];
    assert_eq!((&budget["meter"], &budget["peak"]), (&"tokens_per_minute".into(), &0.75.into()));
}

#[test]
fn closed_spans_are_rendered_in_each_format() {
    let row = |at: u64| {
        let closed = at >= 30;
        let rejected = if closed { 4 } else { 0 };
        Row {
            at: 1_795_502_400 + at,
            requested: 4,
            issued: 4 - rejected,
            finished: 4 - rejected,
            rate_limited: u64::from(at == 30),
            rejected,
            rate: if closed { 0.0 } else { 5.0 },
            limit: Some(5.0),
            closed: closed.then_some(ClosedReason::Quota),
            closed_for: closed.then_some(f64::from(62_400 - u32::try_from(at).unwrap() - 1)),
            ..Row::default()
        }
    };
    let run = Summary::from_series("m", &(0..40).map(row).collect());
    insta::assert_snapshot!(text(&run), @r#"
    m, from 2026-11-24 06:40:00 UTC
      calls     160: 120 finished (0 failed), 0 given up, 40 rejected
      refusals  1, 0.006 per call; 0 pauses, 0 s in total
      closed    quota spent at 06:40:30 UTC, 40 calls not sent, available again at 00:00 UTC
      wait      0.0 s mean, 0.0 s p99; at most 0 queued
      latency   0.0 s p99
      in flight 0.0 mean, 0 max
      duration  40 s; at least 23.8 s at 300 per minute
      verdict   closed for 25 % of the time: quota spent at 06:40:30 UTC, 40 calls not sent, available again at 00:00 UTC
    "#);
    let page = summaries(Format::Md, "x.jsonl", std::slice::from_ref(&run));
    insta::assert_snapshot!(page.split_once("| duration").unwrap().1, @r#"
     | 40.0 s |
    | rejected | 40 |
    | quotas spent | 1 |
    | closed | 10.0 s |
    | mean in flight | 0.0 |
    | max in flight | 0 |

    **m**: closed for 25 % of the time: quota spent at 06:40:30 UTC, 40 calls not sent, available again at 00:00 UTC.

    - closed: quota spent at 06:40:30 UTC, 40 calls not sent, available again at 00:00 UTC
    "#);
    let value: serde_json::Value = serde_json::from_str(&summaries(Format::Json, "x", &[run])).unwrap();
    let model = &value["models"][0];
    assert_eq!(["rejected", "exhausted", "closed"].map(|key| model[key].as_u64().unwrap()), [40, 1, 10]);
    assert_eq!(
        model["closed_spans"],
        serde_json::json!([{
            "from": 1_795_502_430, "to": 1_795_502_439, "reason": "quota", "opens_at": 1_795_564_800, "rejected": 40
        }])
    );
}

#[test]
fn markdown_table_escapes_names() {
    let page = summaries(Format::Md, "a|b.jsonl", &[run("<b>|`x`", 5)]);
    assert!(
        page.starts_with("### rateLLMiter: a\\|b.jsonl\n\n| | &lt;b>\\|\\`x\\` |\n| --- | --: |\n| calls | 100 |\n"),
        "{page}"
    );
    assert!(page.ends_with("\n**&lt;b>\\|\\`x\\`**: no call was queued: the limit is not the bottleneck.\n"), "{page}");
}

#[test]
fn json_has_log_and_models() {
    let page = summaries(Format::Json, "x.jsonl", &[run("m", 5)]);
    let value: serde_json::Value = serde_json::from_str(&page).unwrap();
    assert_eq!(
        (&value["log"], &value["models"][0]["calls"], &value["models"][0]["limit"]),
        (&"x.jsonl".into(), &100.into(), &300.0.into())
    );
}

#[test]
fn comparison_has_ratios_if_defined() {
    let (one, two) = (run("m", 10), run("m", 5));
    let text = comparison(Format::Text, ["a", "b"], [&one, &two]);
    assert!(text.contains("  calls                 200     100   2.00\n"), "{text}");
    assert!(text.contains("  refusals                0       0      –\n"), "{text}");
    let page = comparison(Format::Md, ["a", "b"], [&one, &two]);
    assert!(page.contains("| | a | b | ratio |\n| --- | --: | --: | --: |\n| calls | 200 | 100 | 2.00 |\n"), "{page}");
    let value: serde_json::Value = serde_json::from_str(&comparison(Format::Json, ["a", "b"], [&one, &two])).unwrap();
    assert_eq!(
        (&value["ratios"]["calls"], &value["ratios"]["refusals_per_call"]),
        (&2.0.into(), &serde_json::Value::Null)
    );
}

#[test]
fn many_models_are_rows_of_the_table() {
    let runs: Vec<_> = (1..=40).map(|number| run(&format!("m|{number}"), number)).collect();
    let page = summaries(Format::Md, "x.jsonl", &runs);
    let table: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 42);
    assert!(table[0].starts_with("| model | calls | finished |"), "{page}");
    assert!(table[41].starts_with("| m\\|40 | 800 | 800 |"), "{page}");
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(table.iter().all(|line| columns(line) == columns(table[0])));
    assert!(summaries(Format::Md, "x", &runs[..3]).contains("| | m\\|1 | m\\|2 | m\\|3 |\n"));
}

#[test]
fn bounds_are_shown_in_columns_and_in_rows() {
    // Rows without sketches do not exclude that more of the calls are slow.
    let row = |at: u64| Row {
        at,
        issued: 10,
        wait_ms: Quantiles { p50: 500, p99: if at < 4 { 30_000 } else { 500 }, max: if at < 4 { 30_000 } else { 500 } },
        ..Row::default()
    };
    let run = Summary::from_series("m", &(0..60).map(|at| Second::from_row(&row(at))).collect::<Series>());
    for count in [1, 2, 40] {
        let page = summaries(Format::Md, "x", &vec![run.clone(); count]);
        assert_eq!(page.matches("| 0.5–30.0 s |").count(), if count == 2 { 1 } else { count }, "{page}");
        assert_eq!(page.matches("| 0.5–1.5 s |").count(), if count == 2 { 1 } else { count }, "{page}");
    }
}

#[test]
fn table_of_many_models_is_not_quadratic() {
    let runs = vec![run("m", 5); 20_000];
    let started = std::time::Instant::now();
    assert_eq!(summaries(Format::Md, "x", &runs).lines().filter(|line| line.starts_with("| m |")).count(), 20_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn runs_of_different_length_are_compared_by_throughput() {
    let (one, mut two) = (run("m", 10), run("m", 5));
    two.duration = 10;
    for (format, note, row) in [
        (Format::Text, "\n  runs of 20 s and 10 s: totals", "finished per min"),
        (Format::Md, "\nruns of 20 s and 10 s: totals", "| finished per min | 600.0 | 600.0 | 1.00 |"),
        (Format::Json, "\"note\": \"runs of 20 s and 10 s: totals", "\"finished_per_minute\": 1.0"),
    ] {
        let text = comparison(format, ["a\u{202e}", "b"], [&one, &two]);
        assert!(text.contains(note) && text.contains(row) && !text.contains('\u{202e}'), "{text}");
    }
    assert!(!comparison(Format::Text, ["a", "b"], [&one, &one]).contains("runs of"));
}

#[test]
fn long_run_is_a_clock_time_with_its_zone() {
    let long = Summary { duration: 17_439, paused_ms: 7_200_000, ..run("m", 5) };
    let text = text(&long);
    assert!(text.starts_with("m, from 2026-11-24 06:40:00 UTC\n"), "{text}");
    assert!(
        text.contains("  duration  4:50:39; at least 19.8 s") && text.contains(" pauses, 2:00:00 in total"),
        "{text}"
    );
}

#[test]
fn paused_time_is_shown_to_the_millisecond() {
    let shown = |millis| {
        let run = Summary { paused_ms: millis, ..run("m", 5) };
        let text = text(&run).lines().find(|line| line.contains("refusals")).unwrap().to_owned();
        let text = text.split_once("pauses, ").unwrap().1.trim_end_matches(" in total").to_owned();
        let page = summaries(Format::Md, "x", std::slice::from_ref(&run));
        let cell = page.split_once("| paused | ").unwrap().1.split_once(" |").unwrap().0.to_owned();
        let value: serde_json::Value = serde_json::from_str(&summaries(Format::Json, "x", &[run])).unwrap();
        (text, cell, value["models"][0]["paused"].to_string())
    };
    for (millis, text, cell, json) in [
        (0, "0 s", "0.0 s", "0"),
        (300, "0.3 s", "0.3 s", "0.3"),
        (1350, "1.35 s", "1.35 s", "1.35"),
        (59_999, "59.999 s", "59.999 s", "59.999"),
        (6000, "6 s", "6.0 s", "6"),
        (61_400, "1:01", "1:01", "61.4"),
    ] {
        assert_eq!(shown(millis), (text.into(), cell.into(), json.into()), "{millis}");
    }
}
