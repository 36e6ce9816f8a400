//! Measures over the seconds of a run.

use crate::series::Second;

/// Returns the number of seconds with activity, and the sum of the calls in flight over these seconds. Calls stay in flight in
/// the seconds between two rows.
pub(super) fn activity(seconds: &[Second]) -> (u64, u128) {
    let ends =
        seconds.iter().skip(1).map(|second| second.at).chain(seconds.last().map(|last| last.at.saturating_add(1)));
    seconds.iter().zip(ends).fold((0, 0), |(active, in_flight), (second, end)| {
        let lasted = if second.in_flight > 0 { end - second.at } else { 1 };
        let calls = u128::from(second.in_flight) * u128::from(lasted);
        (active.saturating_add(lasted), in_flight.saturating_add(calls))
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

/// Returns `true` if the configured limit was changed during the run. Rounding alone is no change.
pub(super) fn has_several_limits(seconds: &[Second]) -> bool {
    let limits = || seconds.iter().map(|second| second.limit).filter(|limit| limit.is_finite());
    let bounds = limits().reduce(f32::min).zip(limits().reduce(f32::max));
    bounds.is_some_and(|(least, most)| most - least > most.abs() * 1e-3)
}

/// Returns the number of calls that were sent beyond the `limit` in calls a second: in any span of seconds, at most
/// `limit` calls a second, one more, and these were sent. It is above zero if calls were sent in a burst.
#[allow(clippy::cast_precision_loss)]
pub(super) fn burst(seconds: &[Second], limit: f64) -> f64 {
    let mut before: Option<u64> = None;
    let (mut excess, mut largest): (f64, f64) = (0.0, 0.0);
    for second in seconds {
        let gap = before.replace(second.at).map_or(0, |last| second.at.saturating_sub(last + 1));
        excess = (excess - gap as f64 * limit).max(0.0) + second.issued() as f64 - limit;
        largest = largest.max(excess);
        excess = excess.max(0.0);
    }
    (largest - 1.0).max(0.0)
}
