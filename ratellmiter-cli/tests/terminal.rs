//! The command in a real terminal: a pseudo-terminal, whose screen a terminal emulator keeps.
#![cfg(unix)]

use std::{
    fs,
    io::{Read as _, Write},
    num::NonZeroU16,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_ratellmiter");
const CLEARED: [&str; 10] = [
    "RATELLMITER",
    "RATELLMITER_LOGS",
    "RATELLMITER_CONFIG",
    "RATELLMITER_RATE_LIMIT",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "COLORTERM",
    "COLORFGBG",
    "TERM",
];
/// Whatever is waited for comes within that.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the emulator is told, and all that it was told.
struct Seen {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

/// A terminal in which a program runs.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
}

impl Terminal {
    fn run(command: &[&str], variables: &[(&str, &str)], place: &Path, columns: u16, rows: u16) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut builder = CommandBuilder::new(command[0]);
        builder.args(&command[1..]);
        CLEARED.iter().for_each(|variable| builder.env_remove(variable));
        builder.env("TERM", "xterm-256color");
        builder.env("XDG_CONFIG_HOME", place.join("none"));
        variables.iter().for_each(|(name, value)| builder.env(name, value));
        builder.cwd(place);
        let child = pty.slave.spawn_command(builder).unwrap();
        drop(pty.slave);
        let seen = Arc::new(Mutex::new(Seen {
            emulator: vt100::Parser::new(some(rows), some(columns), 0),
            bytes: Vec::new(),
        }));
        let (mut reader, told) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&seen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                let mut seen = told.lock().unwrap();
                seen.emulator.process(&buffer[..read]);
                seen.bytes.extend(&buffer[..read]);
            }
        });
        let keyboard = pty.master.take_writer().unwrap();
        Self { master: pty.master, keyboard, child, seen }
    }

    fn screen(&self) -> String {
        self.seen.lock().unwrap().emulator.screen().contents()
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap().bytes).into_owned()
    }

    /// Waits until all of these are on the screen.
    fn shows(&self, texts: &[&str]) {
        self.until(&format!("{texts:?}"), |terminal| {
            let screen = terminal.screen();
            texts.iter().all(|text| screen.contains(text))
        });
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.seen.lock().unwrap().emulator.screen_mut().set_size(some(rows), some(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Waits for the end; gives the exit code.
    fn ends(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < PATIENCE, "it goes on:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Only if the test failed before.
        let _ = self.child.kill();
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn some(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).unwrap()
}

fn sample() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample/burst.jsonl").to_str().unwrap().to_owned()
}

fn row(at: u64, model: &str, rest: &str) -> String {
    format!("{{\"at\":{},\"model\":\"{model}\",{rest}}}\n", 1_795_502_413 + at)
}

fn append(log: &Path, text: &str) {
    fs::OpenOptions::new().create(true).append(true).open(log).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A shell in a terminal that notes the terminal's modes, follows with `options`, notes them again, and tells the exit code.
struct Followed {
    place: TempDir,
    terminal: Terminal,
}

impl Followed {
    fn start(options: &str, columns: u16, rows: u16) -> Self {
        let place = tempfile::tempdir().unwrap();
        let script = format!(
            "stty -a >before; '{BINARY}' -follow -dir=logs {options}; echo \"code $?\"; stty -a >after; read -r line"
        );
        let terminal = Terminal::run(&["sh", "-c", &script], &[], place.path(), columns, rows);
        Self { place, terminal }
    }

    fn logs(&self) -> PathBuf {
        let logs = self.place.path().join("logs");
        fs::create_dir_all(&logs).unwrap();
        logs
    }

    /// It ended well, and the terminal is as it was.
    fn leaves(mut self) {
        self.terminal.shows(&["code 0"]);
        {
            let seen = self.terminal.seen.lock().unwrap();
            let screen = seen.emulator.screen();
            assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{}", screen.contents());
            assert_eq!(screen.contents().trim(), "code 0", "nothing is left behind");
        }
        self.terminal.keys("\n");
        self.terminal.ends();
        let modes = |name| fs::read_to_string(self.place.path().join(name)).unwrap();
        assert_eq!(modes("before"), modes("after"));
        assert!(modes("before").contains(" icanon") && modes("before").contains(" echo "), "{}", modes("before"));
    }

    /// The process that follows: the shell's child.
    fn process(&self) -> String {
        let shell = self.terminal.child.process_id().unwrap().to_string();
        let output = Command::new("pgrep").args(["-P", &shell]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

#[test]
fn a_drawing_fits_the_terminal_and_has_colors() {
    let place = tempfile::tempdir().unwrap();
    for (columns, rows) in [(40, 24), (80, 24), (132, 43)] {
        let command = [BINARY, "-file", &sample(), "-model=gpt-4o", "-format=term"];
        let mut terminal = Terminal::run(&command, &[("COLORTERM", "truecolor")], place.path(), columns, rows);
        assert_eq!(terminal.ends(), 0);
        terminal.shows(&["Request Flow for gpt-4o", "requested", "Offset in seconds"]);
        let output = terminal.output();
        assert!(output.contains("38;2;255;166;43") && output.contains("48;2;"), "{output:?}");
        assert!(output.ends_with("\r\n"), "{output:?}");
        let seen = terminal.seen.lock().unwrap();
        // A row that was too long would have gone on in the next.
        assert!((0..rows).all(|row| !seen.emulator.screen().row_wrapped(row)), "{}", seen.emulator.screen().contents());
        assert!(
            seen.emulator.screen().contents().lines().any(|line| line.chars().count() > usize::from(columns) * 9 / 10)
        );
    }
}

#[test]
fn no_color_means_no_escape_and_so_does_a_pipe() {
    let place = tempfile::tempdir().unwrap();
    let sample = sample();
    let args = ["-file", &sample, "-model=gpt-4o", "-format=term"];
    let command: Vec<_> = [BINARY].into_iter().chain(args).collect();
    let mut terminal = Terminal::run(&command, &[("NO_COLOR", "1")], place.path(), 80, 24);
    assert_eq!(terminal.ends(), 0);
    terminal.shows(&["ooo overflow, waiting", "rrr requested", "░░░"]);
    assert!(!terminal.output().contains('\x1b'), "{:?}", terminal.output());

    let mut piped = Command::new(BINARY);
    CLEARED.iter().for_each(|variable| {
        piped.env_remove(variable);
    });
    piped
        .env("XDG_CONFIG_HOME", place.path().join("none"))
        .env("COLUMNS", "60")
        .env("COLORTERM", "truecolor")
        .args(args);
    let output = piped.current_dir(place.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains('\x1b') && text.contains("rrr requested"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 60) && text.lines().any(|line| line.chars().count() > 54),
        "{text}"
    );
}

#[test]
fn a_run_is_followed_from_before_its_log_is_there_until_control_c() {
    let mut followed = Followed::start("", 80, 24);
    followed.terminal.shows(&["waiting for a log in logs"]);
    let log = followed.logs().join("100-1.jsonl");
    append(&log, "{\"format\":1,\"started\":7,\"library\":\"0.1.0\"}\n");
    followed.terminal.shows(&["waiting for its first row", "100-1.jsonl"]);
    append(
        &log,
        &row(0, "gpt-4o", r#""requested":120,"issued":1,"overflow":119,"rate":1.25,"limit":5.0,"in_flight":1"#),
    );
    followed.terminal.shows(&["1 gpt-4o", "119", "1.3 of 5", "Number of requests"]);
    // Half a row is not shown before its other half is there.
    let next = row(1, "gpt-4o", r#""rate_limited":1,"overflow":118,"rate":0.0,"paused_for":90.0,"time_left":3700.0"#);
    append(&log, &next[..40]);
    append(&log, &next[40..]);
    followed.terminal.shows(&["118", "1m", "1h01m", "refusals"]);
    append(&log, &row(1, "other", r#""requested":7,"overflow":7777,"rate":1.0"#));
    followed.terminal.shows(&["2 other", "tab next model"]);
    followed.terminal.keys("2");
    followed.terminal.shows(&["7777"]);
    followed.terminal.keys("\t");
    followed.terminal.shows(&["other: 0", "models"]);
    followed.terminal.keys("1");
    // Another log takes the place of this one.
    let new = followed.place.path().join("new");
    fs::write(&new, row(0, "gpt-4o", r#""requested":5,"overflow":4321,"rate":1.0"#)).unwrap();
    fs::rename(&new, &log).unwrap();
    followed.terminal.shows(&["1 gpt-4o", "4321"]);
    followed.terminal.until("the other model's end", |terminal| !terminal.screen().contains("2 other"));
    // The program was started again.
    append(&followed.logs().join("200-1.jsonl"), &row(9, "gpt-4o", r#""requested":6,"overflow":5432,"rate":1.0"#));
    followed.terminal.shows(&["200-1.jsonl", "5432"]);
    {
        let seen = followed.terminal.seen.lock().unwrap();
        assert!(seen.emulator.screen().alternate_screen() && seen.emulator.screen().hide_cursor());
    }
    followed.terminal.keys("\x03");
    followed.leaves();
}

#[test]
fn a_signal_ends_it_and_leaves_the_terminal_as_it_was() {
    for signal in ["TERM", "HUP", "INT"] {
        let followed = Followed::start("-file=1-1.jsonl -model=gpt-4o", 80, 24);
        append(&followed.logs().join("1-1.jsonl"), &row(0, "m", r#""requested":1"#));
        followed.terminal.shows(&["waiting for the model \"gpt-4o\"; there is \"m\""]);
        assert!(Command::new("kill").args([format!("-{signal}"), followed.process()]).status().unwrap().success());
        followed.leaves();
    }
}

#[test]
fn another_size_is_drawn_anew() {
    let mut followed = Followed::start("-lines=r", 100, 30);
    append(&followed.logs().join("1-1.jsonl"), &row(0, "m", r#""requested":1"#));
    followed.terminal.shows(&["Offset in seconds"]);
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
fn without_a_terminal_there_is_one_line() {
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(BINARY).arg("-follow").stdin(Stdio::null()).current_dir(place.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: -follow needs a terminal: stdin is none\n");
    assert!(output.stdout.is_empty());
}

/// The terminal of a session whose window was closed, or whose connection broke.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_goes_away_ends_it() {
    let place = tempfile::tempdir().unwrap();
    // It has the terminal's other side, so that killing it closes the terminal.
    let mut script = Command::new("script")
        .args(["-qfc", &format!("exec {BINARY} -follow -dir=logs"), "/dev/null"])
        .current_dir(place.path())
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has begun when it draws.
    let mut drawn = [0; 64];
    assert!(script.stdout.as_mut().unwrap().read(&mut drawn).unwrap() > 0);
    let children = format!("/proc/{0}/task/{0}/children", script.id());
    let children = fs::read_to_string(children).unwrap();
    let process = Path::new("/proc").join(children.split_whitespace().next().unwrap());
    let runs = || fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    assert!(runs());
    thread::sleep(Duration::from_millis(300));
    script.kill().unwrap();
    script.wait().unwrap();
    let start = Instant::now();
    while runs() {
        if start.elapsed() > PATIENCE {
            let id = process.file_name().unwrap();
            Command::new("kill").arg("-9").arg(id).status().unwrap();
            panic!("it goes on without a terminal");
        }
        thread::sleep(Duration::from_millis(20));
    }
}
