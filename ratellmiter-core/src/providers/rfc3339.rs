//! Timestamps of RFC 3339, as headers have them: `2026-11-24T06:40:42.25Z`, or with an offset in place of the `Z`.

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

/// Returns the numbers between the separators, if each has as many digits as its width.
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

/// Returns the fraction of a second that these digits are behind its point; what is less than a nanosecond is dropped.
fn nanoseconds(digits: &str) -> Option<Duration> {
    let nanoseconds = format!("{digits:0<9}");
    is_digits(digits).then(|| Duration::from_nanos(nanoseconds[..9].parse().unwrap_or_default()))
}

/// Returns how far local time is ahead of UTC, in seconds: `Z`, `+HH:MM` or `-HH:MM`.
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
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_part_of_a_timestamp_is_read() {
        let at = |seconds, nanoseconds| Some(SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds));
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", at(0, 0)),
            ("2026-11-24T06:40:42Z", at(1_795_502_442, 0)),
            ("2026-11-24t06:40:42z", at(1_795_502_442, 0)),
            ("2026-11-24T06:40:42.25Z", at(1_795_502_442, 250_000_000)),
            ("2026-11-24T06:40:42.1234567899Z", at(1_795_502_442, 123_456_789)),
            ("2026-11-24T08:10:42+01:30", at(1_795_502_442, 0)),
            ("2026-11-23T22:40:42-08:00", at(1_795_502_442, 0)),
            ("2024-02-29T00:00:00Z", at(1_709_164_800, 0)),
            ("2016-12-31T23:59:60Z", at(1_483_228_799, 0)),
            ("1969-12-31T23:59:59.5Z", Some(SystemTime::UNIX_EPOCH - Duration::from_millis(500))),
            ("0000-01-01T00:00:00Z", Some(SystemTime::UNIX_EPOCH - Duration::from_secs(62_167_219_200))),
            ("9999-12-31T23:59:59Z", at(253_402_300_799, 0)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn other_text_is_no_timestamp() {
        for text in [
            "",
            "T",
            "2026-11-24",
            "2026-11-24T06:40:42",
            "2026-11-24T06:40Z",
            "2026-11-24T06:40:42Z ",
            "2026-11-24 06:40:42Z",
            "2026-11-24T06:40:42.Z",
            "2026-11-24T06:40:42,5Z",
            "2026-11-24T06:40:42+0100",
            "2026-11-24T06:40:42+24:00",
            "2026-11-24T06:40:42+01:60",
            "2026-11-24T06:40:42Z+01:00",
            "2026-11-24T24:00:00Z",
            "2026-11-24T06:60:00Z",
            "2026-11-24T06:40:61Z",
            "2026-11-24T06:40:42:00Z",
            "2026-00-24T06:40:42Z",
            "2026-13-24T06:40:42Z",
            "2026-11-00T06:40:42Z",
            "2026-11-31T06:40:42Z",
            "2026-02-29T06:40:42Z",
            "2100-02-29T06:40:42Z",
            "26-11-24T06:40:42Z",
            "+2026-11-24T06:40:42Z",
            "2026-+1-24T06:40:42Z",
            "2026-11-24T06:40:42é",
            "٢٠٢٦-11-24T06:40:42Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_the_nearest_that_can() {
        assert_eq!(format(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
        let late = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(format(late), "9999-12-31T23:59:59Z");
    }

    proptest! {
        #[test]
        fn timestamps_are_those_of_jiff(seconds in -62_167_219_200_i64..253_402_207_200, nanoseconds in 0..1_000_000_000_u64) {
            let at = Timestamp::new(seconds, 0).unwrap().checked_add(Duration::from_nanos(nanoseconds)).unwrap();
            prop_assert_eq!(parse(&at.to_string()), Some(at.into()));
            if seconds >= 0 {
                prop_assert_eq!(format(at.into()), format!("{:.0}", Timestamp::new(seconds, 0).unwrap()));
            }
        }

        #[test]
        fn no_text_is_a_panic(text in "[0-9TtZz:.+ é-]{0,30}") {
            let jiff = text.parse::<Timestamp>();
            if let Some(at) = parse(&text) {
                prop_assert_eq!(jiff.map(SystemTime::from).ok(), Some(at));
            }
        }
    }
}
