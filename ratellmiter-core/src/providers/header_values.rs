//! What headers say of waiting: durations, dates, resets, in all the forms that providers send.
//!
//! Nothing in here trusts its input: what is not understood is nothing, and what is too large is clamped to
//! [`LONGEST`]. Forms as of November 2026:
//! `retry-after-ms` (Azure `OpenAI`), `retry-after` in seconds, with a fraction, as a Go duration or as one of the three
//! dates of RFC 9110, `x-ratelimit-reset` in seconds (Together) or epoch milliseconds (`OpenRouter`),
//! `anthropic-ratelimit-*-reset` in RFC 3339, and the `RateLimit` field of draft-ietf-httpapi-ratelimit-headers-11 with
//! its forerunners.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::providers::rfc3339;

/// No hint is longer: the days of a month.
pub(crate) const LONGEST: Duration = Duration::from_hours(31 * 24);

/// How long the server asks us to wait, by the headers that say so for all requests of this kind.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let millis = || number(text(headers, "retry-after-ms")?).map(|millis| millis / 1e3).and_then(seconds);
    let general = || wait(text(headers, "retry-after")?, now);
    millis().or_else(general)
}

/// When there is room again, by headers that tell so on a refusal. Never `x-ratelimit-reset-requests` and its like: they
/// count to a full budget, not to the next request.
pub(crate) fn reset_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let exhausted = || {
        let policies = policies(text(headers, "ratelimit")?);
        policies
            .into_iter()
            .filter(|(_, policy)| policy.remaining == Some(0))
            .filter_map(|(_, policy)| policy.reset)
            .max()
    };
    text(headers, "x-ratelimit-reset").and_then(|value| reset(value, now)).or_else(exhausted)
}

/// One of several limits, as the IETF's drafts tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) quota: Option<u64>,
    pub(crate) window: Option<Duration>,
    pub(crate) remaining: Option<u64>,
    pub(crate) reset: Option<Duration>,
    /// It counts something else than requests.
    pub(crate) is_other_unit: bool,
}

impl Policy {
    /// Takes in a parameter, if it is a known one and well formed.
    fn take(&mut self, parameter: &str) {
        let Some((key, value)) = parameter.split_once('=') else { return };
        let value = value.trim();
        let time = || number(value).and_then(seconds);
        match key.trim() {
            "q" | "limit" => self.quota = count(value).or(self.quota),
            "w" => self.window = time().or(self.window),
            "r" | "remaining" => self.remaining = count(value).or(self.remaining),
            "t" | "reset" => self.reset = time().or(self.reset),
            "qu" => self.is_other_unit = value.trim_matches('"') != "requests",
            _ => {}
        }
    }
}

/// The items of a `RateLimit` or `RateLimit-Policy` field by name: `"name";r=50;t=30` and `"name";q=100;w=60`. In older
/// drafts they have none: `limit=100, remaining=50, reset=30` and `100;w=60`.
pub(crate) fn policies(value: &str) -> Vec<(String, Policy)> {
    let mut single = Policy::default();
    if !value.contains('"') {
        value.split(',').for_each(|part| single.take(part));
    }
    if single != Policy::default() {
        return vec![(String::new(), single)];
    }
    let item = |item: &str| {
        let mut parts = item.split(';');
        let first = parts.next()?.trim();
        let mut policy = Policy::default();
        let name = first.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        if name.is_none() {
            policy.quota = Some(count(first)?);
        }
        parts.for_each(|part| policy.take(part));
        (policy != Policy::default()).then(|| (name.unwrap_or_default().to_owned(), policy))
    };
    value.split(',').filter_map(item).collect()
}

/// The header, if it is there and is text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// The header as often as it is there and is text.
pub(crate) fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::trim)
}

/// A `Retry-After`: seconds, a Go duration, or a date; a date that is past asks for no wait.
pub(crate) fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    duration(value).or_else(|| {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(now).unwrap_or_default().min(LONGEST))
    })
}

/// A reset: epoch milliseconds, epoch seconds, seconds from now, RFC 3339 or a Go duration, told apart by their size and
/// their letters.
pub(crate) fn reset(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let until = |epoch: Duration| {
        // Beyond the end of time is beyond the longest.
        let left = SystemTime::UNIX_EPOCH.checked_add(epoch).map(|at| at.duration_since(now).unwrap_or_default());
        Some(left.unwrap_or(LONGEST).min(LONGEST))
    };
    match number(value) {
        Some(millis) if millis >= 1e12 => until(Duration::try_from_secs_f64(millis / 1e3).unwrap_or(Duration::MAX)),
        Some(epoch) if epoch >= 1e9 => until(Duration::try_from_secs_f64(epoch).unwrap_or(Duration::MAX)),
        Some(from_now) => seconds(from_now),
        None if value.contains('T') && value.contains(':') => {
            Some(rfc3339::parse(value)?.duration_since(now).unwrap_or_default().min(LONGEST))
        }
        None => duration(value),
    }
}

