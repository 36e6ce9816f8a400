//! Timestamps of RFC 3339, as headers contain them: `2026-11-24T06:40:42.25Z`, or with an offset in place of the `Z`.

use std::time::{Duration, SystemTime};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Returns the point in time, or `None` if `text` is not a timestamp. A leap second is the second before it.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once(['T', 't'])?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_date = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_before(year) + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1;
    let at = days * DAY + hour * HOUR + minute * MINUTE + second.min(59) - seconds_of_offset(offset)?;
    let whole = Duration::from_secs(at.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let whole = if at < 0 { epoch.checked_sub(whole)? } else { epoch.checked_add(whole)? };
    whole.checked_add(nanoseconds(fraction)?)
}

/// Formats a point in time in whole seconds, rounded down. Years before 1970 and after 9999 become the first or last second
/// that can be written.
#[cfg(any(feature = "sim", test))]
pub(crate) fn format(at: SystemTime) -> String {
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let at = i64::try_from(at).unwrap_or(i64::MAX).min(days_before(10_000) * DAY - 1);
    let (mut days, seconds) = (at / DAY, at % DAY);
    let year = (1970..10_000).find(|year| days_before(year + 1) > days).unwrap_or(9999);
    days -= days_before(year);
    let mut month = 1;
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    let (day, hour, minute, second) = (days + 1, seconds / HOUR, seconds % HOUR / MINUTE, seconds % MINUTE);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns the numbers between the separators. `None` unless each has the number of digits given by `widths`.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        *number = parts.next().filter(|part| part.len() == width && is_digits(part))?.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the fraction of a second whose decimals are `digits`. Digits below a nanosecond are dropped.
fn nanoseconds(digits: &str) -> Option<Duration> {
    let nanoseconds = format!("{digits:0<9}");
    is_digits(digits).then(|| Duration::from_nanos(nanoseconds[..9].parse().unwrap_or_default()))
}

/// Returns the offset from UTC in seconds: `Z`, `+HH:MM` or `-HH:MM`.
fn seconds_of_offset(offset: &str) -> Option<i64> {
    let ahead = |offset| {
        let [hours, minutes] = numbers(offset, ':', [2, 2])?;
        (hours < 24 && minutes < 60).then_some(hours * HOUR + minutes * MINUTE)
    };
    match offset.split_at_checked(1)? {
        ("Z" | "z", "") => Some(0),
        ("+", offset) => ahead(offset),
        ("-", offset) => ahead(offset).map(|ahead| -ahead),
        _ => None,
    }
}

/// Returns the days from 1970-01-01 to the first day of `year`.
fn days_before(year: i64) -> i64 {
    let leap_days = |years: i64| years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400);
    365 * (year - 1970) + leap_days(year - 1) - leap_days(1969)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => days_before(year + 1) - days_before(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests;
