//! Checks of server URLs.

use super::*;

#[test]
fn urls_are_checked_and_never_shown() {
    for url in [
        "redis://127.0.0.1:6379",
        "rediss://:hunter2@localhost:7000/3",
        "redis://u:hunter2@[::1]/",
        "REDIS://u:hunter2%2F@h?protocol=resp3",
        "valkeys://u:hunter2@h",
    ] {
        let config = FleetConfig::redis(url).unwrap();
        assert_eq!(format!("{config:?}"), r#"FleetConfig { namespace: "default", on_disconnect: Degrade, .. }"#);
    }
    for (url, problem) in [
        ("127.0.0.1:6379", "there is no scheme"),
        ("http://:hunter2@localhost", "the scheme is neither redis nor rediss"),
        ("redis://:hunter2@localhost:port", "invalid port number; special characters"),
        ("redis://:hunter2/x@localhost", "empty host; special characters"),
        ("redis://:hunter2@localhost:99999", "invalid port number; special characters"),
        ("redis://one:1,two:2", "invalid port number; special characters"),
        ("redis://localhost/hunter2", "the database is not a number; a / in a password is written %2F"),
        ("redis://localhost/-1", "the database is not a number"),
        ("redis:///1", "there is no host"),
        ("redis://h?password=hunter2", "after the ? only protocol=resp2"),
        ("redis://h?protocol=hunter2", "after the ? only protocol=resp2"),
    ] {
        let error = FleetConfig::redis(url).unwrap_err();
        assert!(error.problem.starts_with(problem), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2") && !error.to_string().contains('\n'));
    }
}
