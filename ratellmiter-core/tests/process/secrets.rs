//! The log and the `tracing` events: each warning appears once, and neither contains prompts, responses or error texts.

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
async fn ask_with_retries(limiter: &Limiter) {
    for status in [429, 200] {
        observe(http::StatusCode::from_u16(status).unwrap(), &http::HeaderMap::new());
    }
}

#[tokio::test]
async fn prompts_and_error_texts_are_never_written() {
    if !is_alone("secrets::prompts_and_error_texts_are_never_written") {
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

    // A client that retries by itself causes one warning, which names the remedy.
    for _ in 0..2 {
        ask_with_retries(&monitor.limiter("m")).await;
    }
    assert_eq!(
        warnings.said().matches("tries refused or failed requests again by itself").count(),
        1,
        "{}",
        warnings.said()
    );
    assert!(warnings.said().contains("observe::openai_service"));

    // A failing disk causes one warning, and its recovery one message.
    let aside = directory.path().join("aside");
    fs::rename(&logs, &aside).unwrap();
    fs::write(&logs, "in the way").unwrap();
    let warnings_so_far = &warnings;
    let wait_for = |text: &'static str| async move {
        for _ in 0..400 {
            if warnings_so_far.said().contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no warning {text:?} in: {}", warnings_so_far.said());
    };
    ask(&monitor.limiter("m"), "the secret prompt").await.unwrap_err();
    wait_for("cannot write the log").await;
    ask(&monitor.limiter("m"), "the secret prompt").await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    fs::remove_file(&logs).unwrap();
    fs::rename(&aside, &logs).unwrap();
    wait_for("the log is written again").await;
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
