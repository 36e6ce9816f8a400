//! Reading and writing of fields and words.

use std::borrow::Cow;

#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: Cow<'a, str>,
    id: u64,
    count: u64,
    rate: f64,
    note: Option<String>,
    parts: Vec<Color>,
}

fields! {
    Sample<'a> { name: borrowed, id: required, count: always, rate: always(0.5), note: sparse, parts: sparse }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Color {
    DarkRed,
    Other,
}

words! { Color { DarkRed = "dark_red", Other = "other" } }

fn read(text: &str) -> Result<Sample<'_>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn fields_are_written_in_order_without_sparse_defaults() {
    let bare = Sample { name: "a".into(), id: 1, count: 0, rate: 2.0, note: None, parts: Vec::new() };
    let text = serde_json::to_string(&bare).unwrap();
    assert_eq!(text, r#"{"name":"a","id":1,"count":0,"rate":2.0}"#);
    assert_eq!(read(&text), Ok(bare));
    let parts = vec![Color::DarkRed, Color::Other];
    let full = Sample { name: "\"".into(), id: 1, count: 2, rate: 0.0, note: Some("n".into()), parts };
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(text, r#"{"name":"\"","id":1,"count":2,"rate":0.0,"note":"n","parts":["dark_red","other"]}"#);
    assert_eq!(read(&text), Ok(full));
}

#[test]
fn missing_fields_have_defaults_and_unknown_are_ignored() {
    let text = r#"{"later":{"name":[1]},"id":1,"name":"a","note":null,"parts":["blue","dark_red"]}"#;
    let parts = vec![Color::Other, Color::DarkRed];
    assert_eq!(read(text), Ok(Sample { name: "a".into(), id: 1, count: 0, rate: 0.5, note: None, parts }));
}

#[test]
fn invalid_fields_are_errors() {
    for (text, error) in [
        (r#"{"name":"a"}"#, "missing field `id`"),
        (r#"{"id":1}"#, "missing field `name`"),
        (r#"{"name":"a","id":1,"id":1}"#, "duplicate field `id`"),
        (r#"{"name":"a","id":-1}"#, "invalid value: integer `-1`, expected u64"),
        (r#"{"name":7,"id":1}"#, "invalid type: integer `7`, expected a string"),
        (r#"{"name":"a","id":1,"count":null}"#, "invalid type: null, expected u64"),
        (r#"{"name":"a","id":1,"parts":[1]}"#, "invalid type: integer `1`, expected a string"),
        (r"[1]", "invalid type: sequence, expected struct Sample"),
        (r#"{"name":"a","id":1"#, "EOF while parsing an object"),
    ] {
        let found = read(text).unwrap_err();
        assert!(found.starts_with(error), "{text}: {found}");
    }
}

#[test]
fn text_without_escapes_is_borrowed() {
    assert!(matches!(read(r#"{"name":"a","id":1}"#).unwrap().name, Cow::Borrowed("a")));
    assert!(matches!(read(r#"{"name":"\u0061","id":1}"#).unwrap().name, Cow::Owned(name) if name == "a"));
}
