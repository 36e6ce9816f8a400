//! Tests of `names`.

use super::*;

#[test]
fn letters_of_any_script_are_printable() {
    for text in ["gpt-4o \"a'b\\c\" {x}", "é e\u{301} ñ ß", "漢字 かな 한국어", "हिन्दी ไทย עברית العربية", "🦀 👍🏽 ❤"]
    {
        assert_eq!(printable(text), text);
    }
}

#[test]
fn unprintable_characters_are_escaped_visibly() {
    for (text, shown) in [
        ("a\nb\r\tc\u{2028}d\u{a0}e", "a b  c d e"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("\0\u{7f}\u{9b}", "\\u{0}\\u{7f}\\u{9b}"),
        ("gpt\u{202e}fdp.exe", "gpt\\u{202e}fdp.exe"),
        ("\u{2066}a\u{2069}\u{200f}\u{61c}", "\\u{2066}a\\u{2069}\\u{200f}\\u{61c}"),
        ("a\u{200b}b\u{feff}\u{ad}", "a\\u{200b}b\\u{feff}\\u{ad}"),
        ("\u{fffe}\u{ffff}\u{1fffe}\u{fdd0}", "\\u{fffe}\\u{ffff}\\u{1fffe}\\u{fdd0}"),
        ("\u{e000}\u{e0041}\u{378}", "\\u{e000}\\u{e0041}\\u{378}"),
        ("gpt\u{3164}\u{2800}", "gpt\\u{3164}\\u{2800}"),
    ] {
        assert_eq!(printable(text), shown);
    }
}

#[test]
fn model_without_a_name_is_named_so() {
    for (name, shown) in [("", "(no name)"), (" \n", "(no name)"), ("m", "m"), ("\u{3164}", "\\u{3164}")] {
        assert_eq!(of_model(name), shown);
    }
}

#[test]
fn every_printable_character_is_allowed_in_xml() {
    for letter in ('\0'..=char::MAX).filter(|letter| is_printable(*letter)) {
        assert!(matches!(letter, ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..), "{letter:?}");
        assert!(!letter.is_control());
    }
}

#[test]
fn markdown_has_no_markup_of_names() {
    for (name, escaped) in [
        ("gpt-4o", "gpt-4o"),
        ("a|b", "a\\|b"),
        ("![x](y.png)", "!\\[x\\](y.png)"),
        ("[x](y)", "\\[x\\](y)"),
        ("[x][y] <b> &lt; _a_ *b* ~c~ `d` # 1", "\\[x\\]\\[y\\] &lt;b> &amp;lt; \\_a\\_ \\*b\\* \\~c\\~ \\`d\\` \\# 1"),
        ("a\\|b", "a\\\\\\|b"),
        ("a\nb", "a b"),
        ("https://x.com", "`https://x.com`"),
        ("WWW.x.com|b", "`WWW.x.com`\\|`b`"),
        ("a@b.c", "`a@b.c`"),
        ("`@x``", "``` `@x`` ```"),
        ("@\u{202e}", "`@\\u{202e}`"),
        ("org/repo#1", "`org/repo#1`"),
        ("GH-26", "`GH-26`"),
        ("a :smile: b", "`a :smile: b`"),
        ("llama3:8b", "llama3:8b"),
        ("at 06:40:30 UTC: m", "at 06:40:30 UTC: m"),
    ] {
        assert_eq!(markdown(name), escaped);
    }
}

#[test]
fn json_keeps_its_values() {
    let names = ["\u{202e}", "\u{fffe}", "a\nb", "\u{7f}", "\u{e0041}", "漢字", "\"\\"];
    let text = json(&format!("{:#}", serde_json::json!(names)));
    assert!(text.chars().all(|letter| letter == '\n' || is_printable(letter)), "{text}");
    assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), names);
}
