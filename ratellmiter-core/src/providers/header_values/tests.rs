use proptest::prelude::*;

use super::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_502_400)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn milliseconds_outrank_seconds_and_junk_is_ignored() {
    let both = headers(&[("retry-after-ms", "750"), ("retry-after", "1")]);
    assert_eq!(retry_after(&both, now()), Some(Duration::from_millis(750)));
    let junk = headers(&[("retry-after-ms", "soon"), ("retry-after", "3")]);
    assert_eq!(retry_after(&junk, now()), Some(Duration::from_secs(3)));
    assert_eq!(retry_after(&headers(&[("retry-after", "NaN")]), now()), None);
}

#[test]
fn ietf_header_has_the_reset_of_an_exhausted_limit() {
    let header = headers(&[("ratelimit", "\"minute\";r=0;t=30, \"day\";r=500;t=40000")]);
    assert_eq!(reset_after(&header, now()), Some(Duration::from_secs(30)));
    assert_eq!(reset_after(&headers(&[("ratelimit", "limit=9, remaining=3, reset=7")]), now()), None);
}

#[test]
fn policies_of_all_drafts_are_parsed() {
    let minute = Policy { quota: Some(100), window: Some(Duration::from_secs(60)), ..Policy::default() };
    let bytes = Policy { is_other_unit: true, ..minute.clone() };
    let named = policies("\"minute\";q=100;w=60;qu=\"requests\", \"size\"; q=100; w=60; qu=\"content-bytes\"");
    assert_eq!(named, [("minute".to_owned(), minute.clone()), ("size".to_owned(), bytes)]);
    assert_eq!(policies("100;w=60, ten;w=1"), [(String::new(), minute)]);
    assert_eq!(policies("\"a,b\";r=0, \"c;r=0\", \"d\";r=-1, \"e\""), []);
}

#[test]
fn longer_waits_are_clamped_to_a_month() {
    assert_eq!(duration("31536000"), Some(MAX_WAIT));
    assert_eq!(wait("Wed, 24 Nov 2027 06:40:00 GMT", now()), Some(MAX_WAIT));
    assert_eq!(reset("9999-01-01T00:00:00Z", now()), Some(MAX_WAIT));
    assert_eq!(reset("99999999999999999999999999", now()), Some(MAX_WAIT));
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_the_longest_wait(
        bytes in prop::collection::vec(any::<u8>(), 0..60), skew in any::<u32>(),
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(skew.into());
        let text = String::from_utf8_lossy(&bytes);
        let found = [duration(&text), wait(&text, now), reset(&text, now)];
        prop_assert!(found.into_iter().flatten().all(|wait| wait <= MAX_WAIT));
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
    fn malformed_texts_are_read_within_the_longest_wait(text in "[0-9.]{0,30}(h|m|s|ms|us|µs|T|Z|:|-|\\+|e|inf|NaN| GMT)?[0-9.:]{0,12}(s|Z)?") {
        let now = now();
        let found = [duration(&text), wait(&text, now), reset(&text, now)];
        prop_assert!(found.into_iter().flatten().all(|wait| wait <= MAX_WAIT));
    }

    #[test]
    fn duration_is_exact_to_the_millisecond(millis in 0_u64..2_000_000_000) {
        let text = format!("{}.{:03}s", millis / 1000, millis % 1000);
        prop_assert_eq!(duration(&text), Some(Duration::from_millis(millis)));
    }
}
