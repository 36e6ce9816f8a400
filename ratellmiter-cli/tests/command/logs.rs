//! Selection and reading of logs, and `-list`.

use std::fs;

use insta::assert_snapshot;

use crate::{Directory, HEADER, ROW, sample};

#[test]
fn newest_log_with_rows_is_drawn() {
    let directory = Directory::new();
    directory.log("100-1.jsonl", format!("{HEADER}{ROW}"));
    directory.log("200-1.jsonl", format!("{HEADER}{ROW}"));
    directory.log("300-1.jsonl", HEADER);
    assert_eq!(directory.drawn(&[]), ("200-1-default_riefo.png".into(), String::new()));
    assert_eq!(directory.drawn(&["-lines=ri", "-file=100-1.jsonl"]).0, "100-1-default_ri.png");
    assert_eq!(directory.drawn(&["-out", "x.png"]).0, "x.png");
}

#[test]
fn directory_is_taken_from_option_environment_or_configuration() {
    let directory = Directory::new();
    for (number, name) in ["option", "variable", "configured"].iter().enumerate() {
        fs::create_dir(directory.path(name)).unwrap();
        fs::write(directory.path(name).join(format!("{number}-1.jsonl")), ROW).unwrap();
    }
    fs::write(directory.path("ratellmiter.toml"), "log_directory = \"configured\"").unwrap();
    assert_eq!(directory.drawn(&[]).0, "2-1-default_riefo.png");
    let output = directory.command(&[]).env("RATELLMITER_LOGS", "variable").output().unwrap();
    assert_eq!(output.stdout, b"1-1-default_riefo.png\n");
    assert_eq!(directory.drawn(&["-dir=option"]).0, "0-1-default_riefo.png");
    fs::write(directory.path("ratellmiter.toml"), "log_dir = \"configured\"").unwrap();
    assert_snapshot!(directory.failure(&[]), @"error: in the configuration ratellmiter.toml, line 1, column 1, key `log_dir`: unknown field `log_dir`, expected one of `default_rate_limit`, `log_directory`, `keep_logs`, `max_in_flight`, `max_attempts`, `transient_attempts`, `burst_window`, `adaptive`, `enabled`, `ramp`, `provider`, `max_wait`, `max_queue`, `give_up_after`, `on_exhausted`, `wait_at_most`, `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute`, `requests_per_day`, `tokens_per_day`, `shared`, `shared_namespace`, `shared_on_disconnect`, `models`");
}

#[test]
fn both_samples_are_drawn() {
    let directory = Directory::new();
    let (path, notes) = directory.drawn(&["-file", &sample("python-four-models.jsonl"), "-model=GPT4", "-lines=riefo"]);
    assert_eq!((path.as_str(), notes.as_str()), ("python-four-models-GPT4_riefo.png", ""));
    let (_, notes) = directory.drawn(&["-file", &sample("burst.jsonl"), "-model=gpt-4o", "-out=burst.png"]);
    assert_eq!(notes, "");
}

