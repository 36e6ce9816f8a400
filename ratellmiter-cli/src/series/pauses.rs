//! The pauses of a run.
//!
//! A row contains the pauses that began in its second, and the paused part of it. Rows of earlier versions contain the state at the
//! end of the second alone: there a second counts as paused as a whole, and a pause that ended within it is not known.

use crate::series::Second;

/// A second that was paused for at least this long is shaded.
const SHADED_MS: u32 = 500;

/// Time between two pauses that is not drawn, in milliseconds.
const SHORT_MS: u32 = 100;

/// Returns the number of pauses that began.
pub(super) fn begun(seconds: &[Second]) -> u64 {
    if has_times(seconds) {
        return seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(second.pauses.into()));
    }
    let mut before: Option<&Second> = None;
    let begins = seconds.iter().filter(|second| {
        let last = before.replace(second);
        let follows = last.is_some_and(|last| last.is_paused() && last.at + 1 == second.at);
        // A pause ends by one call, the canary. If others were sent and refused in this second, another pause began.
        second.is_paused() && (!follows || (second.issued() > 1 && second.refused() > 0 && second.has_details))
    });
    begins.count() as u64
}

/// Returns the time spent in pauses, in milliseconds.
pub(super) fn total_ms(seconds: &[Second]) -> u64 {
    if has_times(seconds) {
        return seconds.iter().fold(0, |sum: u64, second| sum.saturating_add(second.paused_ms.min(1000).into()));
    }
    seconds.iter().filter(|second| second.is_paused()).count() as u64 * 1000
}

/// Returns the spans of seconds that were paused for the most part. In a log without the times of pauses, these are the seconds at
/// whose end the limiter was paused, without those of a longer pause in which several calls were sent.
pub(super) fn spans(seconds: &[Second]) -> Vec<(u64, u64)> {
    let has_times = has_times(seconds);
    let is_paused = |second: &Second| if has_times { second.paused_ms >= SHADED_MS } else { second.is_paused() };
    let is_idle = |second: &Second| second.issued() <= 1;
    let is_adjacent = |one: &Second, other: &Second| is_paused(one) && is_paused(other) && one.at + 1 == other.at;
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for pause in seconds.chunk_by(is_adjacent).filter(|pause| is_paused(&pause[0])) {
        let has_idle = !has_times && pause.iter().any(is_idle);
        for second in pause.iter().filter(|second| !has_idle || is_idle(second)) {
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == second.at => *last = second.at,
                _ => spans.push((second.at, second.at)),
            }
        }
    }
    spans
}

/// A pause: the paused part of successive seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// First and last second.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Milliseconds of the first second before the pause, and of the last one after it.
    pub(crate) around_ms: [u32; 2],
}

/// Returns the paused parts of seconds; in a log without the times of pauses, the seconds of [`spans`].
///
/// A row contains the length of the paused part but not its place. It follows on a pause that lasts until the end of the second
/// before, or lasts until the end of its second, or is in the middle.
pub(super) fn parts(seconds: &[Second]) -> Vec<Pause> {
    if !has_times(seconds) {
        return spans(seconds).into_iter().map(|(from, to)| Pause { from, to, around_ms: [0; 2] }).collect();
    }
    let mut pauses: Vec<Pause> = Vec::new();
    for (index, second) in seconds.iter().enumerate().filter(|(_, second)| second.paused_ms > 0) {
        let open = 1000 - second.paused_ms.min(1000);
        let next = seconds.get(index + 1).filter(|next| second.at.checked_add(1) == Some(next.at));
        let goes_on = next.is_some_and(|next| next.paused_ms > 0) && second.is_paused();
        let last = pauses.last_mut().filter(|last| last.to.checked_add(1) == Some(second.at) && last.around_ms[1] == 0);
        match last {
            Some(last) if open <= SHORT_MS || !goes_on => {
                (last.to, last.around_ms[1]) = (second.at, if goes_on { 0 } else { open });
            }
            _ => {
                let is_last = goes_on || second.is_paused() || next.is_some_and(|next| next.paused_ms >= 1000);
                let after = if is_last { 0 } else { open / 2 };
                pauses.push(Pause { from: second.at, to: second.at, around_ms: [open - after, after] });
            }
        }
    }
    pauses
}

/// Returns `true` if the log contains the times of pauses.
fn has_times(seconds: &[Second]) -> bool {
    seconds.iter().any(|second| second.pauses > 0 || second.paused_ms > 0)
}

#[cfg(test)]
mod tests;
