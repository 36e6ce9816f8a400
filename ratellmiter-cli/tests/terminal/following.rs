//! `-follow`.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{BINARY, TIMEOUT, Terminal};

fn row(at: u64, model: &str, rest: &str) -> String {
    format!("{{\"at\":{},\"model\":\"{model}\",{rest}}}\n", 1_795_502_413 + at)
}

fn append(log: &Path, text: &str) {
    fs::OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A shell in a terminal that saves the modes of the terminal, runs `-follow` with `options`, prints the exit code and saves the
/// modes again.
struct Followed {
    directory: TempDir,
    terminal: Terminal,
}

impl Followed {
    fn start(options: &str, columns: u16, rows: u16) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let script = format!(
            "stty -a >before; '{BINARY}' -follow -dir=logs {options}; echo \"code $?\"; stty -a >after; read -r line"
        );
        let terminal = Terminal::run(&["sh", "-c", &script], &[], directory.path(), columns, rows);
        Self { directory, terminal }
    }

    fn logs(&self) -> PathBuf {
        let logs = self.directory.path().join("logs");
        fs::create_dir_all(&logs).unwrap();
        logs
    }

    /// Asserts that the command succeeded and restored the terminal.
    fn leaves(mut self) {
        self.terminal.shows(&["code 0"]);
        {
            let display = self.terminal.display.lock().unwrap();
            let screen = display.emulator.screen();
            assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", screen.contents());
            assert_eq!(screen.contents().trim(), "code 0", "no output remains");
        }
        self.terminal.keys("\n");
        self.terminal.ends();
        let modes = |name| fs::read_to_string(self.directory.path().join(name)).unwrap();
        assert_eq!(modes("before"), modes("after"));
        assert!(modes("before").contains(" icanon") && modes("before").contains(" echo "), "{}", modes("before"));
    }

    /// Returns the id of the following process, the child of the shell.
    fn process(&self) -> String {
        let shell = self.terminal.child.process_id().unwrap().to_string();
        let output = Command::new("pgrep").args(["-P", &shell]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

#[test]
fn run_is_followed_from_before_its_log_until_control_c() {
    let mut followed = Followed::start("", 80, 24);
    followed.terminal.shows(&["waiting for a log in logs"]);
    let log = followed.logs().join("100-1.jsonl");
    append(&log, "{\"format\":1,\"started\":7,\"library\":\"0.1.0\"}\n");
    followed.terminal.shows(&["waiting for the first row", "100-1.jsonl"]);
    append(
        &log,
        &row(0, "gpt-4o", r#""requested":120,"issued":1,"overflow":119,"rate":1.25,"limit":5.0,"in_flight":1"#),
    );
    followed.terminal.shows(&["1 gpt-4o", "119", "1.3 of 5", "Calls per second"]);
    // A row is shown when it is complete.
    let next = row(1, "gpt-4o", r#""rate_limited":1,"overflow":118,"rate":0.0,"paused_for":90.0,"time_left":3700.0"#);
    append(&log, &next[..40]);
    append(&log, &next[40..]);
    followed.terminal.shows(&["118", "1:", "1:01:", "refusals"]);
    append(&log, &row(1, "other", r#""requested":7,"overflow":7777,"rate":1.0"#));
    followed.terminal.shows(&["2 other", "tab next model"]);
    followed.terminal.keys("2");
    followed.terminal.shows(&["7777"]);
    followed.terminal.keys("\t");
    followed.terminal.shows(&["other: 0", "models"]);
    followed.terminal.keys("1");
    // The log is replaced.
    let new = followed.directory.path().join("new");
    fs::write(&new, row(0, "gpt-4o", r#""requested":5,"overflow":4321,"rate":1.0"#)).unwrap();
    fs::rename(&new, &log).unwrap();
    followed.terminal.shows(&["1 gpt-4o", "4321"]);
    followed.terminal.until("the removal of the other model", |terminal| !terminal.screen().contains("2 other"));
    // The program is restarted.
    append(&followed.logs().join("200-1.jsonl"), &row(9, "gpt-4o", r#""requested":6,"overflow":5432,"rate":1.0"#));
    followed.terminal.shows(&["200-1.jsonl", "5432"]);
    {
        let display = followed.terminal.display.lock().unwrap();
        assert!(display.emulator.screen().alternate_screen() && display.emulator.screen().hide_cursor());
    }
    followed.terminal.keys("\x03");
    followed.leaves();
}

#[test]
fn signal_ends_following_and_restores_the_terminal() {
    for signal in ["TERM", "HUP", "INT"] {
        let followed = Followed::start("-file=1-1.jsonl -model=gpt-4o", 80, 24);
        append(&followed.logs().join("1-1.jsonl"), &row(0, "m", r#""requested":1"#));
        followed.terminal.shows(&["waiting for the model \"gpt-4o\"; the log contains \"m\""]);
        assert!(Command::new("kill").args([format!("-{signal}"), followed.process()]).status().unwrap().success());
        followed.leaves();
    }
}

/// Pipes without a writer, devices without an end and terminals, as the followed log.
#[test]
fn log_that_never_answers_can_be_quit() {
    for (log, quit) in [
        ("pipe", "q"),
        ("pipe", "\x03"),
        ("pipe", "TERM"),
        ("/dev/zero", "q"),
        ("/dev/urandom", "TERM"),
        ("/dev/null", "\x03"),
        ("/dev/tty", "q"),
    ] {
        let mut followed = Followed::start(&format!("-file={log}"), 80, 24);
        assert!(Command::new("mkfifo").arg(followed.directory.path().join("pipe")).status().unwrap().success());
        followed.terminal.shows(&[log.rsplit('/').next().unwrap(), "waiting for the first row"]);
        if quit == "TERM" {
            assert!(Command::new("kill").args(["-TERM", &followed.process()]).status().unwrap().success());
        } else {
            followed.terminal.keys(quit);
        }
        followed.leaves();
    }
}

#[test]
fn pipe_is_followed_as_it_is_written() {
    let mut followed = Followed::start("-file=pipe -model=m", 80, 24);
    let pipe = followed.directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    followed.terminal.shows(&["waiting for the first row"]);
    for queued in [1234, 4321] {
        // Each writer closes the pipe.
        append(&pipe, &row(queued, "m", &format!("\"requested\":1,\"overflow\":{queued},\"rate\":1.0")));
        followed.terminal.shows(&["1 m", &queued.to_string()]);
    }
    followed.terminal.keys("q");
    followed.leaves();
}

#[test]
fn resized_terminal_is_redrawn() {
    let mut followed = Followed::start("-lines=r", 100, 30);
    append(&followed.logs().join("1-1.jsonl"), &row(0, "m", r#""requested":1"#));
    followed.terminal.shows(&["Time since 2026-"]);
    for (columns, rows) in [(60, 20), (140, 40), (20, 8), (100, 30)] {
        followed.terminal.resize(columns, rows);
        followed.terminal.until("the new size", |terminal| {
            let screen = terminal.screen();
            let mut lines = screen.lines();
            if columns < 40 {
                screen.contains("20 x 8 cells are")
            } else {
                lines.next().is_some_and(|line| line.len() == usize::from(columns) && line.ends_with("1-1.jsonl"))
            }
        });
    }
    followed.terminal.keys("q");
    followed.leaves();
}

#[test]
fn following_without_a_terminal_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        Command::new(BINARY).arg("-follow").stdin(Stdio::null()).current_dir(directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: -follow needs a terminal: stdin is not a terminal\n");
    assert!(output.stdout.is_empty());
}

/// Closes the terminal, as when a window is closed or a connection breaks.
#[cfg(target_os = "linux")]
#[test]
fn closed_terminal_ends_following() {
    let directory = tempfile::tempdir().unwrap();
    // `script` holds the other side of the terminal, so that killing it closes the terminal.
    let mut script = Command::new("script")
        .args(["-qfc", &format!("exec {BINARY} -follow -dir=logs"), "/dev/null"])
        .current_dir(directory.path())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The first output shows that the command is running.
    let mut drawn = [0; 64];
    assert!(script.stdout.as_mut().unwrap().read(&mut drawn).unwrap() > 0);
    let children = format!("/proc/{0}/task/{0}/children", script.id());
    let children = fs::read_to_string(children).unwrap();
    let process = Path::new("/proc").join(children.split_whitespace().next().unwrap());
    let is_running = || fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(is_running());
    thread::sleep(Duration::from_millis(300));
    script.kill().unwrap();
    script.wait().unwrap();
    let start = Instant::now();
    while is_running() {
        if start.elapsed() > TIMEOUT {
            let id = process.file_name().unwrap();
            Command::new("kill").arg("-9").arg(id).status().unwrap();
            panic!("the command is still running without a terminal");
        }
        thread::sleep(Duration::from_millis(20));
    }
}
