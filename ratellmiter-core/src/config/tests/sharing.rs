//! Settings of limiters that processes share.

use super::*;

#[cfg(feature = "redis")]
#[test]
fn sharing_follows_the_precedence() {
    use crate::limits::{fleet_config::FleetConfig, on_disconnect::OnDisconnect};

    let shared = |text: &str, pairs: &[(&str, &str)], code: Option<&FleetConfig>| {
        settings(&Config::new(), text, pairs).sharing.merged_with_code(code)
    };
    let url = |url: &str| FleetConfig::redis(url).unwrap();
    let code = url("redis://code").namespace("mine").on_disconnect(OnDisconnect::FullLimits);
    assert_eq!(shared("", &[], None), None);
    assert_eq!(shared("", &[], Some(&code)), Some(code.clone()));
    let text = "shared = \"redis://file\"";
    assert_eq!(shared(text, &[], None), Some(url("redis://file")));
    assert_eq!(
        shared(text, &[], Some(&code)),
        Some(url("redis://file").namespace("mine").on_disconnect(OnDisconnect::FullLimits))
    );
    let whole = format!("{text}\nshared_namespace = \"theirs\"\nshared_on_disconnect = \"wait\"");
    let pairs = [("RATELLMITER_SHARED", "rediss://u:p@variable:1/2")];
    let expected = url("rediss://u:p@variable:1/2").namespace("theirs").on_disconnect(OnDisconnect::Wait);
    assert_eq!(shared(&whole, &pairs, Some(&code)), Some(expected));
    assert_eq!(
        shared("shared_namespace = \"theirs\"", &[], Some(&code)),
        Some(url("redis://code").namespace("theirs").on_disconnect(OnDisconnect::FullLimits))
    );
}

#[cfg(feature = "redis")]
#[test]
fn invalid_url_is_reported_without_its_password() {
    let wrong = file_error("shared = \"http://:hunter2@host\"");
    assert!(wrong.starts_with("line 1, column 10, key `shared`: no URL of a Redis or Valkey server"), "{wrong}");
    assert!(wrong.contains("allowed are redis://HOST:PORT") && !wrong.contains("hunter2"), "{wrong}");
    let variable = variables(&[("RATELLMITER_SHARED", "hunter2")]).unwrap_err().to_string();
    assert!(
        variable.starts_with(
            "the environment variable RATELLMITER_SHARED is no URL of a Redis or Valkey server: there is no scheme; allowed are"
        ),
        "{variable}"
    );
    assert!(!variable.contains("hunter2"));
    for (text, problem) in [
        ("shared_on_disconnect = \"shut\"", "\"shut\" is not \"degrade\", \"wait\" or \"full_limits\""),
        ("shared_on_disconnect = true", "expected \"degrade\", \"wait\" or \"full_limits\""),
        ("shared = 6379", "expected the URL of a Redis or Valkey server, as \"redis://HOST:PORT\""),
        ("shared_namespace = \"\"", "a namespace is not empty"),
    ] {
        let message = file_error(text);
        assert!(message.contains(problem) && message.lines().count() == 1, "{message}");
    }
}

#[test]
fn sharing_without_the_feature_is_an_error() {
    let sharing = settings(&Config::new(), "shared = \"redis://h\"\nshared_on_disconnect = \"wait\"", &[]).sharing;
    let error = sharing.check(false).unwrap_err().to_string();
    assert!(error.starts_with("`shared` in the configuration asks for shared limiters, but"), "{error}");
    assert!(error.contains("the feature `redis`") && error.lines().count() == 1, "{error}");
}
