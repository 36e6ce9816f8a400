//! Invariants of readings from arbitrary headers.

use proptest::prelude::*;

use super::*;

/// Returns the names of all headers that are read.
fn names() -> Vec<&'static str> {
    let of_providers =
        Provider::response_formats().flat_map(|format| [format.limit_headers, format.combined_limit_headers]);
    let tables = of_providers.chain([&[REQUESTS][..]]).flatten();
    let ietf = ["ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];
    tables.flat_map(|names| [names.limit, names.remaining, names.reset]).chain(ietf).collect()
}

/// Generates headers with values from `value`, some of them repeated.
fn any_headers(value: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = HeaderMap> {
    let value = value.prop_map(|mut bytes| {
        // Other bytes are not allowed in a header.
        bytes.retain(|byte| HeaderValue::from_bytes(&[*byte]).is_ok());
        HeaderValue::from_bytes(&bytes).unwrap()
    });
    let header = (prop::sample::select(names()), value);
    prop::collection::vec(header, 0..40).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    })
}

fn check_invariants(readings: &[LimitReading]) -> Result<(), TestCaseError> {
    for (at, reading) in readings.iter().enumerate() {
        let is_same = |other: &LimitReading| (other.unit, other.per) == (reading.unit, reading.per);
        prop_assert!(!readings[..at].iter().any(is_same), "{readings:?}");
        prop_assert!(reading.limit.is_some() || reading.remaining.is_some());
        prop_assert_ne!(reading.limit, Some(0));
        prop_assert!(reading.remaining <= reading.limit.or(Some(u64::MAX)));
        prop_assert!(reading.reset.unwrap_or_default() <= MAX_WAIT);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_keep_the_invariants(
        headers in any_headers(prop::collection::vec(any::<u8>(), 0..60)), skew in any::<u32>(), daily: bool,
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(skew.into());
        check_invariants(&readings(&headers, now, daily))?;
    }

    #[test]
    fn malformed_texts_keep_the_invariants(
        headers in any_headers(
            "[0-9]{1,21}(\\.[0-9]{0,3})?(s|ms|m0s|;w=60)?|[-+]?[0-9]{1,3}|NaN|2026-1[0-9]-2[0-9]T0[0-9]:00:00Z\
             |(\"[ab]?\"(;[ ]?(q|r|w|t|qu|pk)=(0|1|60|86400|-1|[0-9]{18,22}|\"requests\"|:=:)){0,4},?[ ]?){0,4}\
             |limit=[0-9]{1,20}, remaining=[0-9]{1,20}(, reset=[0-9]{1,20})?"
                .prop_map(String::into_bytes),
        ),
        daily: bool,
    ) {
        check_invariants(&readings(&headers, now(), daily))?;
    }

    #[test]
    fn second_header_only_tightens_a_limit(
        one in (1..1000_u64, 0..1000_u64), other in (1..1000_u64, 0..1000_u64),
    ) {
        let lines = |kind: &str, (limit, remaining): (u64, u64)| {
            format!("x-ratelimit-limit-{kind}: {limit}\nx-ratelimit-remaining-{kind}: {remaining}\n")
        };
        let both = readings(&headers(&(lines("tokens", one) + &lines("project-tokens", other))), now(), false);
        let (limit, remaining) = (one.0.min(other.0), one.1.min(other.1));
        prop_assert_eq!(shown(&both), [format!("Tokens/Minute {} of {limit}, ?", remaining.min(limit))]);
    }

    #[test]
    fn smaller_share_of_unknown_periods_counts(
        one in (1..1000_u64, 0..1000_u64), other in (1..1000_u64, 0..1000_u64),
    ) {
        let lines = |kind: &str, (limit, remaining): (u64, u64)| {
            format!("x-ratelimit-limit-{kind}: {limit}\nx-ratelimit-remaining-{kind}: {remaining}\n")
        };
        let text = lines("tokens-prompt", one) + &lines("tokens-cache-adjusted-prompt", other);
        let both = readings(&headers(&text), now(), false);
        let [LimitReading { limit: Some(limit), remaining: Some(remaining), .. }] = both[..] else { panic!("{both:?}") };
        for (other_limit, other_remaining) in [one, other] {
            prop_assert!(remaining * other_limit <= other_remaining.min(other_limit) * limit);
        }
    }
}
