use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::{LimitKind, Verdict, judge::rules::judge};

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

fn judged(fields: &[(&'static str, &str)]) -> Verdict {
    judge(&Evidence::new().status(200).headers(&headers(fields)), SystemTime::now())
}

const TRANSIENT: Verdict = Verdict::transient();

#[test]
fn each_code_has_the_verdict_of_its_meaning() {
    let verdicts = [
        Verdict::Success,
        Verdict::Failed,
        TRANSIENT,
        Verdict::Failed,
        TRANSIENT,
        Verdict::Failed,
        Verdict::Failed,
        Verdict::Failed,
        Verdict::RATE_LIMITED,
        Verdict::Failed,
        TRANSIENT,
        Verdict::Failed,
        Verdict::Failed,
        TRANSIENT,
        Verdict::overloaded(),
        Verdict::Failed,
        Verdict::Failed,
    ];
    for (code, verdict) in verdicts.into_iter().enumerate() {
        assert_eq!(judged(&[("grpc-status", &code.to_string())]), verdict, "{}", CODES[code].0);
    }
    for unknown in ["17", "-1", "8x", ""] {
        assert_eq!(judged(&[("grpc-status", unknown)]), TRANSIENT, "{unknown}");
    }
}

#[test]
fn message_shows_limit_and_hint() {
    let message = "Quota exceeded for requests per minute, please try again in 2.5s: 100%25 of 10%20%E2%9C%93";
    let verdict = judged(&[("grpc-status", "8"), ("grpc-message", message)]);
    let hint = Some(Duration::from_millis(2500));
    assert_eq!(verdict, Verdict::RateLimited { retry_after: hint, limit: LimitKind::Requests });
    assert_eq!(super::message(&headers(&[("grpc-message", "50%25 %E2%9C%93 %FF %")])), "50% ✓ \u{fffd} %");
}

#[test]
fn message_that_is_too_large_is_a_failure() {
    let message = "grpc: received message larger than max (5000000 vs. 4194304)";
    assert_eq!(judged(&[("grpc-status", "8"), ("grpc-message", message)]), Verdict::Failed);
}

#[test]
fn metadata_has_the_hint_or_forbids_a_retry() {
    let refused = |fields: &[(&'static str, &str)]| judged(&[&[("grpc-status", "8")], fields].concat());
    let after = |millis| Verdict::RATE_LIMITED.with_retry_after(Duration::from_millis(millis));
    assert_eq!(refused(&[("retry-after", "3")]), after(3000));
    assert_eq!(refused(&[("grpc-retry-pushback-ms", "250")]), after(250));
    assert_eq!(refused(&[("grpc-retry-pushback-ms", "-1")]), Verdict::Failed);
    assert_eq!(refused(&[("grpc-retry-pushback-ms", "soon")]), Verdict::Failed);
    let failed = judged(&[("grpc-status", "13"), ("grpc-retry-pushback-ms", "250")]);
    assert_eq!(failed, TRANSIENT.with_retry_after(Duration::from_millis(250)));
}

#[test]
fn code_in_headers_outranks_the_http_status() {
    let headers = headers(&[("grpc-status", "8")]);
    for status in [200, 429, 503] {
        let verdict = judge(&Evidence::new().status(status).headers(&headers), SystemTime::now());
        assert_eq!(verdict, Verdict::RATE_LIMITED, "{status}");
    }
    assert_eq!(judge(&Evidence::new().headers(&headers), SystemTime::now()), Verdict::RATE_LIMITED);
}

#[cfg(feature = "tonic")]
mod details_of_google {
    use std::collections::HashMap;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, QuotaViolation, StatusExt as _};

    use super::*;

    fn judged(code: Code, details: ErrorDetails) -> Verdict {
        let mut headers = HeaderMap::new();
        Status::with_error_details(code, "Quota exceeded", details).add_header(&mut headers).unwrap();
        judge(&Evidence::new().status(200).headers(&headers), SystemTime::now())
    }

    fn violation(quota_id: &str) -> QuotaViolation {
        QuotaViolation { quota_id: quota_id.into(), ..QuotaViolation::new("", "") }
    }

    #[test]
    fn retry_info_is_the_hint() {
        let hint = Duration::from_millis(12_500);
        let details = || ErrorDetails::with_retry_info(Some(hint));
        assert_eq!(judged(Code::ResourceExhausted, details()), Verdict::RATE_LIMITED.with_retry_after(hint));
        assert_eq!(judged(Code::Unavailable, details()), Verdict::overloaded().with_retry_after(hint));
        assert_eq!(judged(Code::Internal, details()), TRANSIENT.with_retry_after(hint));
        assert_eq!(judged(Code::InvalidArgument, details()), Verdict::Failed);
    }

    #[test]
    fn quota_failure_names_the_limit() {
        let minute =
            ErrorDetails::with_quota_failure([violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")]);
        let verdict = judged(Code::ResourceExhausted, minute);
        assert_eq!(verdict, Verdict::RATE_LIMITED.with_limit(LimitKind::Requests));
        let day = ErrorDetails::with_quota_failure([violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier")]);
        let verdict = judged(Code::ResourceExhausted, day);
        assert!(matches!(verdict, Verdict::QuotaExhausted { limit: LimitKind::Daily, .. }), "{verdict:?}");
    }

    #[test]
    fn error_info_names_the_reason() {
        let reason = |reason| ErrorDetails::with_error_info(reason, "cloudcode-pa.googleapis.com", HashMap::new());
        let capacity = judged(Code::ResourceExhausted, reason("MODEL_CAPACITY_EXHAUSTED"));
        assert_eq!(capacity, Verdict::overloaded());
        let exhausted = judged(Code::ResourceExhausted, reason("QUOTA_EXHAUSTED"));
        assert!(matches!(exhausted, Verdict::QuotaExhausted { .. }), "{exhausted:?}");
    }

    #[test]
    fn malformed_details_are_left_out() {
        for details in ["not base64!", "AAAA", "gA==", "////", ""] {
            let verdict = super::judged(&[("grpc-status", "8"), ("grpc-status-details-bin", details)]);
            assert_eq!(verdict, Verdict::RATE_LIMITED, "{details}");
        }
    }

    proptest! {
        #[test]
        fn any_details_are_read_without_panic(details in "[A-Za-z0-9+/=]{0,80}") {
            super::judged(&[("grpc-status", "8"), ("grpc-status-details-bin", &details)]);
        }
    }
}

#[test]
fn text_of_each_library_is_recognised() {
    let judged = |text: &str| evidence_in_text(text).map(|evidence| judge(&evidence, SystemTime::now()));
    for text in [
        "code: 'Some resource has been exhausted', message: \"slow down\"",
        "grpc: code: 'Some resource has been exhausted'",
        "status: ResourceExhausted, message: \"slow down\", details: [], metadata: MetadataMap { headers: {} }",
        "rpc error: code = ResourceExhausted desc = slow down",
        "the service reports an error with code RESOURCE_EXHAUSTED described as: slow down",
        "status = StatusCode.RESOURCE_EXHAUSTED",
        "gRPC status code: RESOURCE_EXHAUSTED (8)",
    ] {
        assert_eq!(judged(text), Some(Verdict::RATE_LIMITED), "{text}");
    }
    let overloaded = "rpc error: code = Unavailable desc = The model is overloaded, retry in 3s";
    assert_eq!(judged(overloaded), Some(Verdict::overloaded().with_retry_after(Duration::from_secs(3))));
    assert_eq!(judged("code: 'Internal error', message: \"x\""), Some(TRANSIENT));
    for quoted in [
        "status: InvalidArgument, message: \"ResourceExhausted\"",
        "the service reports an error with code INVALID_ARGUMENT described as: status code 429 Too Many Requests",
    ] {
        assert_eq!(judged(quoted), Some(Verdict::Failed), "{quoted}");
    }
    for text in [
        "the resource was exhausted",
        "codes: RESOURCE_EXHAUSTED",
        "status unknown",
        "code aborted",
        "decode ResourceExhausted",
        "the status OK was expected",
        "RESOURCE_EXHAUSTED",
        "status code 400 Bad Request: rpc error: code = ResourceExhausted",
        "API error: {\"code\": \"RESOURCE_EXHAUSTED\"}",
        "",
    ] {
        assert_eq!(judged(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_and_message_are_read_without_panic(text in ".{0,200}", message in "[ -~]{0,80}") {
        evidence_in_text(&text);
        evidence_in_text(&format!("code: {text}"));
        judged(&[("grpc-status", "8"), ("grpc-message", &message)]);
    }
}
