//! The command in a pseudo-terminal, whose screen is kept by a terminal emulator.
#![cfg(unix)]

mod drawing;
mod following;

use std::{
    io::{Read as _, Write},
    num::NonZeroU16,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

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
