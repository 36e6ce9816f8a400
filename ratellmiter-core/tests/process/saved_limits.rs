//! Adapted limits of an earlier run are in force from the start, and logged.

use ratellmiter_core::{Config, monitor};

use crate::{is_alone, warnings::Warnings};

#[tokio::test]
async fn limits_of_an_earlier_run_are_logged_at_start() {
    if !is_alone("saved_limits::limits_of_an_earlier_run_are_logged_at_start") {
        return;
    }
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let saved = format!(r#"{{"gpt-4o": {{"at": {now}, "requests_per_minute": 51.0}}, "other": {{"at": {now}}}}}"#);
    std::fs::write(directory.path().join("learned.json"), saved).unwrap();
    monitor().start(Config::new().default_rate_limit(3000).log_directory(directory.path())).unwrap();
    let adapted = monitor().limiter("gpt-4o").snapshot().adapted_rate_per_second.unwrap();
    assert!(adapted < 51.0 / 60.0, "{adapted}");
    assert_eq!(monitor().limiter("other").snapshot().adapted_rate_per_second, None);
    monitor().stop().await.unwrap();
    let text = warnings.said();
    assert_eq!(text.matches("an earlier run").count(), 1, "{text}");
    assert!(text.contains("gpt-4o") && text.contains("requests_per_minute=51.0"), "{text}");
}
