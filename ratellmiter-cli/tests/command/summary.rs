//! Summaries, conditions and comparisons.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{Directory, ROW, sample};

#[test]
fn summary_is_alone_on_stdout_in_each_format() {
    let directory = Directory::new();
    let file = format!("-file={}", sample("burst.jsonl"));
    let (code, text, notes) = directory.run(&[&file, "-summary"]);
    assert_eq!((code, notes.as_str()), (0, ""));
    assert_snapshot!(text, @r#"
        gpt-4o, from 2026-11-25 21:02:34 UTC
          calls     120: 120 finished (0 failed), 0 given up
          refusals  2 (2 overloads), 0.017 per call; 1 pause, 5.582 s in total
          wait      18.2 s mean, 32.6 s p99; at most 119 queued
          latency   1.7 s p99
          in flight 2.2 mean, 5 max
          tokens    3980 used, 33 per call
          duration  35 s; at least 23.8 s at 300 per minute
          verdict   limited by the configured 300 calls per minute for 46 % of the waiting time; all refusals were overloads
        "#);
    let (_, page, notes) = directory.run(&[&file, "-summary=md", "-model=gpt-4o", "-out=x.svg"]);
    assert_snapshot!(page, @r#"
        ### rateLLMiter: burst.jsonl

        | | gpt-4o |
        | --- | --: |
        | calls | 120 |
        | finished | 120 |
        | failed | 0 |
        | given up | 0 |
        | refusals | 2 |
        | overloads | 2 |
        | refusals per call | 0.017 |
        | pauses | 1 |
        | paused | 5.582 s |
        | longest queue | 119 |
        | mean wait | 18.2 s |
        | p99 wait | 32.6 s |
        | p99 latency | 1.7 s |
        | duration | 35.0 s |
        | mean in flight | 2.2 |
        | max in flight | 5 |
        | reserved tokens | 0 |
        | used tokens | 3980 |
        | used tokens per call | 33.2 |

        **gpt-4o**: limited by the configured 300 calls per minute for 46 % of the waiting time; all refusals were overloads.
        "#);
    assert_eq!(notes, "note: wrote x.svg\n");
    assert!(fs::read_to_string(directory.path("x.svg")).unwrap().starts_with("<svg"));
    let (_, json, _) = directory.run(&[&file, "-summary=json"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["log"], &value["models"][0]["calls"]), (&"burst.jsonl".into(), &120.into()));
    // All models of a log of the Python package, which contains counts alone.
    let (_, text, _) = directory.run(&[&format!("-file={}", sample("python-four-models.jsonl")), "-summary"]);
    assert_snapshot!(text, @r#"
        GPT4, from 2026-11-24 06:40:13 UTC
          calls     105: 105 finished, 0 given up
          refusals  5, 0.048 per call; 1 pause, 10 s in total
          wait      21.4 s mean, – p99; at most 99 queued
          latency   – p99
          duration  36 s; at least 20.8 s at 300 per minute
          verdict   paused for 38 % of the waiting time; 5 refusals, although the server accepted 4.3 per second for 21 s after the first of them

        TWENTY, from 2026-11-24 06:40:13 UTC
          calls     20: 20 finished, 0 given up
          refusals  0, 0.000 per call; 0 pauses, 0 s in total
          wait      9.5 s mean, – p99; at most 19 queued
          latency   – p99
          duration  20 s; at least 19.0 s at 60 per minute
          verdict   limited by the 60 calls per minute for 100 % of the waiting time; no refusals
        "#);
}

#[test]
fn tokens_are_drawn_and_summarized() {
    let directory = Directory::new();
    let log: String = (0..60)
        .map(|at| {
            let row = json!({
                "at": 1_795_502_413 + at, "model": "m", "requested": 2, "issued": 1, "finished": 1, "overflow": at + 5, "rate": 5.0,
                "limit": 5.0, "held": "output_tokens_per_minute", "in_flight": 3, "reserved_tokens": 4200, "used_tokens": 500,
                "budgets": [{"meter": "output_tokens_per_minute", "limit": 80_000, "taken": 79_000 + 16 * at}],
            });
            row.to_string() + "\n"
        })
        .collect();
    directory.log("1-1.jsonl", log);
    assert_eq!(directory.drawn(&["-model=m", "-lines=rtub"]), ("1-1-m_rtub.png".into(), String::new()));
    let (_, svg, _) = directory.run(&["-model=m", "-lines=tubw", "-out=-", "-format=svg"]);
    assert!(svg.contains("token budget") && svg.contains("\nTokens\n") && svg.contains("\nSeconds\n"), "{svg}");
    let (code, text, _) = directory.run(&["-summary"]);
    assert_eq!(code, 0);
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13 UTC
          calls     120: 60 finished (0 failed), 0 given up, 64 waiting, 3 in flight; 7 of them requested before the first row
          refusals  0, 0.000 per call; 0 pauses, 0 s in total
          wait      0.0 s mean, 0.0 s p99; at most 64 queued
          latency   0.0 s p99
          in flight 3.0 mean, 3 max
          tokens    252000 reserved, 4200 per call; 30000 used, 500 per call
          budget    80000 output tokens per minute: 99 % charged on average, 100 % at most
          duration  1:00; at least 11.8 s at 300 per minute
          verdict   limited by the budget of 80000 output tokens per minute for 100 % of the waiting time; calls reserved 4200 tokens on average and reported 500 as used: lower max_tokens; 64 of 120 calls still queued at the end
        "#);
    let (code, _, stderr) = directory.run(&["-check=budget_peak<=0.9,used_tokens>=30000"]);
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"check failed: "m": budget_peak<=0.9: it is 0.999"#);
    // A log without tokens is drawn without their lines.
    directory.log("2-1.jsonl", ROW);
    assert_eq!(directory.drawn(&["-lines=tub"]).0, "2-1-default_tub.png");
}

#[test]
fn failed_condition_exits_with_3_and_keeps_the_picture() {
    let directory = Directory::new();
    let file = format!("-file={}", sample("burst.jsonl"));
    assert_eq!(
        directory.run(&[&file, "-check=refusals<=2,finished>=100,wait_p99<=1m"]),
        (0, String::new(), String::new())
    );
    let (code, stdout, stderr) = directory.run(&[
        &file,
        "-model=gpt-4o",
        "-check=refusals<=1,wait_p99<=5s,finished>=100",
        "-out=x.png",
        "-summary=json",
    ]);
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"
        note: wrote x.png
        check failed: "gpt-4o": refusals<=1: it is 2
        check failed: "gpt-4o": wait_p99<=5s: it is 32.64s
        "#);
    assert!(serde_json::from_str::<Value>(&stdout).is_ok());
    assert!(fs::read(directory.path("x.png")).unwrap().starts_with(b"\x89PNG"));
    // Conditions apply to each selected model.
    let python = format!("-file={}", sample("python-four-models.jsonl"));
    let (code, _, stderr) = directory.run(&[&python, "-check=finished>=50"]);
    assert_snapshot!(stderr, @r#"check failed: "TWENTY": finished>=50: it is 20"#);
    assert_eq!((code, directory.run(&[&python, "-check=finished>=50", "-model=GPT4"]).0), (3, 0));
    assert_eq!(
        directory.run(&[&python, "-check=wait_p99<=5s", "-model=GPT4"]).0,
        3,
        "a missing figure breaks a condition"
    );
}

#[test]
fn several_models_are_compared() {
    let directory = Directory::new();
    directory.log("python.jsonl", fs::read(sample("python-four-models.jsonl")).unwrap());
    let python = "-file=python.jsonl";
    assert_eq!(directory.drawn(&[python, "-model=all"]), ("python-all_f.png".into(), String::new()));
    assert_eq!(directory.drawn(&[python, "-model=TWENTY,GPT4"]).0, "python-TWENTY,GPT4_f.png");
    assert_snapshot!(directory.drawn(&[python, "-model=all", "-lines=ri"]).1, @"note: -lines is ignored: several models are compared by their finished calls");
    let (_, _, stderr) = directory.run(&[python, "-model=GPT4,SIXTY"]);
    assert_snapshot!(stderr, @r#"error: no model "SIXTY" in ratellmiter_logs/python.jsonl, which contains "GPT4", "TWENTY"; use -model=NAME or -model=all"#);
    // A name may contain a comma.
    directory.log("1-1.jsonl", ROW.replace("default", "a,b") + ROW);
    assert_eq!(directory.drawn(&["-file=1-1.jsonl", "-model=a,b"]).0, "1-1-a,b_riefo.png");
    let (_, svg, _) = directory.run(&["-file=1-1.jsonl", "-model=all", "-out=-", "-format=svg"]);
    assert!(svg.contains("Finished Calls by Model") && svg.contains("a,b: 0"), "{svg}");
}

#[test]
fn two_runs_are_compared() {
    let directory = Directory::new();
    let log = |seconds: u64, calls: u64| {
        let row =
            |at| json!({"at": at, "model": "m", "requested": calls, "issued": calls, "finished": calls, "rate": 4.0});
        (0..seconds).map(|at| row(at).to_string() + "\n").collect::<String>()
    };
    directory.log("1-1.jsonl", log(20, 4));
    directory.log("2-1.jsonl", log(30, 2));
    let (code, stdout, notes) = directory.run(&["-file=1-1.jsonl", "-compare=2-1.jsonl", "-lines=f"]);
    assert_eq!(code, 0);
    assert_snapshot!(stdout, @r#"
        m
                             1-1.jsonl  2-1.jsonl  ratio
          calls                     80         60   1.33
          finished                  80         60   1.33
          failed                     0          0      –
          given up                   0          0      –
          refusals                   0          0      –
          overloads                  0          0      –
          refusals per call      0.000      0.000      –
          pauses                     0          0      –
          paused                 0.0 s      0.0 s      –
          longest queue              0          0      –
          mean wait              0.0 s      0.0 s      –
          p99 wait               0.0 s      0.0 s      –
          p99 latency            0.0 s      0.0 s      –
          duration              20.0 s     30.0 s   0.67
          mean in flight           0.0        0.0      –
          max in flight              0          0      –
          finished per min       240.0      120.0   2.00
          runs of 20 s and 30 s: totals differ by length, compare finished per min
          1-1.jsonl: no call was queued: the limit is not the bottleneck
          2-1.jsonl: no call was queued: the limit is not the bottleneck
        "#);
    assert_snapshot!(notes, @r#"
        note: no model "default" in ratellmiter_logs/1-1.jsonl; drawing the only one, "m"
        note: wrote 1-1-m_f_compared.png
        "#);
    assert!(directory.path("1-1-m_f_compared.png").exists());
    let (_, json, _) = directory.run(&["-file=1-1.jsonl", "-compare=2-1.jsonl", "-summary=json"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["ratios"]["calls"], json!(80.0 / 60.0));
    directory.log("3-1.jsonl", ROW);
    assert_snapshot!(directory.failure(&["-model=m", "-file=1-1.jsonl", "-compare=3-1.jsonl"]), @r#"error: no model "m" in ratellmiter_logs/3-1.jsonl, which contains "default"; use -model=NAME or -model=all"#);
    directory.log("4-1.jsonl", ROW.to_owned() + &ROW.replace("default", "m"));
    assert_snapshot!(directory.failure(&["-file=4-1.jsonl", "-compare=1-1.jsonl", "-model=m,default"]), @"error: -compare takes one model, but -model names 2");
}

#[test]
fn unreadable_rows_fail_a_check() {
    let directory = Directory::new();
    let row = |at: u64| json!({"at": at, "model": "m", "requested": 1, "issued": 1, "finished": 1}).to_string() + "\n";
    let rows: String = (100..120).map(row).collect();
    directory.log("1-1.jsonl", rows.clone());
    assert_eq!(directory.run(&["-check=finished>=20"]).0, 0);
    directory.log("2-1.jsonl", rows.replacen("{\"at\":110", "{at:110", 1).replacen("{\"at\":111", "{at:", 1));
    let (code, _, stderr) = directory.run(&["-file=2-1.jsonl", "-check=finished>=10"]);
    assert_eq!(code, 3);
    assert!(stderr.ends_with("check failed: 2 unreadable lines: the figures are incomplete\n"), "{stderr}");
    // The last line of a killed process is incomplete.
    directory.log("3-1.jsonl", rows.clone() + &row(120)[..9]);
    assert_eq!(directory.run(&["-file=3-1.jsonl", "-check=finished>=20"]).0, 0);
}

#[test]
fn figures_add_up_in_each_format() {
    let directory = Directory::new();
    let row = |at: u64| {
        let requested = if at == 100 { 1000 } else { 0 };
        json!({
            "at": at, "model": "m", "requested": requested, "issued": 1, "finished": u64::from(at > 100),
            "overflow": 1099 - at, "in_flight": 1, "limit": 1.0, "held": "rate",
        })
        .to_string()
            + "\n"
    };
    directory.log("1-1.jsonl", (100..110).map(row).collect::<String>());
    let text = directory.run(&["-summary"]).1;
    assert!(text.contains("  calls     1000: 9 finished (0 failed), 0 given up, 990 waiting, 1 in flight\n"), "{text}");
    let page = directory.run(&["-summary=md"]).1;
    assert!(page.contains("| waiting at the end | 990 |\n| in flight at the end | 1 |\n"), "{page}");
    let value: Value = serde_json::from_str(&directory.run(&["-summary=json"]).1).unwrap();
    let of = |key: &str| value["models"][0][key].as_u64().unwrap();
    assert_eq!(["finished", "rejected", "given_up", "waiting", "in_flight"].map(of).iter().sum::<u64>(), of("calls"));
    let (_, html, _) = directory.run(&["-out=-", "-format=html"]);
    for key in ["given_up", "rejected", "waiting", "in_flight", "overloaded"] {
        assert!(html.contains(&format!("'{key}'")) && html.contains(&format!("\"{key}\":")), "{key}");
    }
}
