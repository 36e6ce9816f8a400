//! Structures in the format of `Debug`, and dictionaries of Python, as JSON: `ApiError { code: Some("slow_down") }`.

use super::{json::Found, names, words::tokens};

/// Maximum number of places at which a structure is looked for.
const MAX_PLACES: usize = 4;

/// Maximum length in bytes of a structure.
const MAX_BYTES: usize = 16 << 10;

/// Returns the first structure in `text` that can be read, as JSON.
pub(super) fn find(text: &str) -> Option<Found> {
    let places = text.match_indices('{').map(|(at, _)| at).take(MAX_PLACES);
    places.into_iter().find_map(|start| {
        let rest = &text[start..];
        let (json, length) =
            Reader { text: &rest[..rest.floor_char_boundary(MAX_BYTES)], at: 0, json: String::new() }.read()?;
        Some(Found { range: start..start + length, json })
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    json: String,
}

impl Reader<'_> {
    /// Returns the JSON and the length of the structure at the start of the text.
    fn read(mut self) -> Option<(String, usize)> {
        // The ends of what is open. A wrapper, such as `Some(…)`, has none in JSON.
        let mut open = Vec::new();
        while let Some(letter) = self.text[self.at..].chars().next() {
            match letter {
                '"' | '\'' => self.string(letter)?,
                '{' | '[' => {
                    open.push(Some(if letter == '{' { '}' } else { ']' }));
                    self.json.push(letter);
                    self.at += 1;
                }
                '}' | ']' | ')' => {
                    let end = open.pop()?;
                    let kept = self.json.trim_end_matches(',').len();
                    self.json.truncate(kept);
                    self.json.extend(end);
                    self.at += 1;
                }
                letter if letter.is_alphanumeric() || matches!(letter, '_' | '-') => self.word(&mut open)?,
                letter if letter.is_whitespace() => self.at += letter.len_utf8(),
                ',' | ':' => {
                    self.json.push(letter);
                    self.at += 1;
                }
                _ => return None,
            }
            if open.is_empty() {
                let is_valid = serde_json::from_str::<serde_core::de::IgnoredAny>(&self.json).is_ok();
                return is_valid.then_some((self.json, self.at));
            }
        }
        None
    }

    /// Reads a name, a number, a key or a value without quotes, and the bracket that it opens.
    fn word(&mut self, open: &mut Vec<Option<char>>) -> Option<()> {
        let rest = &self.text[self.at..];
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | '#' | '+');
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        self.at += length;
        let next = behind.trim_start();
        match next.chars().next() {
            // A path: `module::Name`.
            Some(':') if next.starts_with("::") => {
                self.at += behind.len() - next.len() + 2;
            }
            Some(':') => self.json.push_str(&serde_json::to_string(word.trim_start_matches("r#")).ok()?),
            Some('(') => {
                let is_wrapper = matches!(word, "Some" | "Ok" | "Err" | "String" | "Number" | "Bool");
                self.at += behind.len() - next.len() + 1;
                if !is_wrapper {
                    self.json.push('[');
                }
                open.push((!is_wrapper).then_some(']'));
            }
            // The name of a structure.
            Some('{' | '[') => {}
            _ => match word {
                "true" | "false" => self.json.push_str(word),
                "True" | "False" => self.json.push_str(&word.to_lowercase()),
                "None" | "Null" | "null" | "nil" => self.json.push_str("null"),
                number if number.parse::<f64>().is_ok() => self.json.push_str(number),
                // The variant of an enum: `ResourceExhausted`.
                name => {
                    let code = names::code(&tokens(name)).unwrap_or_else(|| name.to_owned());
                    self.json.push_str(&serde_json::to_string(&code).ok()?);
                }
            },
        }
        Some(())
    }

    /// Reads a string with the escapes of `Debug`.
    fn string(&mut self, quote: char) -> Option<()> {
        let mut content = String::new();
        let mut letters = self.text[self.at + 1..].char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => match letters.next()?.1 {
                    'n' => content.push('\n'),
                    'r' => content.push('\r'),
                    't' => content.push('\t'),
                    '0' => content.push('\0'),
                    'u' => {
                        let digits: String = letters
                            .by_ref()
                            .map(|(_, letter)| letter)
                            .skip_while(|letter| *letter == '{')
                            .take_while(|letter| *letter != '}')
                            .collect();
                        content.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                    }
                    other => content.push(other),
                },
                letter if letter == quote => {
                    self.json.push_str(&serde_json::to_string(&content).ok()?);
                    self.at += 1 + at + 1;
                    return Some(());
                }
                letter => content.push(letter),
            }
        }
        None
    }
}
