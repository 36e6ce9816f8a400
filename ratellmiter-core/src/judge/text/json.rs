//! A JSON body inside a text: as it is, escaped in a quoted string, or cut off.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::judge::body::object_in;

/// Maximum number of places at which a body is looked for.
const MAX_PLACES: usize = 8;

/// Maximum number of times that a body was escaped.
const MAX_ESCAPES: usize = 3;

/// A JSON object or list that was found in a text.
#[derive(Debug)]
pub(super) struct Found {
    /// The place in the text.
    pub(super) range: Range<usize>,
    /// The JSON, without escapes and complete.
    pub(super) json: String,
}

/// Returns the first JSON object in `text` behind `from`.
pub(super) fn find(text: &str, from: usize) -> Option<Found> {
    let places = text.get(from..)?.match_indices('{').map(|(at, _)| from + at).take(MAX_PLACES);
    let whole = || {
        let object = object_in(&text[from..])?;
        let start = object.as_ptr() as usize - text.as_ptr() as usize;
        Some(Found { range: start..start + object.len(), json: object.to_owned() })
    };
    places.into_iter().find_map(|start| at(text, start)).or_else(whole)
}

fn at(text: &str, start: usize) -> Option<Found> {
    let rest = &text[start..];
    // A structure in the format of `Debug`.
    if !starts_with_a_key(&rest[1..]) {
        return None;
    }
    if let Some((length, json)) = prefix(rest) {
        return Some(Found { range: start..start + length, json });
    }
    if !rest[1..].trim_start().starts_with('\\') {
        return None;
    }
    let mut unescaped = rest.to_owned();
    for _ in 0..MAX_ESCAPES {
        let end = end_of_string(&unescaped);
        unescaped = unescape(&unescaped[..end]);
        if let Some((_, json)) = prefix(&unescaped) {
            return Some(Found { range: start..start + end_of_string(rest), json });
        }
    }
    None
}

/// Returns `true` if a quoted key, maybe escaped, is behind the brace. A structure in the format of `Debug` has none.
fn starts_with_a_key(mut text: &str) -> bool {
    loop {
        let trimmed = text.trim_start();
        let is_escape = |text: &&str| text.starts_with(['n', 'r', 't']);
        match trimmed.trim_start_matches('\\') {
            behind if behind.len() < trimmed.len() && is_escape(&behind) => text = &behind[1..],
            behind => return behind.starts_with('"'),
        }
    }
}

/// Returns the length of the JSON object at the start of the text, and the object. An object that the end of the text cuts off
/// is completed.
fn prefix(text: &str) -> Option<(usize, String)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next()? {
        Ok(Value::Object(fields)) if !fields.is_empty() => {
            let length = values.byte_offset();
            Some((length, text[..length].to_owned()))
        }
        Err(error) if error.is_eof() => completed(text).map(|json| (text.len(), json)),
        _ => None,
    }
}

/// Closes the strings, objects and lists that the end of the text leaves open.
fn completed(text: &str) -> Option<String> {
    let (mut open, mut in_string, mut is_escaped) = (Vec::new(), false, false);
    // The last place between two fields or items, with what is open there.
    let mut last_comma = None;
    for (at, letter) in text.char_indices() {
        if in_string {
            in_string = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            continue;
        }
        match letter {
            '"' => in_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => drop(open.pop()),
            ',' => last_comma = Some((at, open.clone())),
            _ => {}
        }
    }
    let close = |text: &str, open: &[char]| text.to_owned() + &open.iter().rev().collect::<String>();
    let mut cut = text.trim_end().to_owned();
    if in_string {
        if let Some(escape) = cut.rfind('\\').filter(|at| cut.len() - at < 6) {
            cut.truncate(escape);
        }
        cut.push('"');
    }
    let as_key = || close(&format!("{cut}:null"), &open);
    let at_comma = || last_comma.as_ref().map(|(at, open)| close(&text[..*at], open));
    let is_object =
        |json: &String| serde_json::from_str(json).is_ok_and(|fields: Map<String, Value>| !fields.is_empty());
    let candidates = [Some(close(&cut, &open)), Some(as_key()), Some(close(&format!("{cut}null"), &open)), at_comma()];
    candidates.into_iter().flatten().find(is_object)
}

/// Returns the position of the quote that ends the string which the text begins in.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' && !is_escaped {
            return at;
        }
        is_escaped = !is_escaped && byte == b'\\';
    }
    text.len()
}

/// Removes one level of escapes, those of JSON and of `Debug`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let Some(letter) = behind.chars().next() else { return out };
        rest = &behind[letter.len_utf8()..];
        match letter {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' if rest.starts_with('{') => {
                let (digits, behind) = rest[1..].split_once('}').unwrap_or((rest, ""));
                out.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
                rest = behind;
            }
            // A sequence of JSON in a string of `Debug` has two backslashes.
            'u' => out.push_str("\\u"),
            other => out.push(other),
        }
    }
    out.push_str(rest);
    out
}