#[test]
fn missing_log_or_model_is_an_error() {
    let directory = Directory::new();
    assert_snapshot!(directory.failure(&["-dir=nowhere"]), @"error: cannot list the logs in nowhere: No such file or directory (os error 2); name a log with -file=LOG, or see -help");
    assert_snapshot!(directory.failure(&[]), @"error: no logs in ratellmiter_logs: log files end in .jsonl; name a log with -file=LOG, or see -help");
    directory.log("1-1.jsonl", HEADER);
    assert_snapshot!(directory.failure(&[]), @"error: no log in ratellmiter_logs contains any rows; name a log with -file=LOG, or see -help");
    assert_snapshot!(directory.failure(&["-file=1-1.jsonl"]), @"error: ratellmiter_logs/1-1.jsonl contains no rows");
    assert_snapshot!(directory.failure(&["-file=2-1.jsonl"]), @"error: cannot read the log 2-1.jsonl: No such file or directory (os error 2)");
    directory.log("2-1.jsonl", ROW.replace("default", "gpt-4o") + &ROW.replace("default", "a\\nb"));
    assert_snapshot!(directory.failure(&[]), @r#"error: no model "default" in ratellmiter_logs/2-1.jsonl, which contains "a\nb", "gpt-4o"; use -model=NAME or -model=all"#);
    assert_snapshot!(directory.failure(&["-model=gpt"]), @r#"error: no model "gpt" in ratellmiter_logs/2-1.jsonl, which contains "a\nb", "gpt-4o"; use -model=NAME or -model=all"#);
    assert_snapshot!(directory.failure(&["-file=ratellmiter_logs"]), @"error: cannot read the log ratellmiter_logs: Is a directory (os error 21)");
}

#[test]
fn other_file_is_not_a_log() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", "hello\nworld\n");
    assert_snapshot!(directory.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is not a log: line 1, column 1: expected value");
    directory.log("1-1.jsonl", format!("{HEADER}{{\"at\":\"7\",\"model\":\"m\"}}\n"));
    assert_snapshot!(directory.failure(&["-file=1-1.jsonl"]), @r#"error: ratellmiter_logs/1-1.jsonl is not a log: line 2, column 9: invalid type: string "7", expected a whole number from 0 on"#);
    directory.log("1-1.jsonl", [0xff, 0xfe, 0, 7]);
    assert_snapshot!(directory.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is not a log: line 1: it is not UTF-8");
}

#[test]
fn mark_of_the_byte_order_is_no_part_of_a_log() {
    let directory = Directory::new();
    for text in [format!("\u{feff}{HEADER}{ROW}"), format!("\u{feff}{ROW}"), ROW.replace('\n', "\r\n")] {
        directory.log("1-1.jsonl", text);
        assert_eq!(directory.drawn(&[]).1, "");
    }
    let wide: Vec<u8> = format!("\u{feff}{ROW}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    directory.log("1-1.jsonl", wide);
    assert_snapshot!(directory.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is not a log: line 1: it is not UTF-8");
}

#[test]
fn values_that_are_no_counts_are_named_with_their_place() {
    let directory = Directory::new();
    for (value, problem) in [
        ("-1", "column 49: invalid value: integer `-1`, expected a whole number from 0 on"),
        ("1.5", "column 50: invalid type: floating point `1.5`, expected a whole number from 0 on"),
        ("1e999", "column 52: number out of range"),
        ("NaN", "column 48: expected value"),
        (
            "123456789012345678901234567890",
            "column 77: invalid type: floating point `1.2345678901234568e+29`, expected a whole number from 0 on",
        ),
        ("[]", "column 47: invalid type: sequence, expected a whole number from 0 on"),
    ] {
        directory.log("1-1.jsonl", ROW.replace("\"requested\":100", &format!("\"requested\":{value}")));
        let failure = directory.failure(&[]);
        assert_eq!(failure, format!("error: ratellmiter_logs/1-1.jsonl is not a log: line 1, {problem}\n"));
    }
}

#[test]
fn incomplete_and_broken_lines_are_noted() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", format!("{HEADER}{ROW}{}", &ROW[..30]));
    assert_snapshot!(directory.drawn(&[]).1, @"note: skipped the incomplete last line of ratellmiter_logs/1-1.jsonl");
    directory.log("1-1.jsonl", format!("{HEADER}{}\n{ROW}", &ROW[..30]));
    assert_snapshot!(directory.drawn(&[]).1, @"note: skipped broken line 2 of ratellmiter_logs/1-1.jsonl, column 30: EOF while parsing a string");
}

#[test]
fn only_model_is_drawn_with_a_note() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", ROW.replace("default", "mistral/large"));
    let (path, note) = directory.drawn(&[]);
    assert_eq!(path, "1-1-mistral-large_riefo.png");
    assert_snapshot!(note, @r#"note: no model "default" in ratellmiter_logs/1-1.jsonl; drawing the only one, "mistral/large""#);
}

#[test]
fn unusual_names_and_counts_are_drawn() {
    let directory = Directory::new();
    for model in ["../../x", "..", "a\\nb", "🦀", &"long".repeat(100), ""] {
        directory.log("1-1.jsonl", ROW.replace("default", model));
        let (path, _) = directory.drawn(&[]);
        assert!(!path.contains('/') && path.len() <= 255, "{path}");
    }
    directory.log("1-1.jsonl", "{\"at\":7,\"model\":\"default\"}\n{\"at\":18446744073709551615,\"model\":\"default\",\"issued\":18446744073709551615}\n");
    directory.drawn(&[]);
}

#[test]
fn logs_are_listed_as_a_table() {
    let directory = Directory::new();
    directory
        .log("1795502413-7.jsonl", format!("{HEADER}{ROW}{}", ROW.replace("13,", "99,").replace("default", "a\\nb")));
    directory.log("1795502000-7.jsonl", HEADER);
    directory.log("1795501000-7.jsonl", "hello\n");
    fs::copy(sample("burst.jsonl"), directory.path("ratellmiter_logs/1795531603-9.jsonl")).unwrap();
    let (code, table, notes) = directory.run(&["-list"]);
    assert_eq!(code, 0);
    assert_snapshot!(table, @r#"
        log                 start (UTC)          length  calls  refusals  models
        1795531603-9.jsonl  2026-11-25 21:02:34    35 s    120         2  gpt-4o
        1795502413-7.jsonl  2026-11-24 06:40:13    1:27    200         0  a b, default
        1795502000-7.jsonl  –                         –      0         0  –
        "#);
    assert_snapshot!(notes, @"note: ratellmiter_logs/1795501000-7.jsonl is not a log: line 1, column 1: expected value");
    directory.log("1795502300-7.jsonl", format!("{}{ROW}", HEADER.replace('}', ",\"namespace\":\"team-a\"}")));
    assert_snapshot!(directory.run(&["-list"]).1, @r#"
        log                 start (UTC)          length  calls  refusals  namespace  models
        1795531603-9.jsonl  2026-11-25 21:02:34    35 s    120         2             gpt-4o
        1795502413-7.jsonl  2026-11-24 06:40:13    1:27    200         0             a b, default
        1795502300-7.jsonl  2026-11-24 06:40:13     1 s    100         0  team-a     default
        1795502000-7.jsonl  –                         –      0         0             –
        "#);
    assert_snapshot!(directory.failure(&["-list", "-dir=nowhere"]), @"error: cannot list the logs in nowhere: No such file or directory (os error 2); name a log with -file=LOG, or see -help");
}

#[test]
fn names_of_any_length_are_listed_and_drawn() {
    let directory = Directory::new();
    let (long, many) =
        ("long ".repeat(20_000), (0..9000).map(|model| ROW.replace("default", &format!("model {model}"))));
    directory.log("1-1.jsonl", ROW.replace("default", &long));
    directory.log("2-1.jsonl", many.collect::<String>());
    directory.log("3-1.jsonl", ROW);
    let (code, table, notes) = directory.run(&["-list"]);
    assert_eq!((code, notes.as_str(), table.lines().count()), (0, "", 4));
    assert!(table.lines().all(|line| line.len() < 200 || line.len() > 80_000), "the last column is not filled up");
    for args in
        [&["-summary"][..], &["-summary=md"], &["-summary=json"], &["-format=term"], &["-out=x.png"], &["-out=x.html"]]
    {
        let (code, _, notes) = directory.run(&[args, &["-file=1-1.jsonl"]].concat());
        assert_eq!(code, 0, "{args:?}: {notes:.200}");
    }
    assert_eq!(directory.run(&["-compare=1-1.jsonl", "-file=1-1.jsonl", "-out=x.png"]).0, 0);
    assert!(directory.failure(&["-file=2-1.jsonl"]).starts_with("error: no model \"default\""));
}

#[test]
fn overlong_lines_are_errors() {
    let directory = Directory::new();
    directory.log("1-1.jsonl", format!("{HEADER}{ROW}{{\"at\":8,\"model\":\"{}\"}}\n{ROW}", "x".repeat(1 << 20)));
    assert_snapshot!(directory.failure(&["-check=calls>=1"]), @"error: line 3 of ratellmiter_logs/1-1.jsonl is longer than 1 MiB, the limit for a row");
    assert_snapshot!(directory.failure(&["-file=/dev/zero"]), @"error: cannot read the log /dev/zero: line 1 has no line break within 256 MiB");
}

#[test]
fn refused_queue_of_the_python_package_has_a_name_of_its_own() {
    let directory = Directory::new();
    let python = format!("-file={}", sample("python-four-models.jsonl"));
    let legend = |args: &[&str]| directory.run(&[args, &["-out=-", "-format=svg"]].concat()).1;
    let svg = legend(&[&python, "-model=GPT4"]);
    assert!(svg.contains("waiting after a refusal") && !svg.contains("rate limited"), "{svg}");
    let svg = legend(&[&format!("-file={}", sample("burst.jsonl")), "-model=gpt-4o"]);
    assert!(svg.contains("overloaded") && !svg.contains("waiting after a refusal"), "{svg}");
}

#[test]
fn log_is_read_from_stdin() {
    let directory = Directory::new();
    fs::write(directory.path("x.jsonl"), format!("{HEADER}{ROW}")).unwrap();
    for (args, expected) in [
        (&["-file=-"][..], "stdin-default_riefo.png\n"),
        (&["-file", "-", "-lines=r"], "stdin-default_r.png\n"),
        (&["x.jsonl"], "x-default_riefo.png\n"),
    ] {
        let log = fs::File::open(directory.path("x.jsonl")).unwrap();
        let output = directory.command(args).stdin(log).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), expected.as_bytes()), "{args:?}");
        assert!(directory.path(expected.trim_end()).exists());
    }
    let empty = fs::File::open("/dev/null").unwrap();
    let output = directory.command(&["-file=-", "-summary"]).stdin(empty).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @"error: stdin contains no rows");
}
