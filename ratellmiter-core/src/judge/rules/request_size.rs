//! Requests that ask for more than the whole limit.

/// Maximum number of places in a message at which a number is looked for.
const MAX_PLACES: usize = 8;

/// Words between a name and its number: "limit is 30000", "requested about 50000 tokens".
const FILLERS: &[&str] = &[" ", ":", "=", "is ", "of ", "was ", "about ", "up to ", "only ", "tokens", "value", "("];

/// Returns `true` if the message names a requested amount that is larger than the limit: "Limit 30000, Requested 342389", or
/// larger than the rest of the credit: "requested up to 65536 tokens, but can only afford 30104" (`OpenRouter`). Without any
/// credit, other requests are refused too. `None` if it does not name both amounts.
pub(super) fn exceeds_limit(message: &str) -> Option<bool> {
    let requested = named(message, "requested").or_else(|| named(message, "requesting"))?;
    let limit = named(message, "limit").or_else(|| named(message, "afford").filter(|left| *left > 0.0))?;
    Some(requested > limit)
}

/// Returns the number behind a name, or else the one before it.
fn named(message: &str, name: &str) -> Option<f64> {
    let places = || message.match_indices(name).take(MAX_PLACES);
    let behind = places().find_map(|(at, _)| number_behind(&message[at + name.len()..]));
    behind.or_else(|| places().find_map(|(at, _)| number_before(&message[..at])))
}

fn number_behind(text: &str) -> Option<f64> {
    let mut rest = text;
    while let Some(next) = FILLERS.iter().find_map(|filler| rest.strip_prefix(filler)) {
        rest = next;
    }
    let end = rest.find(|letter: char| !is_part_of_number(letter)).unwrap_or(rest.len());
    parse(&rest[..end], &rest[end..])
}

fn number_before(text: &str) -> Option<f64> {
    let text = text.trim_end();
    let text = text.strip_suffix("tokens").unwrap_or(text).trim_end();
    parse(&text[text.trim_end_matches(is_part_of_number).len()..], "")
}

fn is_part_of_number(letter: char) -> bool {
    letter.is_ascii_digit() || matches!(letter, ',' | '.' | '_')
}

/// Parses digits with separators of thousands, and with the unit behind them: "30,000", "30k".
fn parse(digits: &str, behind: &str) -> Option<f64> {
    let digits = digits.trim_end_matches([',', '.', '_']).trim_start_matches([',', '.']);
    let number: f64 = digits.replace([',', '_'], "").parse().ok()?;
    let is_unit = |unit: char| behind.starts_with(unit) && !behind[1..].starts_with(char::is_alphabetic);
    Some(match () {
        () if is_unit('k') => number * 1e3,
        () if is_unit('m') => number * 1e6,
        () => number,
    })
}
