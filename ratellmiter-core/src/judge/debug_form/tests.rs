use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;

#[derive(Debug)]
#[allow(dead_code)]
enum Value {
    Unit,
    Tuple(u16, Option<Duration>),
    Fields { text: &'static str, letter: char, map: BTreeMap<&'static str, f32>, list: Vec<(u8, i64)> },
    Nested(Box<Self>),
}

/// Writes a group as text again, with one form for all kinds of groups.
fn shown(node: &Node<'_>) -> String {
    match node {
        Node::Word(word) => (*word).to_owned(),
        Node::Text(text) => format!("<{text}>"),
        Node::Group(Group { name, members }) => {
            let members = members.iter().map(|Member { key, value }| format!("{key}={}", shown(value)));
            format!("{name}[{}]", members.collect::<Vec<_>>().join(" "))
        }
    }
}

fn read_back(text: &str) -> Option<String> {
    read(text).map(|group| shown(&Node::Group(group)))
}

#[test]
fn derived_forms_are_read_back() {
    let fields = Value::Fields {
        text: "a \"quoted\" {status: 429}, \\ \n\u{7f}é",
        letter: '\'',
        map: BTreeMap::from([("a-b", 1.5)]),
        list: vec![(1, -2)],
    };
    let form =
        "Nested[=Fields[text=<a \"quoted\" {status: 429}, \\ \n\u{7f}é> letter=<'> map=[a-b=1.5] list=[=[=1 =-2]]]]";
    let nested = Value::Nested(Box::new(fields));
    assert_eq!(read_back(&format!("{nested:?}")).as_deref(), Some(form));
    assert_eq!(read_back(&format!("{nested:#?}")).as_deref(), Some(form));
    let tuple = Value::Tuple(429, Some(Duration::from_millis(1500)));
    assert_eq!(read_back(&format!("{tuple:?}")).as_deref(), Some("Tuple[=429 =Some[=1.5s]]"));
    assert_eq!(read_back(&format!("{:?}", Value::Unit)), None, "no members");
}

#[test]
fn forms_of_other_writers_are_read() {
    let cases = [
        ("Hidden { a: 1, .. }", "Hidden[a=1]"),
        ("a::B { at: 2026-11-30T12:00:00Z, to: 127.0.0.1:80 }", "a::B[at=2026-11-30T12:00:00Z to=127.0.0.1:80]"),
        ("Error(\"EOF\", line: 1, column: 0)", "Error[=<EOF> line=1 column=0]"),
        ("Backtrace [{ fn: \"main\" }]", "Backtrace[=[fn=<main>]]"),
        ("Bytes(b\"\\x00a\")", "Bytes[=<x00a>]"),
    ];
    for (text, form) in cases {
        assert_eq!(read_back(text).as_deref(), Some(form), "{text}");
    }
}

#[test]
fn parts_before_a_free_text_are_kept() {
    let report = "Api { status: 429, source: the request failed\n\nCaused by:\n    status: 500 }";
    assert_eq!(read_back(report).as_deref(), Some("Api[status=429 source=the]"));
    assert_eq!(read_back("Api { status: 429, body: \"cut o").as_deref(), Some("Api[status=429 body=<cut o>]"));
    for free in ["status: 429", "the page said Api { status: 429 }", "Api { status: 429 } said the page", "\"429\"", ""]
    {
        assert_eq!(read_back(free), None, "{free}");
    }
}

#[test]
fn deep_or_broken_forms_end() {
    for text in ["(", "A(", "A {", "A { :", "A { ,", "A { a: }", "'", "A(\\", "A(\"\\u{", "A(\"\\u{110000}\")", "é{é:é"]
    {
        let _ = read(text);
    }
    assert!(read(&"a(".repeat(100_000)).is_some());
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in r#"\PC{0,80}|[A-Za\[\]{}()"':,. \\]{0,80}"#) {
        let read = read(&text);
        prop_assert!(read.is_none_or(|group| !text.trim_start().starts_with(['"', '\'']) && group.name.len() < text.len()));
    }

    #[test]
    fn content_of_a_string_is_never_a_field(text in r#"\PC{0,40}|[a\[\]{}()"':,. \\\n]{0,40}"#) {
        let form = format!("{:?}", Value::Tuple(1, None)).replace("None", &format!("{text:?}"));
        let group = read(&form).unwrap();
        prop_assert_eq!(&group.members[1].value, &Node::Text(text));
        prop_assert_eq!(group.members.len(), 2);
    }
}
