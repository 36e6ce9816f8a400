use proptest::prelude::*;

use super::*;

#[test]
fn retry_after_is_read_from_sentences() {
    for (text, millis) in [
        ("please try again in 6.702s.", 6702),
        ("rate limit. try again in 750ms, or later", 750),
        ("please retry after 37 seconds.", 37_000),
        ("please retry in 22.5s.", 22_500),
        ("try again in 2 minutes", 120_000),
        ("please retry in 1h2m3s.", 3_723_000),
    ] {
        assert_eq!(retry_after_in_text(text), Some(Duration::from_millis(millis)), "{text}");
    }
    for text in ["please try again later", "retry after the weekend", "try again in ", "retry in -5s"] {
        assert_eq!(retry_after_in_text(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,200}") {
        Body::read(&text);
        retry_after_in_text(&format!("retry in {text}"));
    }

    #[test]
    fn any_json_is_read_without_panic(kind in ".{0,20}", number in any::<i64>(), delay in "[0-9a-z.]{0,30}") {
        let body = serde_json::json!([{ "error": { "code": number, "type": kind, "details": [{ "retryDelay": delay, "violations": [{ "quotaId": 7 }] }, 3] } }]);
        Body::read(&body.to_string());
    }
}
