//! Starting and stopping a monitor, its log on a real disk, and a killed process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{
    Config, Limits, Monitor, StartError,
    log::{LogLine, Row},
    monitor,
};

use crate::warnings::Warnings;

fn config(directory: &Path) -> Config {
    Config::new().log_directory(directory)
}

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls).no_ramp()
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let lines = text.lines().filter_map(|line| LogLine::parse(line).ok());
    lines.filter_map(|line| if let LogLine::Row(row) = line { Some(row) } else { None }).collect()
}

#[tokio::test]
async fn second_start_fails_and_second_stop_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    assert_eq!(monitor.stop().await.unwrap(), None);
    let log = monitor.start(config(directory.path())).unwrap();
    let error = monitor.start(config(directory.path())).unwrap_err();
    assert!(matches!(&error, StartError::AlreadyStarted { path } if *path == log));
    assert!(error.to_string().starts_with("the monitor has been started already"), "{error}");
    assert_eq!(monitor.stop().await.unwrap(), Some(log.clone()));
    assert_eq!(monitor.stop().await.unwrap(), None);
    let second = monitor.start(config(directory.path())).unwrap();
    assert_ne!(second, log, "each start creates a log");
    assert_eq!(monitor.stop_blocking().unwrap(), Some(second));
}

#[tokio::test]
async fn log_covers_start_to_stop_only() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    let limiter = monitor.limiter("gpt-4o");
    assert_eq!(limiter.limits().rate_limit(), 300, "before the start");
    monitor.set_limits("gpt-4o", per_minute(6000));
    limiter.acquire().await.finish();
    let log = monitor.start(config(directory.path())).unwrap();
    for _ in 0..4 {
        limiter.acquire().await.finish();
    }
    let refused = limiter.acquire().await.requeue_after(Some(Duration::from_millis(20)));
    refused.await.finish();
    monitor.limiter("a/b \"🦀\"\n").acquire().await.finish();
    drop(limiter.acquire().await);
    monitor.stop().await.unwrap();
    limiter.acquire().await.finish();
    let text = fs::read_to_string(log).unwrap();
    let rows = rows(&text);
    let sum =
        |model: &str, field: fn(&Row<'_>) -> u64| rows.iter().filter(|row| row.model == model).map(field).sum::<u64>();
    assert_eq!(sum("gpt-4o", |row| row.requested), 6);
    assert_eq!(sum("gpt-4o", |row| row.issued), 7);
    assert_eq!(sum("gpt-4o", |row| row.rate_limited), 1);
    assert_eq!(sum("gpt-4o", |row| row.finished), 5);
    assert_eq!(sum("a/b \"🦀\"\n", |row| row.finished), 1);
    assert_eq!(text.lines().count(), rows.len() + 1, "one header, then rows");
}

#[tokio::test]
async fn adapted_rate_is_logged_and_restored() {
    let directory = tempfile::tempdir().unwrap();
    let first = Monitor::new();
    first.set_limits("m", per_minute(1200));
    let log = first.start(config(directory.path())).unwrap();
    let limiter = first.limiter("m");
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1300) {
        limiter.acquire().await.finish();
    }
    let refused = limiter.acquire().await.requeue_after(Some(Duration::from_millis(10)));
    let adapted = limiter.snapshot().adapted_rate_per_second.unwrap();
    assert!((10.0..19.0).contains(&adapted), "0.85 of nearly 20 a second: {adapted}");
    drop(refused);
    first.stop().await.unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert!(rows(&text).iter().any(|row| row.learned_rate.is_some_and(|rate| (rate - adapted).abs() < 1e-6)), "{text}");

    let second = Monitor::new();
    second.set_limits("m", per_minute(1200));
    second.set_limits("other", per_minute(1200));
    assert_eq!(second.limiter("m").snapshot().adapted_rate_per_second, None, "before the start");
    second.start(config(directory.path())).unwrap();
    let restored = second.limiter("m").snapshot().adapted_rate_per_second.unwrap();
    assert!((restored - adapted).abs() < 0.1, "{restored}, not {adapted}");
    assert_eq!(second.limiter("other").snapshot().adapted_rate_per_second, None);
    second.set_limits("m", per_minute(1200).adaptive(false));
    assert_eq!(second.limiter("m").snapshot().adapted_rate_per_second, None, "adaptation is disabled");
    second.stop().await.unwrap();
}

