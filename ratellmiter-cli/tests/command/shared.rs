//! Logs of processes that share a limiter.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{Directory, HEADER, ROW, sample};

/// Returns the log of one of four processes that share 240 calls and 8000 tokens per minute, with a row for each of `seconds`.
/// Redis is unreachable in the seconds `lost`.
fn shared_log(namespace: &str, seconds: std::ops::Range<u64>, lost: std::ops::Range<u64>) -> String {
    let header = json!({"format": 1, "started": 1_795_502_413, "library": "0.1.0", "namespace": namespace});
    let row = |at: u64| {
        let waiting = 30_u64.saturating_sub(at);
        json!({
            "at": 1_795_502_413 + at, "model": "m", "requested": if at == 0 { 31 } else { 0 }, "issued": 1, "finished": at.min(1),
            "overflow": waiting, "rate": 1.0, "limit": 4.0, "in_flight": 1, "used_tokens": 20, "reserved_tokens": 30,
            "budgets": [{"meter": "tokens_per_minute", "limit": 8000, "taken": 30 * (at + 1)}],
            "held": if waiting > 0 { json!("rate") } else { Value::Null }, "members": 4, "is_lost": lost.contains(&at),
            "wait_ms": {"p50": 900 * at, "p99": 900 * at, "max": 900 * at},
            "call_ms": {"p50": 800, "p99": 800, "max": 800},
        })
    };
    std::iter::once(header).chain(seconds.map(row)).map(|line| line.to_string() + "\n").collect()
}

