//! Measures over the seconds of a run.

use hdrhistogram::Histogram;

use crate::series::Second;

/// Returns the number of seconds with activity, and the sum of the calls in flight over these seconds. Calls stay in flight in
/// the seconds between two rows.
pub(super) fn activity(seconds: &[Second]) -> (u64, u128) {
    let ends =
        seconds.iter().skip(1).map(|second| second.at).chain(seconds.last().map(|last| last.at.saturating_add(1)));
    seconds.iter().zip(ends).fold((0, 0), |(active, in_flight), (second, end)| {
        let lasted = if second.in_flight > 0 { end - second.at } else { 1 };
        (active.saturating_add(lasted), in_flight + u128::from(second.in_flight) * u128::from(lasted))
    })
}

/// Returns the tokens per call over the seconds with tokens. `of` returns the tokens and calls of a second.
#[allow(clippy::cast_precision_loss)]
pub(super) fn tokens_per_call(seconds: &[Second], of: fn(&Second) -> (u32, u64)) -> Option<f64> {
    let with_tokens = seconds.iter().map(of).filter(|(tokens, _)| *tokens > 0);
    // A second with tokens had at least one call.
    let (tokens, calls) = with_tokens
        .fold((0.0, 0.0), |(sum, calls), (tokens, count)| (sum + f64::from(tokens), calls + count.max(1) as f64));
    (calls > 0.0).then(|| tokens / calls)
}

/// Number of values by which [`p99`] represents the calls of a second between its median and its 99th percentile.
const STEPS: u64 = 16;

/// Returns the 99th percentile over all seconds, in seconds, from the number of calls and the median, 99th percentile and
/// maximum of each second in milliseconds.
///
/// It is an estimate: one call took the maximum, half of the calls took the median, and the others are spread evenly between
/// median and 99th percentile.
#[allow(clippy::cast_precision_loss)]
pub(super) fn p99(seconds: impl Iterator<Item = (u64, [u32; 3])>) -> Option<f64> {
    let mut all: Histogram<u64> = Histogram::new_with_max(u32::MAX.into(), 3).ok()?;
    for (count, [p50, p99, max]) in seconds.filter(|(count, _)| *count > 0) {
        let upper = count / 2;
        all.saturating_record_n(p50.into(), count - upper.max(1));
        let steps = (upper.saturating_sub(1)).min(STEPS);
        let (mut left, spread) = (upper.saturating_sub(1), u64::from(p99.saturating_sub(p50)));
        for step in 1..=steps {
            let some = left / (steps - step + 1);
            left -= some;
            all.saturating_record_n(u64::from(p50) + spread * step / steps, some);
        }
        all.saturating_record_n(max.into(), 1);
    }
    (!all.is_empty()).then(|| all.value_at_quantile(0.99) as f64 / 1000.0)
}
