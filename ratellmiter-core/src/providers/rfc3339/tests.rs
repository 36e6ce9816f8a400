use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

#[test]
fn parse_reads_every_part_of_a_timestamp() {
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
fn parse_rejects_other_text() {
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
fn format_clamps_to_the_nearest_year() {
    assert_eq!(format(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert_eq!(format(late), "9999-12-31T23:59:59Z");
}

proptest! {
    #[test]
    fn timestamps_match_jiff(seconds in -62_167_219_200_i64..253_402_207_200, nanoseconds in 0..1_000_000_000_u64) {
        let at = Timestamp::new(seconds, 0).unwrap().checked_add(Duration::from_nanos(nanoseconds)).unwrap();
        prop_assert_eq!(parse(&at.to_string()), Some(at.into()));
        if seconds >= 0 {
            prop_assert_eq!(format(at.into()), format!("{:.0}", Timestamp::new(seconds, 0).unwrap()));
        }
    }

    #[test]
    fn parse_agrees_with_jiff_on_any_text(text in "[0-9TtZz:.+ é-]{0,30}") {
        let jiff = text.parse::<Timestamp>();
        if let Some(at) = parse(&text) {
            prop_assert_eq!(jiff.map(SystemTime::from).ok(), Some(at));
        }
    }
}