#[test]
fn rows_of_waiting_calls_survive_a_kill() {
    const CHILD: &str = "RATELLMITER_TEST_CHILD";
    if let Some(directory) = env::var_os(CHILD) {
        // The process to be killed: one call is in flight and two more stay queued.
        let log = monitor().start(config(Path::new(&directory))).unwrap();
        monitor().set_limits("m", per_minute(60_000).max_in_flight(1));
        let _ticket = monitor().limiter("m").blocking_acquire();
        for _ in 0..2 {
            thread::spawn(|| drop(monitor().limiter("m").blocking_acquire()));
        }
        println!("{}", log.display());
        std::io::stdout().flush().unwrap();
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "monitor::rows_of_waiting_calls_survive_a_kill", "--nocapture"])
        .env(CHILD, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let log: PathBuf = lines.find_map(|line| line.ok().filter(|line| line.contains(".jsonl"))).unwrap().into();
    // The test harness may print the test's name before the path, on the same line.
    let log = PathBuf::from(log.to_str().unwrap().rsplit(' ').next().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    let rows_while_waiting = loop {
        let text = fs::read_to_string(&log).unwrap();
        let count = rows(&text).iter().filter(|row| row.overflow == 2 && row.in_flight == 1).count();
        if count >= 2 || Instant::now() > deadline {
            break count;
        }
        thread::sleep(Duration::from_millis(50));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(rows_while_waiting >= 2, "a row is written each second while calls wait");
    let text = fs::read_to_string(&log).unwrap();
    let rows = rows(&text);
    assert_eq!(rows[0].requested + rows.get(1).map_or(0, |row| row.requested), 3);
    assert!(text.ends_with('\n') && text.lines().count() == rows.len() + 1, "only complete lines");
}

#[tokio::test]
async fn removed_log_directory_is_recreated() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    monitor.set_limits("m", per_minute(60_000));
    let log = monitor.start(config(&directory.path().join("logs"))).unwrap();
    fs::remove_dir_all(directory.path().join("logs")).unwrap();
    for _ in 0..5 {
        monitor.limiter("m").acquire().await.finish();
    }
    monitor.stop().await.unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert_eq!(rows(&text).iter().map(|row| row.finished).sum::<u64>(), 5);
}

#[tokio::test]
async fn unwritable_log_fails_stop_but_no_call() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    monitor.set_limits("m", per_minute(60_000));
    monitor.start(config(&directory.path().join("logs"))).unwrap();
    fs::remove_dir_all(directory.path().join("logs")).unwrap();
    fs::write(directory.path().join("logs"), "in the way").unwrap();
    monitor.limiter("m").acquire().await.finish();
    let error = monitor.stop().await.unwrap_err().to_string();
    assert!(error.starts_with("the last rows of the log ") && error.lines().count() == 1, "{error}");
    monitor.limiter("m").acquire().await.finish();
    assert_eq!(monitor.stop().await.unwrap(), None);
}

#[test]
fn failed_start_leaves_limits_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let monitor = Monitor::new();
    let limiter = monitor.limiter("m");
    let error = monitor.start(config(&file).default_rate_limit(9)).unwrap_err();
    assert!(error.to_string().starts_with("cannot write a log into "), "{error}");
    assert_eq!(limiter.limits(), Limits::per_minute(300));
    monitor.start(config(directory.path())).unwrap();
}

#[test]
fn limits_from_code_override_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let monitor = Monitor::new();
    let (by_default, by_code) = (monitor.limiter("default"), monitor.limiter("code"));
    monitor.set_limits("code", per_minute(77));
    monitor.start(config(directory.path()).default_rate_limit(90)).unwrap();
    assert_eq!(by_default.limits().rate_limit(), 90);
    assert_eq!(by_code.limits().rate_limit(), 77);
    assert_eq!(monitor.limiter("later").limits().rate_limit(), 90);
    let names: Vec<_> = monitor.snapshot().into_keys().collect();
    assert_eq!(names, ["code", "default", "later"]);
}

#[test]
fn config_file_and_environment_override_limits() {
    const CHILD: &str = "RATELLMITER_TEST_OPERATOR";
    let name = "monitor::config_file_and_environment_override_limits";
    if env::var_os(CHILD).is_some() {
        if env::var_os("RATELLMITER").is_some_and(|value| value == "of") {
            let warnings = Warnings::default();
            tracing::subscriber::with_default(warnings.clone(), || drop((monitor().limiter("m"), Monitor::new())));
            println!("\nlimits {}{}", warnings.said(), monitor().start(Config::new()).unwrap_err());
            return;
        }
        if env::var_os("RATELLMITER").is_some() {
            assert!(!monitor().limiter("before").limits().is_enabled());
        }
        monitor().start(Config::new()).unwrap();
        let limits = monitor().limiter("gpt-4o").limits();
        let other = monitor().limiter("other").limits();
        println!("\nlimits {} {} {}", limits.rate_limit(), other.rate_limit(), other.is_enabled());
        monitor().stop_blocking().unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("ratellmiter.toml"),
        "default_rate_limit = 40\nlog_directory = \"mine\"\n[models.\"gpt-4o\"]\nrequests_per_minute = 500\n",
    )
    .unwrap();
    let limits_with = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env::current_exe().unwrap());
        for variable in ["RATELLMITER", "RATELLMITER_LOGS", "RATELLMITER_RATE_LIMIT", "RATELLMITER_CONFIG"] {
            command.env_remove(variable);
        }
        let output = command
            .args(["--exact", name, "--nocapture"])
            .current_dir(directory.path())
            .env(CHILD, "1")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.starts_with("limits ")).unwrap_or(&text).to_owned()
    };
    assert_eq!(limits_with(&[]), "limits 500 40 true");
    assert_eq!(fs::read_dir(directory.path().join("mine")).unwrap().count(), 1);
    assert_eq!(limits_with(&[("RATELLMITER_RATE_LIMIT", "80"), ("RATELLMITER_LOGS", "yours")]), "limits 500 80 true");
    assert_eq!(fs::read_dir(directory.path().join("yours")).unwrap().count(), 1);
    assert_eq!(limits_with(&[("RATELLMITER", "OFF")]), "limits 500 40 false");
    let warned = limits_with(&[("RATELLMITER", "of")]);
    assert!(warned.contains(r#"RATELLMITER is "of"; allowed is "on" or "off""#), "{warned}");
}

#[test]
fn budget_uncounted_by_provider_warns_once() {
    let monitor = Monitor::new();
    let warnings = Warnings::default();
    let limits = Limits::for_provider(ratellmiter_core::Provider::Gemini).output_tokens_per_minute(8000);
    tracing::subscriber::with_default(warnings.clone(), || {
        for _ in 0..3 {
            monitor.set_limits("gemini-2.5-pro", limits);
        }
        monitor.set_limits("other", per_minute(60_000).requests_per_day(1000).tokens_per_day(u64::MAX));
    });
    let warned = warnings.said();
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert!(warned.contains("gemini-2.5-pro") && warned.contains("output_tokens_per_minute has no effect"), "{warned}");
}
