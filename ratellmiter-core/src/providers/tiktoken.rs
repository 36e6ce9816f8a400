//! Counts tokens as `OpenAI`'s models do, with `tiktoken-rs`.

use tiktoken_rs::{
    bpe_for_tokenizer,
    tokenizer::{Tokenizer, get_tokenizer},
};

/// How many tokens a text has for one of `OpenAI`'s models. Needs the feature `tiktoken`.
///
/// It is exact for the text alone: a chat has a few more around each message, and tools and pictures are counted in ways of
/// their own. For names that are not known it counts with `o200k_base`, the vocabulary of `gpt-4o` and later ones. That is
/// no more than an estimate for the models of others, as [`estimate_tokens`](crate::tokens::estimate_tokens) is one without a
/// vocabulary.
///
/// The first call loads the vocabulary, and it stays: 88 ms and 45 MB for `o200k_base`, 31 ms and 24 MB for the `cl100k_base`
/// of `gpt-4` and `gpt-3.5-turbo`. From then on 22 to 68 MB of text are counted in a second. Measured with tiktoken-rs
/// 0.12.1 in a release build on two cores; in a debug build it takes many times as long.
///
/// ```
/// use ratellmiter_core::{tokens::count_tokens, ratellmiter};
///
/// #[ratellmiter(model = "gpt-4o", tokens = (count_tokens("gpt-4o", prompt), 500))]
/// async fn answer(prompt: &str) -> Result<String, std::io::Error> {
///     Ok(format!("the answer to {prompt}")) // the call, with 500 as its `max_tokens`
/// }
///
/// assert_eq!(count_tokens("gpt-4o", "tiktoken is great!"), 6);
/// ```
#[must_use]
pub fn count_tokens(model: &str, text: &str) -> u64 {
    let tokenizer = get_tokenizer(model).unwrap_or(Tokenizer::O200kBase);
    // Each vocabulary is loaded once. None of them fails to: they are part of the program.
    let counted = bpe_for_tokenizer(tokenizer).map(|vocabulary| vocabulary.count_ordinary(text));
    counted.map_or_else(|_| crate::tokens::estimate_tokens(text), |tokens| tokens.try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in `OpenAI`'s cookbook, "How to count tokens with tiktoken".
    #[test]
    fn counts_are_those_of_openai() {
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

    #[test]
    fn a_name_that_is_not_known_counts_as_the_newest() {
        let text = "お誕生日おめでとう";
        assert_eq!(count_tokens("claude-sonnet-4-5", text), count_tokens("gpt-4o", text));
        assert_eq!(count_tokens("ft:gpt-4:acme::7p4lURel", text), count_tokens("gpt-4", text));
    }

    /// A prompt may quote what a model uses for its own marks.
    #[test]
    fn special_tokens_are_text() {
        assert!(count_tokens("gpt-4o", "<|endoftext|>") > 1);
    }
}
