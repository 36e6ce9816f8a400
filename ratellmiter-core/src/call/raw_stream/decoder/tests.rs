use serde_json::json;

use super::*;

/// Returns the objects in `pieces`, those that may be text of a model with `~` before them, errors by name with `!`.
fn events<T: AsRef<[u8]>>(pieces: impl IntoIterator<Item = T>, is_text: bool) -> Vec<String> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.read(piece.as_ref(), is_text, &mut |event| {
            let sign = if event.may_be_text { "~" } else { "" };
            let name = if event.is_named_error { "!" } else { "" };
            found.push(format!("{sign}{name}{}", event.json));
        });
    }
    found
}

fn body(text: &str) -> Vec<String> {
    events([text], false)
}

#[test]
fn line_ends_comments_and_other_fields_are_read() {
    for end in ["\n", "\r", "\r\n"] {
        let lines = [
            "\u{feff}: comment",
            "id: 1",
            "data: {\"a\":1}",
            "",
            "event:x",
            "retry: 3",
            "data",
            "data:{\"b\":",
            "data: 2}",
            "",
            "database: {\"c\":3}",
            "data: [DONE]",
            "",
            "data: {\"d\":4}",
        ];
        let body = lines.join(end);
        let expected = [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"d":4}"#];
        assert_eq!(events([&body], false), expected, "{end:?}");
        assert_eq!(events(body.as_bytes().chunks(1), false), expected, "{end:?} byte by byte");
        for cut in 0..=body.len() {
            let (start, rest) = body.as_bytes().split_at(cut);
            assert_eq!(events([start, rest], false), expected, "{end:?} cut at {cut}");
        }
    }
}

#[test]
fn unterminated_value_ends_with_its_event() {
    assert_eq!(body("data: {\"a\":\n\ndata: {\"b\":2}\n\n"), [r#"{"b":2}"#]);
    assert_eq!(body("data: text with {\"a\":1}\n\n"), Vec::<String>::new());
    assert_eq!(body("data: \"{\\\"a\\\":1}\"\n\n"), Vec::<String>::new());
}

#[test]
fn events_named_error_are_marked() {
    let text = "event: error\ndata: {\"code\":1}\n\ndata: {}\n\nevent: errors\ndata: {}\n\n";
    assert_eq!(body(text), [r#"!{"code":1}"#, "{}", "{}"]);
}

#[test]
fn json_lines_and_lists_are_read() {
    assert_eq!(body("{\"a\":1}\r\n{\"b\":2}\n"), [r#"{"a":1}"#, r#"{"b":2}"#]);
    let list = serde_json::to_string_pretty(&json!([{ "a": 1 }, { "b": [2] }])).unwrap();
    assert_eq!(events(list.as_bytes().chunks(3), false), [r#"{"a":1}"#, r#"{"b":[2]}"#]);
}

#[test]
fn json_text_of_a_model_is_no_event_unless_it_is_a_line() {
    assert_eq!(events(["{\"a\":", "1}"], true), [r#"~{"a":1}"#]);
    assert_eq!(events(["{\"a\":", "1}\n"], true), [r#"~{"a":1}"#, r#"{"a":1}"#]);
    assert_eq!(events(["{\n\"a\":", "1\n}\n"], true), [r#"~{"a":1}"#]);
    assert_eq!(events(["Here it is: {\"a\":", "1}\n{}"], true), Vec::<String>::new());
}

#[test]
fn only_begun_events_are_incomplete() {
    let is_within = |text: &str, is_text| {
        let mut decoder = Decoder::default();
        decoder.read(text.as_bytes(), is_text, &mut |_| ());
        decoder.is_within_event(is_text)
    };
    for text in ["d", "dat", "event: x\n", "data: {", "data: {}\n\nid: 3\ndata: {\"a\"", ": comment\n\nre"] {
        assert!(is_within(text, true), "{text:?}");
    }
    for text in ["", "\n", ": comment", ": comment\n\n", "Hel", "date", "data: text", "data: {}", "event: x\n\n", "[{}"]
    {
        assert!(!is_within(text, false), "{text:?}");
    }
    assert!(is_within("{\"a\"", false) && !is_within("{\"a\"", true));
}
