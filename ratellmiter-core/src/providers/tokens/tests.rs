use proptest::prelude::*;

use super::*;

#[test]
fn estimate_is_a_third_of_the_bytes() {
    for (text, tokens) in [("", 0), ("a", 1), ("abc", 1), ("abcd", 2), ("生命", 2)] {
        assert_eq!(estimate_tokens(text), tokens, "{text}");
    }
}

proptest! {
    #[test]
    fn estimate_of_any_text_is_rounded_up(text in "\\PC{0,60}") {
        prop_assert_eq!(estimate_tokens(&text), (text.len() as u64).div_ceil(3));
    }
}

/// Counts from `OpenAI`'s cookbook, "How to count tokens with tiktoken".
#[cfg(feature = "tiktoken")]
#[test]
fn counts_match_openais_cookbook() {
    for (model, text, tokens) in [
        ("gpt-4o", "antidisestablishmentarianism", 6),
        ("gpt-4", "antidisestablishmentarianism", 6),
        ("gpt-4", "2 + 2 = 4", 7),
        ("gpt-4", "お誕生日おめでとう", 9),
        ("gpt-4o", "お誕生日おめでとう", 8),
        ("gpt-4", "tiktoken is great!", 6),
        ("gpt-4o", "", 0),
    ] {
        assert_eq!(count_tokens(model, text), tokens, "{model}: {text}");
    }
}

#[cfg(feature = "tiktoken")]
#[test]
fn unknown_model_counts_with_the_newest_vocabulary() {
    let text = "お誕生日おめでとう";
    assert_eq!(count_tokens("claude-sonnet-4-5", text), count_tokens("gpt-4o", text));
    assert_eq!(count_tokens("ft:gpt-4:acme::7p4lURel", text), count_tokens("gpt-4", text));
}

/// A prompt may quote the special tokens of a model.
#[cfg(feature = "tiktoken")]
#[test]
fn special_tokens_count_as_text() {
    assert!(count_tokens("gpt-4o", "<|endoftext|>") > 1);
}
