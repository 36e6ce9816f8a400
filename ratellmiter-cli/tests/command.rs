//! The command as a user runs it: a real process, real files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Place(TempDir);

/// What came of a command: exit code, stdout, stderr.
type Outcome = (i32, String, String);

const HEADER: &str = "{\"format\":1,\"started\":7,\"library\":\"0.1.0\"}\n";
const ROW: &str = "{\"at\":1795502413,\"model\":\"default\",\"requested\":100,\"issued\":1,\"overflow\":99}\n";

impl Place {
    /// An empty directory with an empty directory of logs.
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("ratellmiter_logs")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn log(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path("ratellmiter_logs").join(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ratellmiter"));
        for variable in
            ["RATELLMITER", "RATELLMITER_LOGS", "RATELLMITER_CONFIG", "RATELLMITER_RATE_LIMIT", "NO_COLOR", "COLUMNS"]
        {
            command.env_remove(variable);
        }
        // The user's own configuration is not part of the test.
        command.env("XDG_CONFIG_HOME", self.path("none")).current_dir(self.0.path()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Outcome {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// The one line of a failure, after which nothing lies about.
    fn failure(&self, args: &[&str]) -> String {
        let before = self.files();
        let (code, stdout, stderr) = self.run(args);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(self.files(), before, "nothing half-written");
        stderr
    }

    /// The path of the picture that was drawn, and the notes.
    fn drawn(&self, args: &[&str]) -> (String, String) {
        let (code, stdout, stderr) = self.run(args);
        assert_eq!(code, 0, "{stderr}");
        let path = stdout.strip_suffix('\n').unwrap();
        assert!(fs::read(self.path(path)).unwrap().starts_with(b"\x89PNG"), "{path}");
        (path.to_owned(), stderr)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample").join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_newest_log_that_has_data_is_drawn() {
    let place = Place::new();
    place.log("100-1.jsonl", format!("{HEADER}{ROW}"));
    place.log("200-1.jsonl", format!("{HEADER}{ROW}"));
    place.log("300-1.jsonl", HEADER);
    assert_eq!(place.drawn(&[]), ("200-1-default_riefo.png".into(), String::new()));
    assert_eq!(place.drawn(&["-lines=ri", "-file=100-1.jsonl"]).0, "100-1-default_ri.png");
    assert_eq!(place.drawn(&["-out", "x.png"]).0, "x.png");
}

#[test]
fn the_directory_is_the_options_or_the_environments_or_the_configurations() {
    let place = Place::new();
    for (number, name) in ["option", "variable", "configured"].iter().enumerate() {
        fs::create_dir(place.path(name)).unwrap();
        fs::write(place.path(name).join(format!("{number}-1.jsonl")), ROW).unwrap();
    }
    fs::write(place.path("ratellmiter.toml"), "log_directory = \"configured\"").unwrap();
    assert_eq!(place.drawn(&[]).0, "2-1-default_riefo.png");
    let output = place.command(&[]).env("RATELLMITER_LOGS", "variable").output().unwrap();
    assert_eq!(output.stdout, b"1-1-default_riefo.png\n");
    assert_eq!(place.drawn(&["-dir=option"]).0, "0-1-default_riefo.png");
    fs::write(place.path("ratellmiter.toml"), "log_dir = \"configured\"").unwrap();
    assert_snapshot!(place.failure(&[]), @"error: in the configuration ratellmiter.toml, line 1, column 1, key `log_dir`: unknown field `log_dir`, expected one of `default_rate_limit`, `log_directory`, `max_in_flight`, `max_attempts`, `burst_window`, `adaptive`, `enabled`, `ramp`, `provider`, `requests_per_day`, `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute`, `tokens_per_day`, `max_wait`, `max_queue`, `shared`, `shared_namespace`, `shared_on_disconnect`, `models`");
}

#[test]
fn both_samples_are_drawn() {
    let place = Place::new();
    let (path, notes) = place.drawn(&["-file", &sample("python-four-models.jsonl"), "-model=GPT4", "-lines=riefo"]);
    assert_eq!((path.as_str(), notes.as_str()), ("python-four-models-GPT4_riefo.png", ""));
    let (_, notes) = place.drawn(&["-file", &sample("burst.jsonl"), "-model=gpt-4o", "-out=burst.png"]);
    assert_eq!(notes, "");
}

#[test]
fn what_is_missing_is_told_with_what_is_there() {
    let place = Place::new();
    assert_snapshot!(place.failure(&["-dir=nowhere"]), @"error: cannot look for logs in nowhere: No such file or directory (os error 2)");
    assert_snapshot!(place.failure(&[]), @"error: no log in ratellmiter_logs: a log ends in .jsonl");
    place.log("1-1.jsonl", HEADER);
    assert_snapshot!(place.failure(&[]), @"error: no log in ratellmiter_logs has any rows: no model did anything");
    assert_snapshot!(place.failure(&["-file=1-1.jsonl"]), @"error: ratellmiter_logs/1-1.jsonl is empty: no model did anything in it");
    assert_snapshot!(place.failure(&["-file=2-1.jsonl"]), @"error: cannot read the log 2-1.jsonl: No such file or directory (os error 2)");
    place.log("2-1.jsonl", ROW.replace("default", "gpt-4o") + &ROW.replace("default", "a\\nb"));
    assert_snapshot!(place.failure(&[]), @r#"error: no model "default" in ratellmiter_logs/2-1.jsonl; it has "a\nb", "gpt-4o": choose by -model=NAME, or -model=all"#);
    assert_snapshot!(place.failure(&["-model=gpt"]), @r#"error: no model "gpt" in ratellmiter_logs/2-1.jsonl; it has "a\nb", "gpt-4o": choose by -model=NAME, or -model=all"#);
    assert_snapshot!(place.failure(&["-file=ratellmiter_logs"]), @"error: cannot read the log ratellmiter_logs: Is a directory (os error 21)");
}

#[test]
fn what_is_no_log_is_told_so() {
    let place = Place::new();
    place.log("1-1.jsonl", "hello\nworld\n");
    assert_snapshot!(place.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is no log: line 1: expected value at line 1 column 1");
    place.log("1-1.jsonl", format!("{HEADER}{{\"at\":\"7\",\"model\":\"m\"}}\n"));
    assert_snapshot!(place.failure(&["-file=1-1.jsonl"]), @r#"error: ratellmiter_logs/1-1.jsonl is no log: line 2: invalid type: string "7", expected u64 at line 1 column 9"#);
    place.log("1-1.jsonl", [0xff, 0xfe, 0, 7]);
    assert_snapshot!(place.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is no log: line 1: it is not UTF-8");
}

#[test]
fn torn_and_broken_lines_are_noted_and_the_rest_is_drawn() {
    let place = Place::new();
    place.log("1-1.jsonl", format!("{HEADER}{ROW}{}", &ROW[..30]));
    assert_snapshot!(place.drawn(&[]).1, @"note: the last line of ratellmiter_logs/1-1.jsonl is torn and was skipped");
    place.log("1-1.jsonl", format!("{HEADER}{}\n{ROW}", &ROW[..30]));
    assert_snapshot!(place.drawn(&[]).1, @"note: line 2 of ratellmiter_logs/1-1.jsonl is broken and was skipped: EOF while parsing a string at line 1 column 30");
}

#[test]
fn the_only_model_is_drawn_with_a_note() {
    let place = Place::new();
    place.log("1-1.jsonl", ROW.replace("default", "mistral/large"));
    let (path, note) = place.drawn(&[]);
    assert_eq!(path, "1-1-mistral-large_riefo.png");
    assert_snapshot!(note, @r#"note: no model "default" in ratellmiter_logs/1-1.jsonl; drawing the only one, "mistral/large""#);
}

#[test]
fn strange_models_and_counts_are_drawn() {
    let place = Place::new();
    for model in ["../../x", "..", "a\\nb", "🦀", &"long".repeat(100), ""] {
        place.log("1-1.jsonl", ROW.replace("default", model));
        let (path, _) = place.drawn(&[]);
        assert!(!path.contains('/') && path.len() <= 255, "{path}");
    }
    place.log("1-1.jsonl", "{\"at\":7,\"model\":\"default\"}\n{\"at\":18446744073709551615,\"model\":\"default\",\"issued\":18446744073709551615}\n");
    place.drawn(&[]);
}

#[test]
fn what_was_typed_wrongly_exits_with_2_and_says_what_is_allowed() {
    let place = Place::new();
    let wrong = |args: &[&str]| {
        let (code, stdout, stderr) = place.run(args);
        assert_eq!((code, stdout.as_str(), stderr.lines().count()), (2, "", 1), "{stderr}");
        stderr
    };
    assert_snapshot!(wrong(&["-lines=rx"]), @"error: invalid value 'rx' for '--lines <LETTERS>': unknown letter 'x'; choose from r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget");
    assert_snapshot!(wrong(&["-lines="]), @"error: invalid value '' for '--lines <LETTERS>': no letter; choose from r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget");
    assert_snapshot!(wrong(&["-modle=x"]), @"error: unexpected argument '--modle' found; tip: a similar argument exists: '--model'");
    assert_snapshot!(wrong(&["gpt-4o"]), @"error: unexpected argument 'gpt-4o' found");
    assert_snapshot!(wrong(&["-model=a", "-model=b"]), @"error: the argument '--model <NAME>' cannot be used multiple times");
}

#[test]
fn an_output_that_cannot_be_written_is_one_line_and_leaves_nothing() {
    let place = Place::new();
    place.log("1-1.jsonl", ROW);
    fs::create_dir(place.path("directory")).unwrap();
    fs::write(place.path("file"), "").unwrap();
    assert_snapshot!(place.failure(&["-out=directory"]), @"error: cannot write the picture directory: it is a directory");
    assert_snapshot!(place.failure(&["-out=none/x.png"]), @"error: cannot write the picture none/x.png: No such file or directory (os error 2)");
    assert_snapshot!(place.failure(&["-out=/dev/full"]), @"error: cannot write the picture /dev/full: No space left on device (os error 28)");
    assert_eq!(place.run(&["-out=/dev/null"]), (0, "/dev/null\n".into(), String::new()));
    assert_snapshot!(place.failure(&["-out=file/x.png"]), @"error: cannot write the picture file/x.png: Not a directory (os error 20)");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let place = Place::new();
    place.log("1-1.jsonl", ROW);
    for args in [&["-out=x.png"][..], &["-help"]] {
        let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    }
}

#[test]
fn help_fits_a_screen() {
    let place = Place::new();
    let (code, help, _) = place.run(&["-help"]);
    assert_eq!((code, place.run(&["-h"]).1), (0, help.clone()));
    assert!(help.lines().count() <= 24 && help.lines().all(|line| line.len() <= 80));
    assert_snapshot!(help, @r#"
        Draws what a rateLLMiter log says, and says what bound the run

          ratellmiter -model=gpt-4o -lines=ri            a PNG of the newest log
          ratellmiter -summary                           what bound each model
          ratellmiter -check='refusals<=2,wait_p99<=5s'  exit 3 if that does not hold
          ratellmiter -follow                            while the program runs

        Log      -model=NAME  one, a,b, or all       [default: default, or the only one]
                 -file=LOG    ours or Python's; several are summed [default: the newest]
                 -dir=DIR     where logs are [RATELLMITER_LOGS, else the configuration]
                 -list        the logs there are
        Picture  -out=FILE    ends in .png, .svg or .html; - is stdout
                 -format=term in the terminal; png, svg or html: a file of that kind
                 -lines=riefo r requested i issued e rate limited f finished o overflow
                              a allowed rate n in flight w wait p99 l latency p99
                              t tokens reserved u tokens used b token budget
                 -size=2000x800 -theme=light|dark -open
        Figures  -summary[=text|md|json] -check=CONDITIONS -compare=LOG
        Live     -follow
        Other    -completions=SHELL -version -help
        Exit     0 done, 1 could not, 2 typed wrongly, 3 a condition does not hold
        "#);
    assert_eq!(place.run(&["-version"]).1, concat!("ratellmiter ", env!("CARGO_PKG_VERSION"), "\n"));
    let (code, script, _) = place.run(&["-completions=bash"]);
    assert!(code == 0 && script.contains("--compare"), "{script}");
}

#[test]
fn the_summary_is_text_a_table_or_json_and_alone_on_stdout() {
    let place = Place::new();
    let file = format!("-file={}", sample("burst.jsonl"));
    let (code, text, notes) = place.run(&[&file, "-summary"]);
    assert_eq!((code, notes.as_str()), (0, ""));
    assert_snapshot!(text, @r#"
        gpt-4o, from 2026-11-25 21:02:34
          calls     120: 120 finished, 0 of them failed, 0 given up
          refusals  2 (2 of them overloads), 0.017 a call; 1 pause, 5 s in all
          wait      19.0 s mean, 32.8 s p99; the line was at most 119
          latency   1.7 s p99
          in flight 2.8 mean, 6 at most
          time      35 s; 300 a minute take at least 24.2 s
          verdict   bound by the configured 300 a minute for 57 % of the time; refused only while the server was overloaded: the limit can be raised
        "#);
    let (_, page, notes) = place.run(&[&file, "-summary=md", "-model=gpt-4o", "-out=x.svg"]);
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
        | paused | 5.0 s |
        | longest line | 119 |
        | mean wait | 19.0 s |
        | p99 wait | 32.8 s |
        | p99 latency | 1.7 s |
        | duration | 35.0 s |
        | mean in flight | 2.8 |
        | most in flight | 6 |

        **gpt-4o**: bound by the configured 300 a minute for 57 % of the time; refused only while the server was overloaded: the limit can be raised.
        "#);
    assert_eq!(notes, "note: drew x.svg\n");
    assert!(fs::read_to_string(place.path("x.svg")).unwrap().starts_with("<svg"));
    let (_, json, _) = place.run(&[&file, "-summary=json"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["log"], &value["models"][0]["calls"]), (&"burst.jsonl".into(), &120.into()));
    // All models of the Python package's log; it counts, and tells nothing else.
    let (_, text, _) = place.run(&[&format!("-file={}", sample("python-four-models.jsonl")), "-summary"]);
    assert_snapshot!(text, @r#"
        GPT4, from 2026-11-24 06:40:13
          calls     105: 105 finished, 0 given up
          refusals  5, 0.048 a call; 1 pause, 10 s in all
          wait      20.9 s mean, – p99; the line was at most 99
          latency   – p99
          time      36 s; 300 a minute take at least 21.8 s
          verdict   bound by the 300 a minute for 44 % of the time; 5 calls came back refused: find out why before raising it

        TWENTY, from 2026-11-24 06:40:13
          calls     20: 20 finished, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      9.5 s mean, – p99; the line was at most 19
          latency   – p99
          time      20 s; 60 a minute take at least 19.0 s
          verdict   bound by the 60 a minute for 95 % of the time; refusals 0: the limit can be raised
        "#);
}

#[test]
fn tokens_are_drawn_and_judged_where_a_log_tells_of_them() {
    let place = Place::new();
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
    place.log("1-1.jsonl", log);
    assert_eq!(place.drawn(&["-model=m", "-lines=rtub"]), ("1-1-m_rtub.png".into(), String::new()));
    let (_, svg, _) = place.run(&["-model=m", "-lines=tubw", "-out=-", "-format=svg"]);
    assert!(svg.contains("token budget") && svg.contains("\nTokens\n") && svg.contains("\nSeconds\n"), "{svg}");
    let (code, text, _) = place.run(&["-summary"]);
    assert_eq!(code, 0);
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13
          calls     120: 60 finished, 0 of them failed, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      17.2 s mean, 0.0 s p99; the line was at most 64
          latency   0.0 s p99
          in flight 3.0 mean, 3 at most
          tokens    252000 reserved, 4200 a call; 30000 used, 500 a call
          budget    80000 output tokens a minute: taken to 99 % in the mean, to 100 % at most
          time      60 s; 300 a minute take at least 11.8 s
          verdict   bound by the budget of 80000 output tokens a minute for 100 % of the time; a call reserved 4200 tokens and used 500, as far as calls told: lower max_tokens
        "#);
    let (code, _, stderr) = place.run(&["-check=budget_peak<=0.9,used_tokens>=30000"]);
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"check failed: "m": budget_peak<=0.9: it is 0.999"#);
    // A log that tells of none has nothing to draw of them, and breaks nothing.
    place.log("2-1.jsonl", ROW);
    assert_eq!(place.drawn(&["-lines=tub"]).0, "2-1-default_tub.png");
}

#[test]
fn a_condition_that_does_not_hold_exits_with_3_and_the_picture_is_kept() {
    let place = Place::new();
    let file = format!("-file={}", sample("burst.jsonl"));
    assert_eq!(place.run(&[&file, "-check=refusals<=2,finished>=100,wait_p99<=1m"]), (0, String::new(), String::new()));
    let (code, stdout, stderr) = place.run(&[
        &file,
        "-model=gpt-4o",
        "-check=refusals<=1,wait_p99<=5s,finished>=100",
        "-out=x.png",
        "-summary=json",
    ]);
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"
        note: drew x.png
        check failed: "gpt-4o": refusals<=1: it is 2
        check failed: "gpt-4o": wait_p99<=5s: it is 32.831s
        "#);
    assert!(serde_json::from_str::<Value>(&stdout).is_ok());
    assert!(fs::read(place.path("x.png")).unwrap().starts_with(b"\x89PNG"));
    // Of each model that was not left out.
    let python = format!("-file={}", sample("python-four-models.jsonl"));
    let (code, _, stderr) = place.run(&[&python, "-check=finished>=50"]);
    assert_snapshot!(stderr, @r#"check failed: "TWENTY": finished>=50: it is 20"#);
    assert_eq!((code, place.run(&[&python, "-check=finished>=50", "-model=GPT4"]).0), (3, 0));
    assert_eq!(
        place.run(&[&python, "-check=wait_p99<=5s", "-model=GPT4"]).0,
        3,
        "what the log does not tell does not hold"
    );
}

#[test]
fn several_models_are_compared() {
    let place = Place::new();
    place.log("python.jsonl", fs::read(sample("python-four-models.jsonl")).unwrap());
    let python = "-file=python.jsonl";
    assert_eq!(place.drawn(&[python, "-model=all"]), ("python-all_f.png".into(), String::new()));
    assert_eq!(place.drawn(&[python, "-model=TWENTY,GPT4"]).0, "python-TWENTY,GPT4_f.png");
    assert_snapshot!(place.drawn(&[python, "-model=all", "-lines=ri"]).1, @"note: several models are compared by their finished calls; -lines is for one");
    let (_, _, stderr) = place.run(&[python, "-model=GPT4,SIXTY"]);
    assert_snapshot!(stderr, @r#"error: no model "SIXTY" in ratellmiter_logs/python.jsonl; it has "GPT4", "TWENTY": choose by -model=NAME, or -model=all"#);
    // A name with a comma in it is one.
    place.log("1-1.jsonl", ROW.replace("default", "a,b") + ROW);
    assert_eq!(place.drawn(&["-file=1-1.jsonl", "-model=a,b"]).0, "1-1-a,b_riefo.png");
    let (_, svg, _) = place.run(&["-file=1-1.jsonl", "-model=all", "-out=-", "-format=svg"]);
    assert!(svg.contains("Finished calls by model") && svg.contains("a,b: 0"), "{svg}");
}

#[test]
fn two_runs_are_compared() {
    let place = Place::new();
    let log = |seconds: u64, calls: u64| {
        let row =
            |at| json!({"at": at, "model": "m", "requested": calls, "issued": calls, "finished": calls, "rate": 4.0});
        (0..seconds).map(|at| row(at).to_string() + "\n").collect::<String>()
    };
    place.log("1-1.jsonl", log(20, 4));
    place.log("2-1.jsonl", log(30, 2));
    let (code, stdout, notes) = place.run(&["-file=1-1.jsonl", "-compare=2-1.jsonl", "-lines=f"]);
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
          longest line               0          0      –
          mean wait              0.0 s      0.0 s      –
          p99 wait               0.0 s      0.0 s      –
          p99 latency            0.0 s      0.0 s      –
          duration              20.0 s     30.0 s   0.67
          mean in flight           0.0        0.0      –
          most in flight             0          0      –
          1-1.jsonl: the line was never longer than 0: the limit does not bind
          2-1.jsonl: the line was never longer than 0: the limit does not bind
        "#);
    assert_snapshot!(notes, @r#"
        note: no model "default" in ratellmiter_logs/1-1.jsonl; drawing the only one, "m"
        note: drew 1-1-m_f_compared.png
        "#);
    assert!(place.path("1-1-m_f_compared.png").exists());
    let (_, json, _) = place.run(&["-file=1-1.jsonl", "-compare=2-1.jsonl", "-summary=json"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["ratios"]["calls"], json!(80.0 / 60.0));
    place.log("3-1.jsonl", ROW);
    assert_snapshot!(place.failure(&["-model=m", "-file=1-1.jsonl", "-compare=3-1.jsonl"]), @r#"error: no model "m" in ratellmiter_logs/3-1.jsonl; it has "default": choose by -model=NAME, or -model=all"#);
    place.log("4-1.jsonl", ROW.to_owned() + &ROW.replace("default", "m"));
    assert_snapshot!(place.failure(&["-file=4-1.jsonl", "-compare=1-1.jsonl", "-model=m,default"]), @"error: -compare takes one model; -model names 2");
}

#[test]
fn logs_are_listed_as_a_table() {
    let place = Place::new();
    place.log("1795502413-7.jsonl", format!("{HEADER}{ROW}{}", ROW.replace("13,", "99,").replace("default", "a\\nb")));
    place.log("1795502000-7.jsonl", HEADER);
    place.log("1795501000-7.jsonl", "hello\n");
    fs::copy(sample("burst.jsonl"), place.path("ratellmiter_logs/1795531603-9.jsonl")).unwrap();
    let (code, table, notes) = place.run(&["-list"]);
    assert_eq!(code, 0);
    assert_snapshot!(table, @r#"
        log                 start (UTC)          length  calls  refusals  models
        1795531603-9.jsonl  2026-11-25 21:02:34     35s    120         2  gpt-4o
        1795502413-7.jsonl  2026-11-24 06:40:13   1m27s    200         0  a b, default
        1795502000-7.jsonl  –                         –      0         0  –
        "#);
    assert_snapshot!(notes, @"note: ratellmiter_logs/1795501000-7.jsonl is no log: line 1: expected value at line 1 column 1");
    place.log("1795502300-7.jsonl", format!("{}{ROW}", HEADER.replace('}', ",\"namespace\":\"team-a\"}")));
    assert_snapshot!(place.run(&["-list"]).1, @r#"
        log                 start (UTC)          length  calls  refusals  namespace  models
        1795531603-9.jsonl  2026-11-25 21:02:34     35s    120         2             gpt-4o
        1795502413-7.jsonl  2026-11-24 06:40:13   1m27s    200         0             a b, default
        1795502300-7.jsonl  2026-11-24 06:40:13      1s    100         0  team-a     default
        1795502000-7.jsonl  –                         –      0         0             –
        "#);
    assert_snapshot!(place.failure(&["-list", "-dir=nowhere"]), @"error: cannot look for logs in nowhere: No such file or directory (os error 2)");
}

#[test]
fn a_picture_on_stdout_is_nothing_but_the_picture() {
    let place = Place::new();
    place.log("1-1.jsonl", ROW.replace("default", "m"));
    let before = place.files();
    let output = place.command(&["-out=-", "-size=600x300"]).output().unwrap();
    assert!(output.stdout.starts_with(b"\x89PNG") && output.stdout.ends_with(b"IEND\xaeB`\x82"));
    assert_eq!(output.stdout[16..24], [0, 0, 2, 88, 0, 0, 1, 44], "600 x 300");
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("note: "));
    assert_eq!(place.files(), before);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = place.command(&["-out=-"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .ends_with("error: cannot write to stdout: No space left on device (os error 28)\n")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_picture_is_opened_with_the_systems_viewer() {
    use std::{os::unix::fs::PermissionsExt as _, thread, time::Duration};

    let place = Place::new();
    place.log("1-1.jsonl", ROW);
    let viewer = place.path("bin/xdg-open");
    fs::create_dir(place.path("bin")).unwrap();
    fs::write(&viewer, format!("#!/bin/sh\necho \"$1\" > {0}.tmp && mv {0}.tmp {0}\n", place.path("seen").display()))
        .unwrap();
    fs::set_permissions(&viewer, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    let output = place.command(&["-open", "-out=x.png"]).env("PATH", &path).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"x.png\n"[..]));
    let seen = (0..100).find_map(|_| {
        thread::sleep(Duration::from_millis(50));
        fs::read_to_string(place.path("seen")).ok()
    });
    assert_eq!(seen.unwrap().trim_end(), fs::canonicalize(place.path("x.png")).unwrap().to_str().unwrap());
    // Without any viewer the picture is there all the same.
    let output = place.command(&["-open", "-out=y.png"]).env("PATH", place.path("none")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b"y.png\n"[..]));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: cannot open y.png with the system's viewer: ") && error.lines().count() == 1,
        "{error}"
    );
    assert!(place.path("y.png").exists());
}

#[test]
fn a_log_without_an_end_is_an_error_and_takes_little_memory() {
    let place = Place::new();
    place.log("1-1.jsonl", format!("{HEADER}{ROW}{{\"at\":8,\"model\":\"{}\"}}\n{ROW}", "x".repeat(1 << 20)));
    assert_snapshot!(place.failure(&["-check=calls>=1"]), @"error: line 3 of ratellmiter_logs/1-1.jsonl is longer than 1 MiB; rows of a log are shorter");
    assert_snapshot!(place.failure(&["-file=/dev/zero"]), @"error: cannot read the log /dev/zero: line 1 has no end: 256 MiB and no line break");
}

#[test]
fn a_picture_is_never_written_over_the_log_that_it_is_of() {
    let place = Place::new();
    let log = fs::read(sample("burst.jsonl")).unwrap();
    fs::write(place.path("b.png"), &log).unwrap();
    fs::write(place.path("c.jsonl"), &log).unwrap();
    fs::hard_link(place.path("c.jsonl"), place.path("d.svg")).unwrap();
    for (args, name) in [
        (&["-file=b.png", "-out=b.png"][..], "b.png"),
        (&["-file=c.jsonl", "-out=d.svg"], "d.svg"),
        (&["-file=b.png", "-compare=c.jsonl", "-out=d.svg"], "d.svg"),
    ] {
        let failure = place.failure(&[args, &["-model=gpt-4o"]].concat());
        assert_eq!(failure, format!("error: -out={name} is the log; give the picture another name\n"));
        assert_eq!(
            (fs::read(place.path("b.png")).unwrap(), fs::read(place.path("c.jsonl")).unwrap()),
            (log.clone(), log.clone())
        );
    }
}

/// The log of one of four that share 240 calls a minute and 8000 tokens: a second of it for each of `seconds`.
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
fn the_logs_of_processes_that_share_a_limiter_are_summed() {
    let place = Place::new();
    for (name, seconds, lost) in
        [("1-1", 0..31, 0..0), ("1-2", 0..31, 3..9), ("1-3", 0..31, 5..15), ("1-4", 0..20, 0..0)]
    {
        place.log(&format!("{name}.jsonl"), shared_log("team-a", seconds, lost));
    }
    let four = ["-file=1-1.jsonl", "-file=1-2.jsonl", "-file=1-3.jsonl", "-file=1-4.jsonl"];
    let with = |args: &[&'static str]| [&four, args].concat();
    let (code, text, notes) = place.run(&with(&["-summary"]));
    assert_eq!((code, notes.as_str()), (0, ""));
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13
          calls     124: 109 finished, 0 of them failed, 12 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      14.6 s mean, 27.0 s p99; the line was at most 120
          latency   0.8 s p99
          in flight 3.6 mean, 4 at most
          tokens    3390 reserved, 30 a call; 2260 used, 21 a call
          budget    8000 tokens a minute: taken to 23 % in the mean, to 41 % at most
          time      31 s; 240 a minute take at least 28.0 s
          processes 4, summed from 4 logs
          verdict   bound by the configured 240 a minute for 97 % of the time; refusals 0: the limit can be raised; for 12 s the server that the limiter is shared on was out of reach
        "#);
    // As a shell spreads `ratellmiter_logs/*.jsonl`.
    let spread = ["1-1", "1-2", "1-3", "1-4"].map(|name| format!("ratellmiter_logs/{name}.jsonl"));
    let spread: Vec<&str> = ["-summary", "-file"].into_iter().chain(spread.iter().map(String::as_str)).collect();
    assert_eq!(place.run(&spread).1, text);
    let (_, page, _) = place.run(&with(&["-summary=md"]));
    assert_snapshot!(page, @r#"
        ### rateLLMiter: 1-1.jsonl and 3 more

        | | m |
        | --- | --: |
        | calls | 124 |
        | finished | 109 |
        | failed | 0 |
        | given up | 12 |
        | refusals | 0 |
        | overloads | 0 |
        | refusals per call | 0.000 |
        | pauses | 0 |
        | paused | 0.0 s |
        | longest line | 120 |
        | mean wait | 14.6 s |
        | p99 wait | 27.0 s |
        | p99 latency | 0.8 s |
        | duration | 31.0 s |
        | mean in flight | 3.6 |
        | most in flight | 4 |
        | reserved tokens | 3390 |
        | used tokens | 2260 |
        | reserved tokens per call | 30.0 |
        | used tokens per call | 20.5 |
        | fullest budget, mean | 23 % |
        | fullest budget, peak | 41 % |
        | processes | 4 |
        | logs | 4 |
        | server out of reach | 12.0 s |

        **m**: bound by the configured 240 a minute for 97 % of the time; refusals 0: the limit can be raised; for 12 s the server that the limiter is shared on was out of reach.
        "#);
    let (_, json, _) = place.run(&with(&["-summary=json"]));
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["log"], "1-1.jsonl and 3 more");
    assert_eq!(value["models"][0]["processes"], json!({"logs": 4, "members": 4, "lost": 12}));
    let (code, _, stderr) = place.run(&with(&["-check=finished>=200,calls==124"]));
    assert_eq!(code, 3);
    assert_snapshot!(stderr, @r#"check failed: "m": finished>=200: it is 109, in 4 logs"#);
    // Pictures of it have names and titles of their own.
    assert_eq!(place.drawn(&with(&["-model=m", "-lines=rio"])).0, "1-1+3-m_rio.png");
    let (_, svg, _) = place.run(&with(&["-model=m", "-out=-", "-format=svg"]));
    assert!(svg.contains("Request Flow for m: 4 processes"), "{svg}");
    let (_, svg, _) = place.run(&with(&["-model=all", "-out=-", "-format=svg"]));
    assert!(svg.contains("Finished calls by model: 4 processes") && svg.contains("m: 109"), "{svg}");
    let (_, svg, _) =
        place.run(&["-file=1-1.jsonl", "-file=1-2.jsonl", "-file=1-3.jsonl", "-model=m", "-out=-", "-format=svg"]);
    assert!(svg.contains("Request Flow for m: 3 of 4 processes"), "{svg}");
    let (_, page, _) = place.run(&with(&["-out=-", "-format=html"]));
    assert!(page.contains("\"log\":\"1-1.jsonl and 3 more\""));
    assert_snapshot!(place.failure(&with(&["-model=x"])), @r#"error: no model "x" in ratellmiter_logs/1-1.jsonl and 3 more; it has "m": choose by -model=NAME, or -model=all"#);
    assert_snapshot!(place.failure(&with(&["-model=m", "-out=ratellmiter_logs/1-3.jsonl", "-format=png"])), @"error: -out=ratellmiter_logs/1-3.jsonl is the log; give the picture another name");
}

#[test]
fn one_log_of_several_that_share_says_so() {
    let place = Place::new();
    place.log("1-1.jsonl", shared_log("team-a", 0..31, 3..4));
    let (_, svg, _) = place.run(&["-model=m", "-out=-", "-format=svg"]);
    assert!(svg.contains("Request Flow for m: 1 of 4 processes"), "{svg}");
    let (_, text, _) = place.run(&["-summary"]);
    assert_snapshot!(text, @r#"
        m, from 2026-11-24 06:40:13
          calls     31: 30 finished, 0 of them failed, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      15.0 s mean, 27.0 s p99; the line was at most 30
          latency   0.8 s p99
          in flight 1.0 mean, 1 at most
          tokens    930 reserved, 30 a call; 620 used, 20 a call
          budget    8000 tokens a minute: taken to 6 % in the mean, to 12 % at most
          time      31 s; 240 a minute take at least 7.5 s
          processes 1 of 4; the limits are what all of them share
          verdict   bound by the configured 240 a minute for 97 % of the time; refusals 0: the limit can be raised; seen by 1 of the 4 processes that share it; for 1 s the server that the limiter is shared on was out of reach
        "#);
}

#[test]
fn logs_that_do_not_belong_together_are_not_summed() {
    let place = Place::new();
    place.log("a.jsonl", shared_log("team-a", 0..9, 0..0));
    place.log("b.jsonl", shared_log("team-b", 0..9, 0..0));
    place.log("c.jsonl", format!("{HEADER}{ROW}"));
    place.log("d.jsonl", ROW);
    place.log("python.jsonl", fs::read(sample("python-four-models.jsonl")).unwrap());
    fs::hard_link(place.path("ratellmiter_logs/a.jsonl"), place.path("same.jsonl")).unwrap();
    let failure = |files: &[&str]| place.failure(&[&["-summary", "-file"], files].concat());
    assert_snapshot!(failure(&["a.jsonl", "b.jsonl"]), @r#"error: ratellmiter_logs/a.jsonl is of the namespace "team-a", and ratellmiter_logs/b.jsonl of "team-b"; only logs of one namespace are summed"#);
    assert_snapshot!(failure(&["a.jsonl", "c.jsonl"]), @r#"error: ratellmiter_logs/c.jsonl has no namespace, and ratellmiter_logs/a.jsonl is of "team-a"; only logs of one namespace are summed"#);
    assert_snapshot!(failure(&["c.jsonl", "d.jsonl"]), @"error: ratellmiter_logs/c.jsonl has no namespace: its process shared no limiter; only logs of one namespace are summed, give it alone");
    assert_snapshot!(failure(&["a.jsonl", "same.jsonl"]), @"error: same.jsonl is given twice; each log is summed once");
    assert_snapshot!(failure(&["a.jsonl", "python.jsonl"]), @"error: ratellmiter_logs/python.jsonl is a log of the Python package, which shares no limiters; only logs of one namespace are summed");
    assert_snapshot!(failure(&["a.jsonl", "none.jsonl"]), @"error: cannot read the log none.jsonl: No such file or directory (os error 2)");
    place.log("e.jsonl", "hello\n");
    assert_snapshot!(failure(&["a.jsonl", "e.jsonl"]), @"error: ratellmiter_logs/e.jsonl is no log: line 1: expected value at line 1 column 1");
    let nothing = shared_log("team-a", 0..0, 0..0);
    place.log("f.jsonl", &nothing);
    place.log("g.jsonl", &nothing);
    assert_snapshot!(failure(&["f.jsonl", "g.jsonl"]), @"error: ratellmiter_logs/f.jsonl is empty: no model did anything in it");
    // A process that did nothing adds nothing, and is one of them.
    let (code, text, _) = place.run(&["-summary", "-file", "f.jsonl", "a.jsonl"]);
    assert!(
        code == 0 && text.contains("  processes 2 of 4, summed from 2 logs; the limits are what all of them share\n"),
        "{text}"
    );
}
