//! The command as a user runs it: a real process, real files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use insta::assert_snapshot;
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
    assert_snapshot!(place.failure(&[]), @"error: in the configuration ratellmiter.toml, line 1, column 1, key `log_dir`: unknown field `log_dir`, expected one of `default_rate_limit`, `log_directory`, `max_in_flight`, `attempts`, `burst`, `learn`, `enabled`, `ramp`, `models`");
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
    assert_snapshot!(place.failure(&[]), @r#"error: no model "default" in ratellmiter_logs/2-1.jsonl; it has "a\nb", "gpt-4o""#);
    assert_snapshot!(place.failure(&["-model=gpt"]), @r#"error: no model "gpt" in ratellmiter_logs/2-1.jsonl; it has "a\nb", "gpt-4o""#);
    assert_snapshot!(place.failure(&["-file=ratellmiter_logs"]), @"error: cannot read the log ratellmiter_logs: Is a directory (os error 21)");
}

#[test]
fn what_is_no_log_is_told_so() {
    let place = Place::new();
    place.log("1-1.jsonl", "hello\nworld\n");
    assert_snapshot!(place.failure(&[]), @"error: ratellmiter_logs/1-1.jsonl is no log: line 1: expected value at line 1 column 1");
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
    assert_snapshot!(note, @r#"note: ratellmiter_logs/1-1.jsonl has no model "default"; drawing its only one, "mistral/large""#);
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
        assert_eq!((code, stdout.as_str()), (2, ""));
        stderr.lines().next().unwrap().to_owned()
    };
    assert_snapshot!(wrong(&["-lines=rx"]), @"error: invalid value 'rx' for '--lines <LETTERS>': unknown letter 'x'; choose from r requested, i issued, e rate limited, f finished, o overflow");
    assert_snapshot!(wrong(&["-lines="]), @"error: invalid value '' for '--lines <LETTERS>': no letter; choose from r requested, i issued, e rate limited, f finished, o overflow");
    assert_snapshot!(wrong(&["-modle=x"]), @"error: unexpected argument '--modle' found");
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
    assert!(help.lines().count() <= 24);
    assert_snapshot!(help, @r"
    Draws what a rateLLMiter log says as a PNG, and prints its path

    Usage: ratellmiter [OPTIONS]

    Options:
          --model <NAME>     The model [default: default, or the only one there is]
          --file <LOG>       The log, ours or the Python package's [default: the newest that has data]
          --lines <LETTERS>  The lines: r requested, i issued, e rate limited, f finished, o overflow [default: riefo]
          --dir <DIR>        Where logs are [default: RATELLMITER_LOGS, the configuration, or ratellmiter_logs]
          --out <FILE>       The picture [default: <log>-<model>_<lines>.png in this directory]
      -h, --help             Print help
      -V, --version          Print version

    One dash will do: ratellmiter -model=gpt-4o -lines=ri
    Exit code: 0 drawn, 1 could not, 2 typed wrongly
    ");
    assert_eq!(place.run(&["-version"]).1, concat!("ratellmiter ", env!("CARGO_PKG_VERSION"), "\n"));
}