/// Seconds, or a Go duration such as `2m59.56s`; rounded up to the millisecond. Negative ones and those without end are none.
pub(crate) fn duration(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Some(number) = number(value) {
        return seconds(number);
    }
    let mut rest = value;
    let mut sum = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let amount = number(&rest[..digits])?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| letter.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        sum += amount * unit;
        rest = &rest[letters..];
    }
    if value.is_empty() { None } else { seconds(sum) }
}

/// A plain decimal number that is not negative: no sign, no exponent, no `inf`.
fn number(value: &str) -> Option<f64> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { value.parse().ok() } else { None }
}

/// A whole number; what is behind the point is cut off, since half a request is none. One too large is none either.
pub(crate) fn count(value: &str) -> Option<u64> {
    number(value)?;
    value.split('.').next()?.parse().ok()
}

/// Rounded up to the millisecond, so that nobody comes too early, and clamped.
fn seconds(seconds: f64) -> Option<Duration> {
    // A billionth is the error of the sum, not time.
    let millis = (seconds * 1e3 - 1e-6).ceil().max(0.0);
    if millis.is_nan() {
        return None;
    }
    // Far below where a float loses milliseconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    Some(Duration::from_millis(millis.min(LONGEST.as_millis() as f64) as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_502_400)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn milliseconds_win_over_seconds_and_junk_over_nothing() {
        let both = headers(&[("retry-after-ms", "750"), ("retry-after", "1")]);
        assert_eq!(retry_after(&both, now()), Some(Duration::from_millis(750)));
        let junk = headers(&[("retry-after-ms", "soon"), ("retry-after", "3")]);
        assert_eq!(retry_after(&junk, now()), Some(Duration::from_secs(3)));
        assert_eq!(retry_after(&headers(&[("retry-after", "NaN")]), now()), None);
    }

    #[test]
    fn the_ietf_tells_when_an_exhausted_limit_has_room() {
        let header = headers(&[("ratelimit", "\"minute\";r=0;t=30, \"day\";r=500;t=40000")]);
        assert_eq!(reset_after(&header, now()), Some(Duration::from_secs(30)));
        assert_eq!(reset_after(&headers(&[("ratelimit", "limit=9, remaining=3, reset=7")]), now()), None);
    }

    #[test]
    fn policies_of_all_drafts_are_read() {
        let minute = Policy { quota: Some(100), window: Some(Duration::from_secs(60)), ..Policy::default() };
        let bytes = Policy { is_other_unit: true, ..minute.clone() };
        let named = policies("\"minute\";q=100;w=60;qu=\"requests\", \"size\"; q=100; w=60; qu=\"content-bytes\"");
        assert_eq!(named, [("minute".to_owned(), minute.clone()), ("size".to_owned(), bytes)]);
        assert_eq!(policies("100;w=60, ten;w=1"), [(String::new(), minute)]);
        assert_eq!(policies("\"a,b\";r=0, \"c;r=0\", \"d\";r=-1, \"e\""), []);
    }

    #[test]
    fn a_year_is_clamped() {
        assert_eq!(duration("31536000"), Some(LONGEST));
        assert_eq!(wait("Wed, 24 Nov 2027 06:40:00 GMT", now()), Some(LONGEST));
        assert_eq!(reset("9999-01-01T00:00:00Z", now()), Some(LONGEST));
        assert_eq!(reset("99999999999999999999999999", now()), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_or_ask_for_more_than_the_longest(
            bytes in prop::collection::vec(any::<u8>(), 0..60), skew in any::<u32>(),
        ) {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(skew.into());
            let text = String::from_utf8_lossy(&bytes);
            let found = [duration(&text), wait(&text, now), reset(&text, now)];
            prop_assert!(found.into_iter().flatten().all(|wait| wait <= LONGEST));
            policies(&text);
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                for name in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
                    let mut map = HeaderMap::new();
                    map.insert(name, value.clone());
                    retry_after(&map, now);
                    reset_after(&map, now);
                }
            }
        }

        #[test]
        fn nearly_right_texts_do_not_panic_either(text in "[0-9.]{0,30}(h|m|s|ms|us|µs|T|Z|:|-|\\+|e|inf|NaN| GMT)?[0-9.:]{0,12}(s|Z)?") {
            let now = now();
            let found = [duration(&text), wait(&text, now), reset(&text, now)];
            prop_assert!(found.into_iter().flatten().all(|wait| wait <= LONGEST));
        }

        #[test]
        fn a_duration_is_never_rounded_down(millis in 0_u64..2_000_000_000) {
            let text = format!("{}.{:03}s", millis / 1000, millis % 1000);
            prop_assert_eq!(duration(&text), Some(Duration::from_millis(millis)));
        }
    }
}
