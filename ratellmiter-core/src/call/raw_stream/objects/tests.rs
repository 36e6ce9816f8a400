use serde_json::json;

use super::*;

fn objects(text: &str) -> Vec<Value> {
    let mut scanner = ObjectScanner::default();
    text.bytes().filter_map(|byte| scanner.push(byte)).collect()
}

#[test]
fn outermost_objects_are_found_alone_and_in_lists() {
    assert_eq!(objects(r#"{"a": {"b": [1, {}]}}{"c": 2}"#), [json!({"a": {"b": [1, {}]}}), json!({"c": 2})]);
    assert_eq!(objects("[{\"a\": 1},\r\n{\"b\": 2}\n]"), [json!({"a": 1}), json!({"b": 2})]);
    assert_eq!(objects("[DONE]"), Vec::<Value>::new());
    assert_eq!(objects("}]}{\"a\": 1}"), [json!({"a": 1})]);
}

#[test]
fn braces_and_quotes_in_strings_are_text() {
    let object = json!({ "a": "}{\"[\\", "b": "\\\"", "c": "\u{1F600}" });
    assert_eq!(objects(&object.to_string()), [object]);
    let listed = json!(["{", { "a": 1 }]);
    assert_eq!(objects(&listed.to_string()), [json!({ "a": 1 })]);
}

#[test]
fn malformed_objects_are_skipped() {
    assert_eq!(objects("{a}{\"b\": 1}"), [json!({"b": 1})]);
    assert_eq!(objects("{\"a\": \"cut\n{\"b\": 1}"), [json!({"b": 1})], "a string ends with its line");
    let deep = "{\"a\":".repeat(100_000);
    assert_eq!(objects(&deep), Vec::<Value>::new());
}

#[test]
fn long_strings_are_empty_and_memory_is_bounded() {
    let mut scanner = ObjectScanner::default();
    let start = br#"{"image": ""#;
    assert!(start.iter().all(|byte| scanner.push(*byte).is_none()));
    for byte in b"\\u00e4\\\"AAAA".iter().cycle().take(10 << 20) {
        assert!(scanner.push(*byte).is_none());
    }
    assert!(scanner.object.capacity() <= 2 * MAX_STRING_BYTES);
    let end = br#"\\", "usage": {"prompt_tokens": 9}}"#;
    let found: Vec<Value> = end.iter().filter_map(|byte| scanner.push(*byte)).collect();
    assert_eq!(found, [json!({ "image": "", "usage": { "prompt_tokens": 9 } })]);
}

#[test]
fn long_object_is_skipped_within_bounded_memory() {
    let mut scanner = ObjectScanner::default();
    let mut longest = 0;
    for part in ["{\"a\": [".to_owned(), "\"0123456789\", ".repeat(1 << 20), "1]}".to_owned()] {
        for byte in part.bytes() {
            assert_eq!(scanner.push(byte), None);
            longest = longest.max(scanner.object.capacity());
        }
    }
    assert!(longest <= 2 * MAX_OBJECT_BYTES && scanner.object.capacity() <= 2 * MAX_OBJECT_BYTES);
    assert!(!scanner.is_inside());
    assert_eq!(br#"{"b": 1}"#.iter().filter_map(|byte| scanner.push(*byte)).count(), 1);
}
