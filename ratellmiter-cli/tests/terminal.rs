//! The command in a pseudo-terminal, whose screen is kept by a terminal emulator.
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
/// Time after which an expected event fails the test.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The emulator, and all bytes of the program.
struct Display {
    emulator: vt100::Parser,
    bytes: Vec<u8>,
}

/// A terminal with a running program.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    display: Arc<Mutex<Display>>,
}

impl Terminal {
    fn run(command: &[&str], variables: &[(&str, &str)], directory: &Path, columns: u16, rows: u16) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut builder = CommandBuilder::new(command[0]);
        builder.args(&command[1..]);
        CLEARED.iter().for_each(|variable| builder.env_remove(variable));
        builder.env("TERM", "xterm-256color");
        builder.env("XDG_CONFIG_HOME", directory.join("none"));
        variables.iter().for_each(|(name, value)| builder.env(name, value));
        builder.cwd(directory);
        let child = pty.slave.spawn_command(builder).unwrap();
        drop(pty.slave);
        let display = Arc::new(Mutex::new(Display {
            emulator: vt100::Parser::new(some(rows), some(columns), 0),
            bytes: Vec::new(),
        }));
        let (mut reader, shared) = (pty.master.try_clone_reader().unwrap(), Arc::clone(&display));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                let mut display = shared.lock().unwrap();
                display.emulator.process(&buffer[..read]);
                display.bytes.extend(&buffer[..read]);
            }
        });
        let keyboard = pty.master.take_writer().unwrap();
        Self { master: pty.master, keyboard, child, display }
    }

    fn screen(&self) -> String {
        self.display.lock().unwrap().emulator.screen().contents()
    }

    fn output(&self) -> String {
        String::from_utf8_lossy(&self.display.lock().unwrap().bytes).into_owned()
    }

    /// Waits until the screen contains all `texts`.
    fn shows(&self, texts: &[&str]) {
        self.until(&format!("{texts:?}"), |terminal| {
            let screen = terminal.screen();
            texts.iter().all(|text| screen.contains(text))
        });
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < TIMEOUT, "{what} did not appear:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.display.lock().unwrap().emulator.screen_mut().set_size(some(rows), some(columns));
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// Waits for the program to exit and returns its exit code.
    fn ends(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < TIMEOUT, "the program is still running:\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program still runs only if the test failed.
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
fn drawing_fits_the_terminal_and_has_colors() {
    let directory = tempfile::tempdir().unwrap();
    for (columns, rows) in [(40, 24), (80, 24), (132, 43)] {
        let command = [BINARY, "-file", &sample(), "-model=gpt-4o", "-format=term"];
        let mut terminal = Terminal::run(&command, &[("COLORTERM", "truecolor")], directory.path(), columns, rows);
        assert_eq!(terminal.ends(), 0);
        terminal.shows(&["Request Flow for gpt-4o", "requested", "Calls per second"]);
        let output = terminal.output();
        assert!(output.contains("38;2;238;149;16") && output.contains("48;2;"), "{output:?}");
        assert!(output.ends_with("\r\n"), "{output:?}");
        let display = terminal.display.lock().unwrap();
        // A row that is too long would wrap.
        assert!(
            (0..rows).all(|row| !display.emulator.screen().row_wrapped(row)),
            "{}",
            display.emulator.screen().contents()
        );
        assert!(
            display
                .emulator
                .screen()
                .contents()
                .lines()
                .any(|line| line.chars().count() > usize::from(columns) * 9 / 10)
        );
    }
}

#[test]
fn no_color_and_pipe_have_no_escapes() {
    let directory = tempfile::tempdir().unwrap();
    let sample = sample();
    let args = ["-file", &sample, "-model=gpt-4o", "-format=term"];
    let command: Vec<_> = [BINARY].into_iter().chain(args).collect();
    let mut terminal = Terminal::run(&command, &[("NO_COLOR", "1")], directory.path(), 80, 24);
    assert_eq!(terminal.ends(), 0);
    terminal.shows(&["ooo overflow, waiting", "rrr requested", "░░░"]);
    assert!(!terminal.output().contains('\x1b'), "{:?}", terminal.output());

    let mut piped = Command::new(BINARY);
    CLEARED.iter().for_each(|variable| {
        piped.env_remove(variable);
    });
    piped
        .env("XDG_CONFIG_HOME", directory.path().join("none"))
        .env("COLUMNS", "60")
        .env("COLORTERM", "truecolor")
        .args(args);
    let output = piped.current_dir(directory.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !text.contains('\x1b') && text.contains("rrr requested"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 60) && text.lines().any(|line| line.chars().count() > 54),
        "{text}"
    );
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
