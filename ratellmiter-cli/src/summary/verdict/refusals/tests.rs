//! Tests of `refusals`.

use super::*;

#[test]
fn suggested_limits_are_round() {
    for (per_second, expected) in [(0.01, 1), (0.1, 6), (2.0, 120), (4.2, 250), (100.0, 6000)] {
        assert_eq!(suggested_limit(per_second), expected, "{per_second}");
    }
}

#[test]
fn rates_are_rounded_down_to_the_printed_digits() {
    let printed = |rate| decimal(rounded(rate));
    assert_eq!([4.99, 5.0, 1.0, 0.999, 0.1, 0.029].map(printed), ["4.9", "5.0", "1.0", "0.99", "0.10", "0.02"]);
}
