//! The usage of daily budgets on a real disk: restarts, shared directories, and a killed process.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use ratellmiter_core::{Config, Limits, Monitor, monitor};

use crate::warnings::Warnings;

fn config(directory: &Path) -> Config {
    Config::new().log_directory(directory)
}

/// Returns limits of 1,000 requests a day and an unlimited number of tokens, so that both are counted.
fn per_day() -> Limits {
    Limits::per_minute(60_000).no_ramp().requests_per_day(1000).tokens_per_day(u64::MAX)
}

/// Returns the usage of the daily budgets: requests and tokens.
fn used(monitor: &Monitor, model: &str) -> Vec<u64> {
    let snapshot = monitor.limiter(model).snapshot();
    snapshot.budgets().map(|budget| budget.taken).collect()
}

fn make_calls(monitor: &Monitor, model: &str, count: usize) {
    for _ in 0..count {
        monitor.limiter(model).acquire_tokens(7, 3).wait().finish();
    }
}

fn day_files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().contains("days-")).collect()
}

#[test]
fn day_usage_survives_restarts() {
    let directory = tempfile::tempdir().unwrap();
    for run in 1..=3 {
        let before = [4 * (run - 1), 40 * (run - 1)];
        let monitor = Monitor::new();
        // One model gets its limits before the start, the other after it.
        monitor.set_limits("before", per_day());
        monitor.start(config(directory.path())).unwrap();
        assert_eq!(used(&monitor, "before"), before, "run {run}");
        assert_eq!(used(&monitor, "after"), [0; 0], "no limits yet");
        monitor.set_limits("after", per_day());
        assert_eq!(used(&monitor, "after"), before, "run {run}");
        for model in ["before", "after"] {
            make_calls(&monitor, model, 3);
        }
        // After a stop and a start in the same run, no call is counted twice, and make_calls between the two are counted.
        monitor.stop_blocking().unwrap();
        for model in ["before", "after"] {
            make_calls(&monitor, model, 1);
        }
        monitor.start(config(directory.path())).unwrap();
        for model in ["before", "after"] {
            assert_eq!(used(&monitor, model), [4 * run, 40 * run], "{model}, run {run}");
        }
        monitor.stop_blocking().unwrap();
        assert_eq!(day_files(directory.path()).len(), usize::try_from(run).unwrap());
    }
    let text: String = day_files(directory.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(text.len() < 1000, "only names, times and amounts: {text}");
}

#[test]
fn budget_set_on_limiter_restores_day_usage() {
    let directory = tempfile::tempdir().unwrap();
    for before in [[0, 0], [3, 30]] {
        let monitor = Monitor::new();
        monitor.start(config(directory.path())).unwrap();
        monitor.limiter("m").set_limits(per_day());
        let deadline = Instant::now() + Duration::from_secs(30);
        while used(&monitor, "m") != before && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(used(&monitor, "m"), before);
        make_calls(&monitor, "m", 3);
    }
}

#[test]
fn monitors_sharing_a_directory_add_up_usage() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other, third] = [(); 3].map(|()| Monitor::new());
    for monitor in [&one, &other, &third] {
        monitor.set_limits("m", per_day());
    }
    one.start(config(directory.path())).unwrap();
    other.start(config(directory.path())).unwrap();
    make_calls(&one, "m", 5);
    make_calls(&other, "m", 7);
    let deadline = Instant::now() + Duration::from_secs(30);
    while day_files(directory.path()).len() < 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    third.start(config(directory.path())).unwrap();
    assert_eq!(used(&third, "m"), [12, 120], "the usage of running monitors");
    make_calls(&third, "m", 1);
    one.stop_blocking().unwrap();
    one.start(config(directory.path())).unwrap();
    assert_eq!(used(&one, "m")[..1], [12], "the third monitor's usage is not written yet");
    for monitor in [one, other, third] {
        monitor.stop_blocking().unwrap();
    }
    let last = Monitor::new();
    last.set_limits("m", per_day());
    last.start(config(directory.path())).unwrap();
    assert_eq!(used(&last, "m"), [13, 130], "the usage of stopped monitors");
}

#[test]
fn day_usage_survives_a_kill() {
    const CHILD: &str = "RATELLMITER_TEST_DAYS";
    if let Some(directory) = env::var_os(CHILD) {
        monitor().set_limits("m", per_day());
        monitor().start(config(Path::new(&directory))).unwrap();
        make_calls(monitor(), "m", 9);
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "day_usage::day_usage_survives_a_kill"])
        .env(CHILD, directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Usage is written within a second, without a stop.
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_written = || {
        let texts = day_files(directory.path()).into_iter().filter_map(|path| fs::read_to_string(path).ok());
        texts.into_iter().any(|text| text.contains(",90]"))
    };
    while !is_written() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let monitor = Monitor::new();
    monitor.set_limits("m", per_day());
    monitor.start(config(directory.path())).unwrap();
    assert_eq!(used(&monitor, "m"), [9, 90]);
}

#[test]
fn unwritable_day_file_fails_no_call() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let monitor = Monitor::new();
    monitor.set_limits("m", per_day());
    monitor.start(config(&logs)).unwrap();
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "in the way").unwrap();
    make_calls(&monitor, "m", 2);
    thread::sleep(Duration::from_millis(1100));
    make_calls(&monitor, "m", 1);
    assert_eq!(used(&monitor, "m"), [3, 30]);
    fs::remove_file(&logs).unwrap();
    monitor.stop_blocking().unwrap();
    let next = Monitor::new();
    next.set_limits("m", per_day());
    next.start(config(&logs)).unwrap();
    assert_eq!(used(&next, "m"), [3, 30], "the write was retried");
}

#[test]
fn torn_day_file_warns_without_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let torn = directory.path().join("days-1-1-1.json");
    fs::write(&torn, "{\n\"sk-secret\":{\"requests_per_day\":[[1795502413,").unwrap();
    fs::write(directory.path().join("days-2-2-2.json"), format!("{{\"m\":{{\"requests_per_day\":[[{now},6]]}}}}"))
        .unwrap();
    let monitor = Monitor::new();
    monitor.set_limits("m", per_day());
    let warnings = Warnings::default();
    tracing::subscriber::with_default(warnings.clone(), || monitor.start(config(directory.path())).unwrap());
    assert_eq!(used(&monitor, "m"), [6, 0], "other files are still read");
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("days-1-1-1.json") && warned.contains("line=2"), "{warned}");
    assert!(!warned.contains("secret") && !warned.contains("1795502413"), "{warned}");
}
