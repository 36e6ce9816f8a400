//! The words in the names of fields, types and headers.

pub(super) fn ends_with(words: &[String], ends: &[&str]) -> bool {
    words.last().is_some_and(|word| ends.contains(&&**word))
}

pub(super) fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|known| known == word)
}

/// Splits the last segment of a path into its words in lower case: `Retry-After`, `retry_after` and `RetryAfter` alike. In
/// `HTTPError`, the last capital letter begins a word.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    let mut letters = name.rsplit("::").next().unwrap_or_default().chars().peekable();
    while let Some(letter) = letters.next() {
        let is_separator = !letter.is_alphanumeric();
        let is_start = letter.is_uppercase() && (was_lower || letters.peek().is_some_and(|next| next.is_lowercase()));
        if (is_separator || is_start) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if !is_separator && let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}
