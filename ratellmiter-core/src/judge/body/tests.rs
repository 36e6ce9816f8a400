use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,200}") {
        Body::read(&text);
    }

    #[test]
    fn any_json_is_read_without_panic(kind in ".{0,20}", number in any::<i64>(), delay in "[0-9a-z.]{0,30}") {
        let body = serde_json::json!([{ "error": { "code": number, "type": kind, "details": [{ "retryDelay": delay, "violations": [{ "quotaId": 7 }] }, 3] } }]);
        Body::read(&body.to_string());
    }
}
