//! What a run came to, in figures and in one sentence.

use hdrhistogram::Histogram;
use ratellmiter_core::record::Held;
use serde::Serialize;

use crate::series::{Second, Series};

/// One model's run. Times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) model: String,
    /// Since the epoch.
    pub(crate) started: u64,
    /// From the first second in which something happened to the last.
    pub(crate) duration: u64,
    pub(crate) calls: u64,
    pub(crate) finished: u64,
    /// Of those, the ones that ended with an error of their own; `None` in logs that do not tell.
    pub(crate) failed: Option<u64>,
    /// Neither ended, nor out, nor waiting at the end: dropped, or given up after refusals.
    pub(crate) given_up: u64,
    pub(crate) refusals: u64,
    /// Of those, the ones that were the server's overload; `None` in logs that do not tell.
    pub(crate) overloaded: Option<u64>,
    pub(crate) refusals_per_call: f64,
    pub(crate) pauses: u64,
    pub(crate) paused: u64,
    /// The longest line.
    pub(crate) line: u64,
    /// By the length of the line, second by second, for each call.
    pub(crate) wait_mean: Option<f64>,
    pub(crate) wait_p99: Option<f64>,
    pub(crate) call_p99: Option<f64>,
    /// The configured calls a minute, and the least time that so many tickets take at that rate.
    pub(crate) limit: Option<f64>,
    pub(crate) physical: Option<f64>,
    pub(crate) verdict: String,
}

impl Summary {
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn of(model: &str, series: &Series) -> Self {
        let seconds = series.seconds();
        let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).fold(0, u64::saturating_add);
        let (calls, issued) = (series.calls(), sum(|second| second.counts[1]));
        let (refusals, finished) = (series.refusals(), sum(|second| second.counts[3]));
        let waited = sum(|second| second.counts[4]);
        let tells = seconds.iter().any(|second| second.measured);
        let still_there = seconds.last().map_or(0, |last| u64::from(last.in_flight).saturating_add(last.counts[4]));
        let limit = seconds.iter().rev().map(|second| second.limit).find(|limit| limit.is_finite());
        let pauses = series.pauses();
        let mut summary = Self {
            model: model.to_owned(),
            started: series.start(),
            duration: series.length(),
            calls,
            finished,
            failed: tells.then(|| sum(|second| second.failed)),
            given_up: if tells { calls.saturating_sub(finished).saturating_sub(still_there) } else { 0 },
            refusals,
            overloaded: tells.then(|| sum(|second| second.overloaded.into())),
            refusals_per_call: refusals as f64 / calls.max(1) as f64,
            pauses: pauses.len() as u64,
            paused: pauses.iter().map(|(from, to)| to - from + 1).sum(),
            line: seconds.iter().map(|second| second.counts[4]).max().unwrap_or(0),
            wait_mean: (calls > 0).then(|| waited as f64 / calls as f64),
            wait_p99: quantile(seconds.iter().map(|second| (second.counts[1], second.waits))).filter(|_| tells),
            call_p99: quantile(seconds.iter().map(|second| (second.counts[3], second.calls))).filter(|_| tells),
            limit: limit.map(|limit| (f64::from(limit) * 60.0).round()),
            physical: limit
                .filter(|limit| *limit > 0.0)
                .map(|limit| issued.saturating_sub(1) as f64 / f64::from(limit)),
            verdict: String::new(),
        };
        summary.verdict = verdict(&summary, seconds);
        summary
    }
}

