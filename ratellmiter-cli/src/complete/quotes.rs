//! Words of bash: their parts, and their quotes.

/// The word at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Current {
    /// The whole word without quotes.
    pub(super) text: String,
    /// Length of the start of `text` that bash keeps, whatever is inserted.
    pub(super) kept: usize,
    /// The quote in which the word ends.
    pub(super) quote: Option<char>,
}

/// Returns the words without quotes; the last is the current one.
///
/// Bash splits words at some characters that are common in values: the words of `-model=a:b` are `-model`, `=`, `a`, `:` and
/// `b`. They are joined again, and of the last word only the part after such a character is replaced.
pub(super) fn parsed(words: &[String]) -> (Vec<String>, Current) {
    let mut joined: Vec<Current> = Vec::new();
    let mut is_open = false;
    for word in words {
        let is_break = !word.is_empty() && word.chars().all(|letter| matches!(letter, '=' | ':' | '@'));
        let part = unquoted(word);
        match joined.last_mut() {
            Some(whole) if is_break || is_open => {
                let start = whole.text.len();
                whole.text.push_str(&part.text);
                // After a break, the current word of bash is empty.
                whole.kept = if is_break { whole.text.len() } else { start + part.kept };
                whole.quote = part.quote;
            }
            _ => joined.push(part),
        }
        is_open = is_break;
    }
    let current = joined.pop().unwrap_or(Current { text: String::new(), kept: 0, quote: None });
    (joined.into_iter().map(|word| word.text).collect(), current)
}

/// Removes the quotes and escapes of a word. What follows an open quote is replaced, what precedes it is kept.
fn unquoted(word: &str) -> Current {
    let mut current = Current { text: String::new(), kept: 0, quote: None };
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, current.quote) {
            ('\'' | '"', None) => {
                current.quote = Some(letter);
                current.kept = current.text.len();
            }
            (_, Some(quote)) if quote == letter => {
                current.quote = None;
                current.kept = 0;
            }
            ('\\', None) => current.text.extend(letters.next()),
            ('\\', Some('"')) => {
                let escaped = letters.next_if(|next| matches!(next, '"' | '\\' | '$' | '`'));
                current.text.push(escaped.unwrap_or('\\'));
            }
            _ => current.text.push(letter),
        }
    }
    current
}

/// Returns a text as it is typed inside `quote`, or outside quotes; `None` if it cannot be typed there.
///
/// Names from logs are any text, and none may become a command.
pub(super) fn quoted(text: &str, quote: Option<char>) -> Option<String> {
    let forbidden = match quote {
        Some('\'') => "'",
        Some(_) => "\"\\$`!",
        None => "",
    };
    if text.chars().any(|letter| forbidden.contains(letter)) {
        return None;
    }
    if quote.is_some() {
        return Some(text.to_owned());
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() && !"-_./:=@%+,~".contains(letter) {
            shown.push('\\');
        }
        shown.push(letter);
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(words: &[&str]) -> (Vec<String>, String, usize, Option<char>) {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let (before, Current { text, kept, quote }) = parsed(&words);
        (before, text, kept, quote)
    }

    #[test]
    fn words_that_bash_split_are_joined() {
        for (words, before, text, kept) in [
            (&["-model", "=", "a"][..], &[][..], "-model=a", 7),
            (&["-model", "="], &[], "-model=", 7),
            (&["-model", "=", "a", ":", "b"], &[], "-model=a:b", 9),
            (&["-model", "=", "a", ":"], &[], "-model=a:", 9),
            (&["-dir", "=", "x", "-model", "=", ""], &["-dir=x"], "-model=", 7),
            (&["-model=a"], &[], "-model=a", 0),
            (&["-file", "a", ""], &["-file", "a"], "", 0),
            (&[], &[], "", 0),
        ] {
            let (found, current, keeps, quote) = current(words);
            assert_eq!(
                (found, current.as_str(), keeps, quote),
                (before.iter().map(ToString::to_string).collect(), text, kept, None)
            );
        }
    }

    #[test]
    fn quotes_and_escapes_are_removed() {
        for (word, text, kept, quote) in [
            ("my\\ mo", "my mo", 0, None),
            ("'my mo", "my mo", 0, Some('\'')),
            ("a'b c", "ab c", 1, Some('\'')),
            ("\"a\\\"b\\c", "a\"b\\c", 0, Some('"')),
            ("'a'b", "ab", 0, None),
            ("\\", "", 0, None),
        ] {
            assert_eq!(current(&[word]), (Vec::new(), text.into(), kept, quote), "{word}");
        }
    }

    #[test]
    fn inserted_text_is_never_a_command() {
        for (text, plain, single, double) in [
            ("gpt-4o:x/y.z_1", "gpt-4o:x/y.z_1", Some("gpt-4o:x/y.z_1"), Some("gpt-4o:x/y.z_1")),
            ("a b", "a\\ b", Some("a b"), Some("a b")),
            ("$(id)`id`", "\\$\\(id\\)\\`id\\`", Some("$(id)`id`"), None),
            ("a';id #", "a\\'\\;id\\ \\#", None, Some("a';id #")),
            ("\"!x\\", "\\\"\\!x\\\\", Some("\"!x\\"), None),
            ("漢字", "漢字", Some("漢字"), Some("漢字")),
        ] {
            assert_eq!(quoted(text, None).as_deref(), Some(plain));
            assert_eq!(quoted(text, Some('\'')).as_deref(), single);
            assert_eq!(quoted(text, Some('"')).as_deref(), double);
        }
    }
}
