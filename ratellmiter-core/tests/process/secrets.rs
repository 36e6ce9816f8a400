//! What is written, to the log and through `tracing`: enough to know, once, and nothing of what was asked or answered.

use std::{fmt, fs, time::Duration};

use ratellmiter_core::{Config, Limiter, Monitor, call::observe, ratellmiter};

use crate::{is_alone, warnings::Warnings};

#[derive(Debug)]
struct Foreign(String);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Foreign {}

#[ratellmiter(limiter = limiter)]
async fn ask(limiter: &Limiter, prompt: &str) -> Result<String, Foreign> {
    Err(Foreign(format!("GET https://example.com/?key=sk-12345 with {prompt}")))
}

#[ratellmiter(limiter = limiter)]
async fn retries_by_itself(limiter: &Limiter) {
    for status in [429, 200] {
        observe(http::StatusCode::from_u16(status).unwrap(), &http::HeaderMap::new());
    }
}

#[tokio::test]
async fn nothing_that_was_asked_or_answered_is_written_and_a_warning_is_given_once() {
    if !is_alone("secrets::nothing_that_was_asked_or_answered_is_written_and_a_warning_is_given_once") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let monitor = Monitor::new();
    let log = monitor.start(Config::new().log_directory(logs.clone()).default_rate_limit(60_000)).unwrap();
    for _ in 0..3 {
        ask(&monitor.limiter("m"), "the secret prompt").await.unwrap_err();
    }
    let warned = warnings.said();
    assert_eq!(warned.matches("cannot tell whether this error is a refusal").count(), 1, "{warned}");
    assert!(warned.contains("secrets::Foreign"), "{warned}");

    // A client that tries again by itself is told of once, with what turns it off.
    for _ in 0..2 {
        retries_by_itself(&monitor.limiter("m")).await;
    }
    assert_eq!(warnings.said().matches("tries refused requests again by itself").count(), 1, "{}", warnings.said());
    assert!(warnings.said().contains("observe::openai_service"));

    // A disk that refuses is told of once, and again when it takes rows.
    let aside = directory.path().join("aside");
    fs::rename(&logs, &aside).unwrap();
    fs::write(&logs, "in the way").unwrap();
    let heard = &warnings;
    let until = |words: &'static str| async move {
        for _ in 0..400 {
            if heard.said().contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{words} was not said: {}", heard.said());
    };
    ask(&monitor.limiter("m"), "the secret prompt").await.unwrap_err();
    until("cannot write the log").await;
    ask(&monitor.limiter("m"), "the secret prompt").await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    fs::remove_file(&logs).unwrap();
    fs::rename(&aside, &logs).unwrap();
    until("the log is written again").await;
    assert_eq!(warnings.said().matches("cannot write the log").count(), 1, "{}", warnings.said());
    monitor.stop().await.unwrap();

    let text = fs::read_to_string(log).unwrap();
    let finished: u64 = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|row| row["finished"].as_u64())
        .sum();
    assert_eq!(finished, 7, "{text}");
    for written in [text, warnings.said()] {
        assert!(!written.contains("secret prompt") && !written.contains("sk-12345"), "{written}");
    }
}