/// The 99th percentile of all, in seconds, estimated from what is known of each second: one call was the longest, half
/// were at most the median, and the others lie between the median and the 99th percentile.
#[allow(clippy::cast_precision_loss)]
fn quantile(seconds: impl Iterator<Item = (u64, [u32; 3])>) -> Option<f64> {
    let mut all: Histogram<u64> = Histogram::new_with_max(u32::MAX.into(), 3).ok()?;
    for (count, [p50, p99, max]) in seconds.filter(|(count, _)| *count > 0) {
        let upper = count / 2;
        all.saturating_record_n(p50.into(), count - upper.max(1));
        // The upper half but the longest in equal steps; more than a few of them change nothing.
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

/// Into how many steps the calls between median and 99th percentile of a second are laid.
const STEPS: u64 = 16;

/// Fewer calls or seconds say nothing.
const FEW_CALLS: u64 = 10;
const FEW_SECONDS: u64 = 5;
/// A line that was never longer is none.
const SHORT_LINE: u64 = 3;

/// What bound the run, and what would help.
#[allow(clippy::cast_precision_loss)]
fn verdict(summary: &Summary, seconds: &[Second]) -> String {
    let Summary { calls, duration, refusals, line, .. } = *summary;
    if calls < FEW_CALLS || duration < FEW_SECONDS {
        return format!("too little data: {} in {}", counted(calls, "call"), counted(duration, "second"));
    }
    // Refusals that the rate is not at fault for, and that are all there are.
    let busy = summary.overloaded == Some(refusals);
    let refused = || format!("{} came back refused: find out why", counted(refusals, "call"));
    let Some(limit) = summary.limit else {
        return if refusals == 0 && line <= SHORT_LINE {
            format!("the line was never longer than {line}: the limit does not bind")
        } else {
            format!("this log does not tell the limit; {} came back refused", counted(refusals, "call"))
        };
    };
    // The Python package keeps whole tickets a second, whatever is configured.
    let paced = if summary.overloaded.is_some() { format!("configured {limit}") } else { limit.to_string() };
    let share = |held: Held| {
        let held = seconds.iter().filter(|second| second.held == Some(held)).count();
        (held as f64 / duration as f64 * 100.0).round()
    };
    if refusals > 0 && seconds.iter().any(|second| second.held == Some(Held::Learned)) {
        let at = refused_at(seconds);
        return format!("the server refused from {at:.1}/s on: set {} a minute", suggested(at));
    }
    let shares = [
        (Held::Pause, share(Held::Pause)),
        (Held::InFlight, share(Held::InFlight)),
        (Held::Rate, share(Held::Rate)),
        (Held::Ramp, share(Held::Ramp)),
        (Held::Learned, share(Held::Learned)),
        (Held::Other, share(Held::Other)),
    ];
    let (held, part) =
        shares.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap_or((Held::Other, 0.0));
    let waited = seconds.iter().filter(|second| second.counts[4] > SHORT_LINE).count() as f64 / duration as f64 * 100.0;
    if part < 5.0 && waited >= 5.0 {
        return format!(
            "calls waited for {:.0} % of the time, {line} at most, and the log does not tell what for; {} came back refused",
            waited,
            counted(refusals, "call")
        );
    }
    if line > SHORT_LINE && part < 5.0 && refusals == 0 {
        return format!(
            "the line was {line} long at most, and waited for less than 5 % of the time: the limit hardly binds"
        );
    }
    if line <= SHORT_LINE || part < 5.0 {
        return match refusals {
            0 => format!("the line was never longer than {line}: the limit does not bind"),
            _ => format!(
                "{} refused, though the limit hardly binds and the line was never longer than {line}: others use it too",
                counted(refusals, "call")
            ),
        };
    }
    match held {
        Held::Rate if refusals == 0 => {
            format!("bound by the {paced} a minute for {part} % of the time; refusals 0: the limit can be raised")
        }
        Held::Rate if busy => format!(
            "bound by the {paced} a minute for {part} % of the time; refused only while the server was overloaded: the limit can be raised"
        ),
        Held::Rate => {
            format!("bound by the {paced} a minute for {part} % of the time; {} before raising it", refused())
        }
        Held::Learned => format!(
            "bound for {part} % of the time by what earlier refusals taught, below the configured {limit} a minute"
        ),
        Held::InFlight => {
            let most = seconds.iter().map(|second| second.in_flight).max().unwrap_or(0);
            let bound = format!("bound by the {most} calls in flight for {part} % of the time");
            if refusals == 0 || busy {
                format!("{bound}: allow more of them, or shorten the answers")
            } else {
                format!("{bound}; {} before allowing more", refused())
            }
        }
        Held::Ramp if refusals == 0 || busy => {
            format!("bound by the ramp for {part} % of the time: demand comes in bursts; set burst, or a steeper ramp")
        }
        Held::Ramp => format!("bound by the ramp for {part} % of the time; {} before making it steeper", refused()),
        Held::Other => format!("bound for {part} % of the time by something that this version does not know"),
        Held::Pause if refusals == 0 => format!("paused for {part} % of the time by refusals that are not in this log"),
        Held::Pause if busy => format!("paused for {part} % of the time, while the server was overloaded"),
        Held::Pause => format!(
            "paused for {part} % of the time after {}: the limit is lower than it seems, or others use it too",
            counted(refusals, "refusal")
        ),
    }
}

/// What went through up to the last refusal that the rate was at fault for, in calls a second: over so long a time that what
/// a server lets through at once does not count for much. The last knows best, since the ramp is over by then.
#[allow(clippy::cast_precision_loss)]
fn refused_at(seconds: &[Second]) -> f64 {
    const LONGEST: usize = 20;
    let refused = |second: &Second| second.counts[2] > 0;
    let last = seconds.iter().rposition(refused).unwrap_or(0);
    let before = seconds[..last].iter().rev().take_while(|second| !refused(second) && !second.is_paused());
    let window: Vec<_> = seconds[last..=last].iter().chain(before.take(LONGEST - 1)).collect();
    let went: u64 = window.iter().map(|second| second.counts[1].saturating_sub(second.counts[2])).sum();
    // What is printed, so that the sentence adds up.
    (went as f64 / window.len() as f64 * 10.0).floor() / 10.0
}

/// What went through, rounded down to calls a minute that one would write down.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn suggested(per_second: f64) -> u64 {
    let per_minute = per_second * 60.0 + 1e-6;
    let step = match per_minute {
        ..20.0 => 1.0,
        ..200.0 => 5.0,
        ..2000.0 => 10.0,
        _ => 100.0,
    };
    ((per_minute / step).floor() * step).max(1.0) as u64
}

pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
