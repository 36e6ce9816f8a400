//! Formatting of counts, times and untrusted text.

pub(crate) use crate::names::printable;

/// Returns `count` with `noun`, which gets an "s" unless `count` is 1.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Formats seconds as `4:50:39`, or `50:39` below an hour.
pub(crate) fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Formats a duration in whole seconds: `35 s`, and from a minute on a [`clock`] time such as `1:27`.
///
/// The command shows all durations in this way. Only conditions have the units in which they are typed.
pub(crate) fn duration(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds} s") } else { clock(seconds) }
}

/// Formats a [`duration`] that has `decimals` below a minute, as `35.0 s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Positive and saturating.
pub(crate) fn precise_duration(seconds: f64, decimals: usize) -> String {
    let shown = format!("{seconds:.decimals$}");
    // What is rounded to a minute is one.
    let is_short = shown.parse::<f64>().is_ok_and(|shown| shown < 60.0);
    if is_short { format!("{shown} s") } else { clock(seconds.round() as u64) }
}

/// Formats seconds since the epoch as a date and time in UTC. After the year 9999 the number itself is returned.
pub(crate) fn utc(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut month) = (1970, 1);
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
        if year > 9999 {
            return seconds.to_string();
        }
    }
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (day, hour, minute, second) = (days + 1, second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn days_in_year(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    365 + u64::from(is_leap)
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        2 => days_in_year(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Joins the lines of a text with spaces and escapes its control characters. Paths and messages of the system may contain both.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    printable(&lines.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests;
