//! A log directory that is removed, replaced or shortened while a monitor writes it, and old logs in it.

use std::{
    fs::{self, File},
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use ratellmiter_core::{
    Config, Limits, Monitor,
    log::{KeepLogs, LogLine},
};

use crate::{is_alone, warnings::Warnings};

/// Waits for `condition`, for at most ten seconds.
fn wait_until(text: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "{text}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns the number of calls in the rows of a log. Each line is a header or a row, except for `torn` lines.
fn calls(log: &Path, torn: usize) -> u64 {
    let text = fs::read_to_string(log).unwrap();
    assert_eq!(text.lines().filter(|line| LogLine::parse(line).is_err()).count(), torn, "{text}");
    let rows = text.lines().filter_map(|line| match LogLine::parse(line) {
        Ok(LogLine::Row(row)) => Some(row.finished),
        _ => None,
    });
    rows.sum()
}

#[test]
fn calls_and_log_survive_a_directory_that_changes() {
    if !is_alone("log_faults::calls_and_log_survive_a_directory_that_changes") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("logs");
    let monitor = Monitor::new();
    monitor.set_limits("m", Limits::per_minute(60_000).no_ramp());
    let log = monitor.start(Config::new().log_directory(&directory)).unwrap();
    let call = || monitor.limiter("m").blocking_acquire().finish();
    let size = || fs::metadata(&log).map_or(0, |data| data.len());

    call();
    wait_until("the first row", || calls(&log, 0) == 1);
    fs::remove_dir_all(&directory).unwrap();
    call();
    wait_until("a row after the directory was removed", || log.exists() && calls(&log, 0) == 1);

    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "no directory").unwrap();
    call();
    wait_until("a warning", || warnings.said().contains("cannot write the log"));
    call();
    thread::sleep(Duration::from_millis(1100));
    fs::remove_file(&directory).unwrap();
    wait_until("the rows of the time without a directory", || log.exists() && calls(&log, 0) == 2);
    let said = warnings.said();
    assert_eq!(
        [said.matches("cannot write the log").count(), said.matches("is written again").count()],
        [1, 1],
        "{said}"
    );

    let before = size();
    File::options().write(true).open(&log).unwrap().set_len(before - 5).unwrap();
    call();
    wait_until("a row behind the one that was cut", || size() > before);
    monitor.stop_blocking().unwrap();
    assert_eq!(calls(&log, 1), 2, "one of the two rows before, and the one behind it");
}

#[test]
fn old_logs_are_removed_when_a_monitor_starts() {
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("1-2.jsonl");
    let monitor = Monitor::new();
    let config = || Config::new().log_directory(directory.path());
    fs::write(&old, "").unwrap();
    let last_month = SystemTime::now() - Duration::from_hours(31 * 24);
    File::options().append(true).open(&old).unwrap().set_modified(last_month).unwrap();

    monitor.start(config().keep_logs(KeepLogs::All)).unwrap();
    monitor.stop_blocking().unwrap();
    assert!(old.exists());
    let log = monitor.start(config()).unwrap();
    wait_until("the removal of the old log", || !old.exists());
    monitor.stop_blocking().unwrap();
    assert!(log.exists());
}
