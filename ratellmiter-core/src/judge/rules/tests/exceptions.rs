//! Errors of AWS whose status is lost.

use super::*;

fn coded(code: &str) -> Judged {
    judge_with_status(&Evidence::new().code(code), SystemTime::now())
}

#[test]
fn exception_without_status_has_the_documented_one() {
    let billing = Verdict::QuotaExhausted { resumes_at: None, limit: LimitKind::Billing };
    for (code, status, verdict) in [
        ("AccessDeniedException", 403, Verdict::Failed),
        ("ConflictException", 400, Verdict::Failed),
        ("InternalServerException", 500, Verdict::transient()),
        ("ModelErrorException", 424, Verdict::Failed),
        ("ModelNotReadyException", 429, Verdict::overloaded()),
        ("ModelStreamErrorException", 424, Verdict::transient()),
        ("ModelTimeoutException", 408, Verdict::transient()),
        ("ResourceNotFoundException", 404, Verdict::Failed),
        ("ServiceQuotaExceededException", 400, billing),
        ("ServiceUnavailableException", 503, Verdict::overloaded()),
        ("ThrottlingException", 429, Verdict::rate_limited()),
        ("ValidationException", 400, Verdict::Failed),
        ("com.amazon.coral.service#InternalFailure", 500, Verdict::transient()),
    ] {
        let event = code[..1].to_lowercase() + &code[1..];
        for code in [code, &event] {
            let judged = coded(code);
            assert_eq!((judged.verdict, judged.status), (verdict, Some(status)), "{code}");
        }
    }
    assert_eq!((coded("SomethingException").verdict, coded("SomethingException").status), (Verdict::Failed, None));
}

#[test]
fn status_of_the_response_wins_over_that_of_the_code() {
    for (status, code, verdict) in [
        (503, "ModelErrorException", Verdict::overloaded()),
        (403, "InternalServerException", Verdict::Failed),
        (429, "ModelStreamErrorException", Verdict::rate_limited()),
    ] {
        let judged = judge_with_status(&Evidence::new().status(status).code(code), SystemTime::now());
        assert_eq!((judged.verdict, judged.status), (verdict, Some(status)), "{code}");
    }
    let success = Evidence::new().status(200).body(r#"{"code": "ThrottlingException"}"#);
    assert_eq!(judge(&success, SystemTime::now()), Verdict::Success);
}
