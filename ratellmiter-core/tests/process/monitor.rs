//! Start, stop, the log on a real disk, a real process killed.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
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
async fn starting_twice_is_an_error_and_stopping_twice_is_not() {
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
    assert_ne!(second, log, "each start has a log of its own");
    assert_eq!(monitor.stop_blocking().unwrap(), Some(second));
}

#[tokio::test]
async fn the_log_says_what_happened_between_start_and_stop_and_nothing_else() {
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
    assert_eq!(text.lines().count(), rows.len() + 1, "a header, and rows");
}

#[tokio::test]
async fn what_was_learned_is_logged_and_is_where_the_next_start_begins() {
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
    let learned = limiter.snapshot().adapted_rate_per_second.unwrap();
    assert!((10.0..19.0).contains(&learned), "0.85 of nearly 20 a second: {learned}");
    drop(refused);
    first.stop().await.unwrap();
    let text = fs::read_to_string(log).unwrap();
    assert!(rows(&text).iter().any(|row| row.learned_rate.is_some_and(|rate| (rate - learned).abs() < 1e-6)), "{text}");

    let second = Monitor::new();
    second.set_limits("m", per_minute(1200));
    second.set_limits("other", per_minute(1200));
    assert_eq!(second.limiter("m").snapshot().adapted_rate_per_second, None, "before the start");
    second.start(config(directory.path())).unwrap();
    let again = second.limiter("m").snapshot().adapted_rate_per_second.unwrap();
    assert!((again - learned).abs() < 0.1, "{again}, not {learned}");
    assert_eq!(second.limiter("other").snapshot().adapted_rate_per_second, None);
    second.set_limits("m", per_minute(1200).adaptive(false));
    assert_eq!(second.limiter("m").snapshot().adapted_rate_per_second, None, "switched off");
    second.stop().await.unwrap();
}

