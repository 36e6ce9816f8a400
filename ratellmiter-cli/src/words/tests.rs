//! Tests of `words`.

use super::*;

#[test]
fn durations_have_hours_only_if_needed() {
    assert_eq!(
        [0, 59, 60, 3599, 3600, 90_061].map(short_duration),
        ["0s", "59s", "1m00s", "59m59s", "1h00m00s", "25h01m01s"]
    );
}

#[test]
fn dates_follow_the_gregorian_calendar() {
    for (seconds, date) in [
        (0, "1970-01-01 00:00:00"),
        (951_782_399, "2000-02-28 23:59:59"),
        (951_782_400, "2000-02-29 00:00:00"),
        (951_868_800, "2000-03-01 00:00:00"),
        (1_795_502_442, "2026-11-24 06:40:42"),
        (1_830_297_599, "2027-12-31 23:59:59"),
        (4_107_542_400, "2100-03-01 00:00:00"),
        (253_402_300_799, "9999-12-31 23:59:59"),
        (253_402_300_800, "253402300800"),
    ] {
        assert_eq!(utc(seconds), date);
    }
    assert_eq!(utc(u64::MAX), u64::MAX.to_string());
}

#[test]
fn long_durations_are_clock_times() {
    assert_eq!(
        [0, 30, 300, 3599, 3600, 17_439, 90_061].map(clock),
        ["0:00", "0:30", "5:00", "59:59", "1:00:00", "4:50:39", "25:01:01"]
    );
    assert_eq!(
        [0.04, 59.96, 3599.9, 17_439.4].map(|seconds| length(seconds, 1)),
        ["0.0 s", "60.0 s", "3599.9 s", "4:50:39"]
    );
    assert_eq!(length(35.0, 0), "35 s");
    assert!(length(f64::MAX, 1).contains(':'));
}