#[test]
fn logs_of_a_shared_limiter_are_summed() {
    let directory = Directory::new();
    for (name, seconds, lost) in
        [("1-1", 0..31, 0..0), ("1-2", 0..31, 3..9), ("1-3", 0..31, 5..15), ("1-4", 0..20, 0..0)]
    {
        directory.log(&format!("{name}.jsonl"), shared_log("team-a", seconds, lost));
    }
    let four = ["-file=1-1.jsonl", "-file=1-2.jsonl", "-file=1-3.jsonl", "-file=1-4.jsonl"];
    let with = |args: &[&'static str]| [&four, args].concat();
    let (code, text, notes) = directory.run(&with(&["-summary"]));
    assert_eq!((code, notes.as_str()), (0, ""));
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13 UTC
          calls     124: 109 finished (0 failed), 0 given up, 11 waiting, 4 in flight
          refusals  0, 0.000 per call; 0 pauses, 0 s in total
          wait      12.6 s mean, 27.0 s p99; at most 120 queued
          latency   0.8 s p99
          in flight 3.6 mean, 4 max
          tokens    3390 reserved, 30 per call; 2260 used, 21 per call
          budget    8000 tokens per minute: 23 % charged on average, 41 % at most
          duration  31 s; at least 28.0 s at 240 per minute
          processes 4, summed from 4 logs
          verdict   limited by the configured 240 calls per minute for 100 % of the waiting time; no refusals; Redis was unreachable for 12 s
        "#);
    // As a shell expands `ratellmiter_logs/*.jsonl`.
    let expanded = ["1-1", "1-2", "1-3", "1-4"].map(|name| format!("ratellmiter_logs/{name}.jsonl"));
    let expanded: Vec<&str> = ["-summary", "-file"].into_iter().chain(expanded.iter().map(String::as_str)).collect();
    assert_eq!(directory.run(&expanded).1, text);
    let (_, page, _) = directory.run(&with(&["-summary=md"]));
    assert_snapshot!(page, @r#"
        ### rateLLMiter: 1-1.jsonl and 3 more

        | | m |
        | --- | --: |
        | calls | 124 |
        | finished | 109 |
        | failed | 0 |
        | given up | 0 |
        | waiting at the end | 11 |
        | in flight at the end | 4 |
        | refusals | 0 |
        | overloads | 0 |
        | refusals per call | 0.000 |
        | pauses | 0 |
        | paused | 0.0 s |
        | longest queue | 120 |
        | mean wait | 12.6 s |
        | p99 wait | 27.0 s |
        | p99 latency | 0.8 s |
        | duration | 31.0 s |
        | mean in flight | 3.6 |
        | max in flight | 4 |
        | reserved tokens | 3390 |
        | used tokens | 2260 |
        | reserved tokens per call | 30.0 |
        | used tokens per call | 20.5 |
        | fullest budget, mean | 23 % |
        | fullest budget, peak | 41 % |
        | processes | 4 |
        | logs | 4 |
        | Redis unreachable | 12.0 s |

        **m**: limited by the configured 240 calls per minute for 100 % of the waiting time; no refusals; Redis was unreachable for 12 s.
        "#);
    let (_, json, _) = directory.run(&with(&["-summary=json"]));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["log"], "1-1.jsonl and 3 more");
    assert_eq!(value["models"][0]["processes"], json!({"logs": 4, "members": 4, "lost": 12}));
    let (code, _, stderr) = directory.run(&with(&["-check=finished>=200,calls==124"]));
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"check failed: "m": finished>=200: it is 109, in 4 logs"#);
    // File names and titles contain the number of logs.
    assert_eq!(directory.drawn(&with(&["-model=m", "-lines=rio"])).0, "1-1+3-m_rio.png");
    let (_, svg, _) = directory.run(&with(&["-model=m", "-out=-", "-format=svg"]));
    assert!(svg.contains("Request Flow for m: 4 processes"), "{svg}");
    let (_, svg, _) = directory.run(&with(&["-model=all", "-out=-", "-format=svg"]));
    assert!(svg.contains("Finished Calls by Model: 4 processes") && svg.contains("m: 109"), "{svg}");
    let (_, svg, _) =
        directory.run(&["-file=1-1.jsonl", "-file=1-2.jsonl", "-file=1-3.jsonl", "-model=m", "-out=-", "-format=svg"]);
    assert!(svg.contains("Request Flow for m: 3 of 4 processes"), "{svg}");
    let (_, page, _) = directory.run(&with(&["-out=-", "-format=html"]));
    assert!(page.contains("\"log\":\"1-1.jsonl and 3 more\""));
    assert_snapshot!(directory.failure(&with(&["-model=x"])), @r#"error: no model "x" in ratellmiter_logs/1-1.jsonl and 3 more, which contains "m"; use -model=NAME or -model=all"#);
    assert_snapshot!(directory.failure(&with(&["-model=m", "-out=ratellmiter_logs/1-3.jsonl", "-format=png"])), @"error: -out=ratellmiter_logs/1-3.jsonl is the log itself; choose another name for the picture");
}

#[test]
fn single_log_of_a_shared_limiter_is_marked() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", shared_log("team-a", 0..31, 3..4));
    let (_, svg, _) = directory.run(&["-model=m", "-out=-", "-format=svg"]);
    assert!(svg.contains("Request Flow for m: 1 of 4 processes"), "{svg}");
    let (_, text, _) = directory.run(&["-summary"]);
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13 UTC
          calls     31: 30 finished (0 failed), 0 given up, 1 in flight
          refusals  0, 0.000 per call; 0 pauses, 0 s in total
          wait      13.5 s mean, 27.0 s p99; at most 30 queued
          latency   0.8 s p99
          in flight 1.0 mean, 1 max
          tokens    930 reserved, 30 per call; 620 used, 20 per call
          budget    8000 tokens per minute: 6 % charged on average, 12 % at most
          duration  31 s; at least 7.5 s at 240 per minute
          processes 1 of 4; the limits are those of all 4 together
          verdict   limited by the configured 240 calls per minute for 100 % of the waiting time; no refusals; covers 1 of the 4 processes that share the limiter; Redis was unreachable for 1 s
        "#);
}

#[test]
fn logs_of_different_namespaces_are_not_summed() {
    let directory = Directory::new();
    directory.log("a.jsonl", shared_log("team-a", 0..9, 0..0));
    directory.log("b.jsonl", shared_log("team-b", 0..9, 0..0));
    directory.log("c.jsonl", format!("{HEADER}{ROW}"));
    directory.log("d.jsonl", ROW);
    directory.log("python.jsonl", fs::read(sample("python-four-models.jsonl")).unwrap());
    fs::hard_link(directory.path("ratellmiter_logs/a.jsonl"), directory.path("same.jsonl")).unwrap();
    let failure = |files: &[&str]| directory.failure(&[&["-summary", "-file"], files].concat());
    assert_snapshot!(failure(&["a.jsonl", "b.jsonl"]), @r#"error: ratellmiter_logs/a.jsonl has the namespace "team-a" and ratellmiter_logs/b.jsonl has "team-b"; only logs of one namespace can be summed"#);
    assert_snapshot!(failure(&["a.jsonl", "c.jsonl"]), @r#"error: ratellmiter_logs/c.jsonl has no namespace and ratellmiter_logs/a.jsonl has the namespace "team-a"; only logs of one namespace can be summed"#);
    assert_snapshot!(failure(&["c.jsonl", "d.jsonl"]), @"error: ratellmiter_logs/c.jsonl has no namespace, since its process did not share its limiters; only logs of one namespace can be summed");
    assert_snapshot!(failure(&["a.jsonl", "same.jsonl"]), @"error: same.jsonl is given twice; name each log once");
    assert_snapshot!(failure(&["a.jsonl", "python.jsonl"]), @"error: ratellmiter_logs/python.jsonl is a log of the Python package, which does not share limiters; only logs of one namespace can be summed");
    assert_snapshot!(failure(&["a.jsonl", "none.jsonl"]), @"error: cannot read the log none.jsonl: No such file or directory (os error 2)");
    directory.log("e.jsonl", "hello\n");
    assert_snapshot!(failure(&["a.jsonl", "e.jsonl"]), @"error: ratellmiter_logs/e.jsonl is not a log: line 1, column 1: expected value");
    let nothing = shared_log("team-a", 0..0, 0..0);
    directory.log("f.jsonl", &nothing);
    directory.log("g.jsonl", &nothing);
    assert_snapshot!(failure(&["f.jsonl", "g.jsonl"]), @"error: ratellmiter_logs/f.jsonl contains no rows");
    // A log without rows counts as a process.
    let (code, text, _) = directory.run(&["-summary", "-file", "f.jsonl", "a.jsonl"]);
    assert!(
        code == 0 && text.contains("  processes 2 of 4, summed from 2 logs; the limits are those of all 4 together\n"),
        "{text}"
    );
}

#[test]
fn logs_with_different_limits_are_reported() {
    let directory = Directory::new();
    let log = shared_log("team-a", 0..31, 0..0);
    directory.log("1-1.jsonl", log.clone());
    directory.log("1-2.jsonl", log.replace("\"limit\":4.0", "\"limit\":10.0"));
    let both = ["-file=1-1.jsonl", "-file=1-2.jsonl"];
    let (code, text, notes) = directory.run(&[&both[..], &["-summary"]].concat());
    assert_eq!(code, 0);
    assert_snapshot!(notes, @r#"note: the logs have different limits for "m", from 240 to 600 per minute: they do not share one limit"#);
    assert!(text.contains("; the logs differ in their limits: 240 and 600 per minute\n"), "{text}");
    let (code, _, stderr) = directory.run(&[&both[..], &["-check=slowdown<=9"]].concat());
    assert!(code == 3 && stderr.contains("slowdown<=9: the log does not contain it"), "{stderr}");
    // The log of another day is of another run.
    directory.log("2-1.jsonl", log.replace("\"at\":17955", "\"at\":17956"));
    let failure = directory.failure(&["-file=1-1.jsonl", "-file=2-1.jsonl", "-summary"]);
    assert!(failure.contains("2-1.jsonl starts at 2026-11-25 10:26:53 UTC, with no log between them"), "{failure}");
}

#[test]
fn logs_with_different_budgets_are_reported() {
    let directory = Directory::new();
    let log = shared_log("team-a", 0..31, 0..0);
    directory.log("1-1.jsonl", log.clone());
    directory.log("1-2.jsonl", log.replace("\"limit\":8000", "\"limit\":16000"));
    directory.log("1-3.jsonl", log);
    let both = ["-file=1-1.jsonl", "-file=1-2.jsonl"];
    let (code, text, notes) = directory.run(&[&both[..], &["-summary"]].concat());
    assert_eq!(code, 0);
    assert_snapshot!(notes, @r#"note: the logs have different budgets for "m", from 8000 to 16000 tokens per minute: they do not share one budget"#);
    let budgets: Vec<_> = text.lines().filter(|line| line.starts_with("  budget")).collect();
    assert_eq!(budgets, ["  budget    the logs differ in their limits: from 8000 to 16000 tokens per minute"]);
    assert!(
        text.contains("; the logs have different budgets, from 8000 to 16000 tokens per minute: they do"),
        "{text}"
    );
    let (_, json, _) = directory.run(&[&both[..], &["-summary=json"]].concat());
    let summary: Value = serde_json::from_str(&json).unwrap();
    let model = &summary["models"][0];
    let conflict = json!([{ "meter": "tokens_per_minute", "limits": [8000, 16_000] }]);
    assert_eq!(model["budget_conflicts"], conflict);
    assert!(["budgets", "budget_mean", "budget_peak", "used_share"].iter().all(|key| model[key].is_null()), "{json}");
    let (code, _, stderr) = directory.run(&[&both[..], &["-check=budget_peak<=1"]].concat());
    assert!(code == 3 && stderr.contains("budget_peak<=1: the log does not contain it"), "{stderr}");
    // Logs with the same budget have figures of it.
    let (_, text, notes) = directory.run(&["-summary", "-file=1-1.jsonl", "-file=1-3.jsonl"]);
    assert!(notes.is_empty() && text.contains("  budget    8000 tokens per minute: "), "{notes}{text}");
}
