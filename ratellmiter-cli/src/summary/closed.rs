//! Descriptions of the spans in which a limiter was closed.

use ratellmiter_core::log::ClosedReason;

use crate::{
    series::closed::ClosedSpan,
    summary::figures::Summary,
    words::{duration, plural, utc},
};

/// Largest number of spans that are listed.
const MAX_LINES: usize = 5;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Returns one line for each span, or for the first few and the number of the others.
pub(super) fn lines(run: &Summary) -> Vec<String> {
    let spans = &run.closed_spans;
    let others = spans.len().saturating_sub(MAX_LINES);
    let lines = spans.iter().take(MAX_LINES).map(|span| description(span, run.started));
    lines.chain((others > 0).then(|| format!("and {others} more"))).collect()
}

/// Returns the part of a verdict on a closed limiter; `None` if it was closed for less than `min_percent` of the time and
/// rejected no call.
pub(super) fn sentence(run: &Summary, min_percent: f64) -> Option<String> {
    let (percent, rejected) = (percent(run), rejected(run));
    if rejected == 0 && (percent < min_percent || run.closed == 0) {
        return None;
    }
    let time = if percent < min_percent { duration(run.closed) } else { format!("{percent:.0} % of the time") };
    if let [span] = run.closed_spans[..] {
        return Some(format!("closed for {time}: {}", description(&span, run.started)));
    }
    let mut causes: Vec<_> = run.closed_spans.iter().map(|span| cause(span.reason)).collect();
    causes.sort_unstable();
    causes.dedup();
    let count = run.closed_spans.len();
    Some(format!("closed {count} times, for {time}: {}{}", causes.join(", "), not_sent(rejected)))
}

/// Returns the percentage of the time for which the limiter was closed.
#[allow(clippy::cast_precision_loss)]
pub(super) fn percent(run: &Summary) -> f64 {
    (run.closed as f64 / run.duration.max(1) as f64 * 100.0).round()
}

/// Returns the number of calls that were rejected because the limiter was closed.
pub(super) fn rejected(run: &Summary) -> u64 {
    run.closed_spans.iter().map(|span| span.rejected).fold(0, u64::saturating_add)
}

/// Returns cause and time of a span, the calls not sent, and when the limiter opens. Dates are given unless they are obvious: that
/// of the day on which the run started, and that of an opening on the same day or at its end.
fn description(span: &ClosedSpan, started: u64) -> String {
    let at = clock(span.from, span.from / DAY_SECONDS == started / DAY_SECONDS);
    let opens = span.opens_at.map_or_else(String::new, |opens_at| {
        let is_same_day = opens_at.saturating_sub(span.from - span.from % DAY_SECONDS) <= DAY_SECONDS;
        format!(", available again at {} UTC", clock(opens_at, is_same_day))
    });
    format!("{} at {at} UTC{}{opens}", cause(span.reason), not_sent(span.rejected))
}

fn cause(reason: ClosedReason) -> &'static str {
    match reason {
        ClosedReason::Quota => "quota spent",
        ClosedReason::Unavailable => "the server accepted no call",
        ClosedReason::Other => "a reason that this version does not know",
    }
}

fn not_sent(rejected: u64) -> String {
    if rejected > 0 { format!(", {} not sent", plural(rejected, "call")) } else { String::new() }
}

/// Formats seconds since the epoch in UTC, without zero seconds, and without the date if it is obvious.
fn clock(seconds: u64, is_date_obvious: bool) -> String {
    let time = utc(seconds);
    let time = time.split_once(' ').filter(|_| is_date_obvious).map_or(time.as_str(), |(_, clock)| clock);
    // A time after the year 9999 is a number.
    time.strip_suffix(":00").unwrap_or(time).to_owned()
}

#[cfg(test)]
mod tests;
