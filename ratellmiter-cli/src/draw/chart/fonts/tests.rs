//! Tests of `fonts`.

use super::{sample::lookup as one, *};

fn divided(text: &str, lookup: Lookup) -> Vec<(bool, String)> {
    runs(text, lookup).into_iter().map(|run| (run.family == EMBEDDED, run.text)).collect()
}

#[test]
fn embedded_font_has_the_letters_of_all_own_texts() {
    for letter in "aZ09 –…·%é\"'\\{}_/Жλñß".chars() {
        assert!(is_embedded(letter), "{letter}");
        assert_eq!(divided(&letter.to_string(), one), [(true, letter.to_string())]);
    }
    for letter in "你한شעह🦀".chars() {
        assert!(!is_embedded(letter), "{letter}");
        assert_eq!(divided(&letter.to_string(), none), [(true, letter.escape_unicode().to_string())]);
    }
}

#[test]
fn letters_are_in_a_font_of_the_system_or_escaped() {
    assert_eq!(divided("gpt 你-x", one), [(true, "gpt ".into()), (false, "你".into()), (true, "-x".into())]);
    assert_eq!(divided("你好", one), [(false, "你".into()), (true, "\\u{597d}".into())]);
    assert_eq!(divided("你好!", none), [(true, "\\u{4f60}\\u{597d}!".into())]);
    assert_eq!(divided("🦀", none), [(true, "\\u{1f980}".into())]);
    assert_eq!(divided("", one), []);
}

#[test]
fn letters_from_right_to_left_are_in_visual_order() {
    assert_eq!(divided("a של b", one), [(true, "a ".into()), (false, "לש".into()), (true, " b".into())]);
    // What is beside a name keeps its order, and so do escapes.
    assert_eq!(divided("של: 400", one), [(false, "לש".into()), (true, ": 400".into())]);
    assert_eq!(divided("של", none), [(true, "\\u{5e9}\\u{5dc}".into())]);
}

#[test]
fn broken_font_is_not_used() {
    assert_eq!(divided("你", |_| Some(b"no font")), [(true, "\\u{4f60}".into())]);
}