#[test]
fn seconds_are_written_while_calls_wait_and_survive_a_kill() {
    const CHILD: &str = "RATELLMITER_TEST_CHILD";
    if let Some(directory) = env::var_os(CHILD) {
        // The process that is killed: one call out at once, two more in the line for ever.
        let log = monitor().start(config(Path::new(&directory))).unwrap();
        monitor().set_limits("m", per_minute(60_000).max_in_flight(1));
        let _held = monitor().limiter("m").blocking_acquire();
        (0..2).for_each(|_| _ = thread::spawn(|| drop(monitor().limiter("m").blocking_acquire())));
        println!("{}", log.display());
        std::io::stdout().flush().unwrap();
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "monitor::seconds_are_written_while_calls_wait_and_survive_a_kill", "--nocapture"])
        .env(CHILD, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let log: PathBuf = lines.find_map(|line| line.ok().filter(|line| line.contains(".jsonl"))).unwrap().into();
    // Libtest may print its own words before ours on the line.
    let log = PathBuf::from(log.to_str().unwrap().rsplit(' ').next().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    let waited = loop {
        let text = fs::read_to_string(&log).unwrap();
        let waited = rows(&text).iter().filter(|row| row.overflow == 2 && row.in_flight == 1).count();
        if waited >= 2 || Instant::now() > deadline {
            break waited;
        }
        thread::sleep(Duration::from_millis(50));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(waited >= 2, "rows come by the second, though nothing happens");
    let text = fs::read_to_string(&log).unwrap();
    let rows = rows(&text);
    assert_eq!(rows[0].requested + rows.get(1).map_or(0, |row| row.requested), 3);
    assert!(text.ends_with('\n') && text.lines().count() == rows.len() + 1, "whole lines");
}

#[tokio::test]
async fn a_log_directory_that_vanishes_breaks_no_call_and_comes_back() {
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
async fn a_log_that_cannot_be_written_breaks_no_call_and_stop_says_so() {
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
fn a_directory_that_cannot_be_made_is_told_at_the_start_and_nothing_has_changed() {
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
fn limits_follow_the_start_and_the_code() {
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
fn an_operator_retunes_and_switches_off_without_a_rebuild() {
    const CHILD: &str = "RATELLMITER_TEST_OPERATOR";
    let name = "monitor::an_operator_retunes_and_switches_off_without_a_rebuild";
    if env::var_os(CHILD).is_some() {
        if env::var_os("RATELLMITER").is_some() {
            assert!(!monitor().limiter("before").limits().is_enabled());
        }
        monitor().start(Config::new()).unwrap();
        let limits = monitor().limiter("gpt-4o").limits();
        let other = monitor().limiter("other").limits();
        println!("\nsays {} {} {}", limits.rate_limit(), other.rate_limit(), other.is_enabled());
        monitor().stop_blocking().unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("ratellmiter.toml"),
        "default_rate_limit = 40\nlog_directory = \"mine\"\n[models.\"gpt-4o\"]\nrequests_per_minute = 500\n",
    )
    .unwrap();
    let says = |variables: &[(&str, &str)]| {
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
        text.lines().find(|line| line.starts_with("says")).unwrap_or(&text).to_owned()
    };
    assert_eq!(says(&[]), "says 500 40 true");
    assert_eq!(fs::read_dir(directory.path().join("mine")).unwrap().count(), 1);
    assert_eq!(says(&[("RATELLMITER_RATE_LIMIT", "80"), ("RATELLMITER_LOGS", "yours")]), "says 500 80 true");
    assert_eq!(fs::read_dir(directory.path().join("yours")).unwrap().count(), 1);
    assert_eq!(says(&[("RATELLMITER", "off")]), "says 500 40 false");
}

/// A thousand calls a day, and as many tokens as one likes.
fn per_day() -> Limits {
    per_minute(60_000).requests_per_day(1000).tokens_per_day(u64::MAX)
}

/// What the budgets of days have taken: requests and tokens.
fn taken(monitor: &Monitor, model: &str) -> Vec<u64> {
    let snapshot = monitor.limiter(model).snapshot();
    snapshot.budgets().map(|budget| budget.taken).collect()
}

fn calls(monitor: &Monitor, model: &str, count: usize) {
    (0..count).for_each(|_| monitor.limiter(model).acquire_tokens(7, 3).wait().finish());
}

fn journals(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().contains("days-")).collect()
}

#[test]
fn what_was_taken_of_a_day_survives_restarts() {
    let directory = tempfile::tempdir().unwrap();
    for run in 1..=3 {
        let before = [4 * (run - 1), 40 * (run - 1)];
        let monitor = Monitor::new();
        // One has its limits before the start, one is made and told later.
        monitor.set_limits("before", per_day());
        monitor.start(config(directory.path())).unwrap();
        assert_eq!(taken(&monitor, "before"), before, "run {run}");
        assert_eq!(taken(&monitor, "after"), [0; 0], "it has no limits yet");
        monitor.set_limits("after", per_day());
        assert_eq!(taken(&monitor, "after"), before, "run {run}");
        for model in ["before", "after"] {
            calls(&monitor, model, 3);
        }
        // A stop and a start in the same run count nothing twice, and lose nothing that goes between them.
        monitor.stop_blocking().unwrap();
        for model in ["before", "after"] {
            calls(&monitor, model, 1);
        }
        monitor.start(config(directory.path())).unwrap();
        for model in ["before", "after"] {
            assert_eq!(taken(&monitor, model), [4 * run, 40 * run], "{model}, run {run}");
        }
        monitor.stop_blocking().unwrap();
        assert_eq!(journals(directory.path()).len(), usize::try_from(run).unwrap());
    }
    let text: String = journals(directory.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(text.len() < 1000, "names, times and amounts: {text}");
}

#[test]
fn a_budget_that_a_limiter_is_given_by_itself_begins_with_what_was_taken() {
    let directory = tempfile::tempdir().unwrap();
    for before in [[0, 0], [3, 30]] {
        let monitor = Monitor::new();
        monitor.start(config(directory.path())).unwrap();
        monitor.limiter("m").set_limits(per_day());
        let deadline = Instant::now() + Duration::from_secs(30);
        while taken(&monitor, "m") != before && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(taken(&monitor, "m"), before);
        calls(&monitor, "m", 3);
    }
}

#[test]
fn monitors_that_share_a_directory_lose_nothing_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other, third] = [(); 3].map(|()| Monitor::new());
    for monitor in [&one, &other, &third] {
        monitor.set_limits("m", per_day());
    }
    one.start(config(directory.path())).unwrap();
    other.start(config(directory.path())).unwrap();
    calls(&one, "m", 5);
    calls(&other, "m", 7);
    let deadline = Instant::now() + Duration::from_secs(30);
    while journals(directory.path()).len() < 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    third.start(config(directory.path())).unwrap();
    assert_eq!(taken(&third, "m"), [12, 120], "of those that run");
    calls(&third, "m", 1);
    one.stop_blocking().unwrap();
    one.start(config(directory.path())).unwrap();
    assert_eq!(taken(&one, "m")[..1], [12], "what the third took is not a second old");
    for monitor in [one, other, third] {
        monitor.stop_blocking().unwrap();
    }
    let last = Monitor::new();
    last.set_limits("m", per_day());
    last.start(config(directory.path())).unwrap();
    assert_eq!(taken(&last, "m"), [13, 130], "of those that have ended");
}

#[test]
fn what_was_taken_of_a_day_survives_a_kill() {
    const CHILD: &str = "RATELLMITER_TEST_DAYS";
    if let Some(directory) = env::var_os(CHILD) {
        monitor().set_limits("m", per_day());
        monitor().start(config(Path::new(&directory))).unwrap();
        calls(monitor(), "m", 9);
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "monitor::what_was_taken_of_a_day_survives_a_kill"])
        .env(CHILD, directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It is written within a second, though nobody stops.
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_written = || {
        let texts = journals(directory.path()).into_iter().filter_map(|path| fs::read_to_string(path).ok());
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
    assert_eq!(taken(&monitor, "m"), [9, 90]);
}

#[test]
fn a_journal_that_cannot_be_written_breaks_no_call() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let monitor = Monitor::new();
    monitor.set_limits("m", per_day());
    monitor.start(config(&logs)).unwrap();
    fs::remove_dir_all(&logs).unwrap();
    fs::write(&logs, "in the way").unwrap();
    calls(&monitor, "m", 2);
    thread::sleep(Duration::from_millis(1100));
    calls(&monitor, "m", 1);
    assert_eq!(taken(&monitor, "m"), [3, 30]);
    fs::remove_file(&logs).unwrap();
    monitor.stop_blocking().unwrap();
    let next = Monitor::new();
    next.set_limits("m", per_day());
    next.start(config(&logs)).unwrap();
    assert_eq!(taken(&next, "m"), [3, 30], "it was tried again");
}

#[test]
fn a_torn_journal_is_one_warning_that_shows_nothing_of_it() {
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
    assert_eq!(taken(&monitor, "m"), [6, 0], "the others count");
    let said = warnings.said();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("days-1-1-1.json") && said.contains("line=2"), "{said}");
    assert!(!said.contains("secret") && !said.contains("1795502413"), "{said}");
}

#[test]
fn a_budget_that_its_provider_never_counts_is_one_warning() {
    let monitor = Monitor::new();
    let warnings = Warnings::default();
    let limits = Limits::for_provider(ratellmiter_core::Provider::Gemini).output_tokens_per_minute(8000);
    tracing::subscriber::with_default(warnings.clone(), || {
        (0..3).for_each(|_| monitor.set_limits("gemini-2.5-pro", limits));
        monitor.set_limits("other", per_day());
    });
    let said = warnings.said();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("gemini-2.5-pro") && said.contains("output_tokens_per_minute never binds"), "{said}");
}
