//! `-format=term`.

use std::{path::Path, process::Command};

use crate::{BINARY, CLEARED, Terminal};

fn sample() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../logs-sample/burst.jsonl").to_str().unwrap().to_owned()
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
