//! The rates that the server accepted for a time, without a refusal and without a pause.

use std::ops::Range;

use crate::series::Second;

/// Shortest time for which a rate counts as accepted, in seconds.
pub(super) const MIN_SECONDS: u64 = 20;

/// A rate that the server accepted for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Accepted {
    /// Calls per second.
    pub(super) rate: f64,
    pub(super) seconds: u64,
}

/// Returns the parts of `rows` between the rows for which `breaks` is `true`.
pub(super) fn between(rows: Range<usize>, breaks: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let mut start = rows.start;
    for row in rows.clone().filter(|row| breaks(*row)).chain([rows.end]) {
        if start < row {
            stretches.push(start..row);
        }
        start = row + 1;
    }
    stretches
}

/// Returns the highest mean rate over `min_seconds` within a stretch; `None` if it is shorter. `count` returns the calls of a
/// second. A row lasts until the next one.
pub(super) fn highest(
    seconds: &[Second],
    stretch: Range<usize>,
    min_seconds: u64,
    count: impl Fn(&Second) -> u64,
) -> Option<f64> {
    let (mut to, mut calls) = (stretch.start, 0.0);
    let mut highest = None;
    for from in stretch.clone() {
        while to < stretch.end && lasted(seconds, from, to) < min_seconds {
            calls += as_float(count(&seconds[to]));
            to += 1;
        }
        let time = lasted(seconds, from, to);
        if time < min_seconds {
            break;
        }
        let rate = calls / as_float(time);
        highest = Some(highest.map_or(rate, |highest: f64| highest.max(rate)));
        calls -= as_float(count(&seconds[from]));
    }
    highest
}

/// Returns the longest part of a stretch with a mean rate of at least `min_rate`; `None` if it is shorter than
/// [`MIN_SECONDS`].
pub(super) fn longest(seconds: &[Second], stretch: Range<usize>, min_rate: f64) -> Option<Accepted> {
    // Calls above the rate until the beginning of each row, whose difference is not negative over a sought part.
    let mut sum = 0.0;
    let mut sums = vec![0.0];
    for row in stretch.clone() {
        sum += as_float(seconds[row].issued()) - min_rate * (1.0 - 1e-9) * as_float(lasted(seconds, row, row + 1));
        sums.push(sum);
    }
    // A part begins at a sum that is lower than all before.
    let mut starts: Vec<usize> = Vec::new();
    for (row, sum) in sums.iter().enumerate() {
        if starts.last().is_none_or(|last| sums[*last] > *sum) {
            starts.push(row);
        }
    }
    let mut longest: Option<(u64, Range<usize>)> = None;
    for to in (1..sums.len()).rev() {
        while let Some(from) = starts.pop_if(|from| *from >= to || sums[*from] <= sums[to]) {
            let time = lasted(seconds, stretch.start + from, stretch.start + to);
            if longest.as_ref().is_none_or(|(known, _)| *known < time) {
                longest = Some((time, stretch.start + from..stretch.start + to));
            }
        }
    }
    let (time, rows) = longest.filter(|(time, _)| *time >= MIN_SECONDS)?;
    let calls: f64 = seconds[rows].iter().map(|second| as_float(second.issued())).sum();
    Some(Accepted { rate: calls / as_float(time), seconds: time })
}

/// Returns the seconds from the beginning of row `from` to that of row `to`, or to the end of the last row.
pub(super) fn lasted(seconds: &[Second], from: usize, to: usize) -> u64 {
    let end = seconds.get(to).map(|next| next.at);
    let end = end.or_else(|| seconds.last().map(|last| last.at.saturating_add(1)));
    end.zip(seconds.get(from)).map_or(0, |(end, from)| end.saturating_sub(from.at))
}

#[allow(clippy::cast_precision_loss)] // Counts of a log.
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
