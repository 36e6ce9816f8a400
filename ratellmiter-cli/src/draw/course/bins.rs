//! Divides the time axis into equal bins and averages the values of each.

use crate::series::Series;

/// Value of a trace over a span of seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// Offset of the first second.
    pub(crate) from: u64,
    /// Offset of the last second.
    pub(crate) to: u64,
    pub(crate) least: f64,
    pub(crate) mean: f64,
    pub(crate) most: f64,
}

/// Length of the bins and the unit of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bins {
    /// Seconds in a bin.
    length: u64,
    /// Seconds of the unit of counts: 1, or 60 for a slow model.
    per: u64,
    last: u64,
}

/// Lengths of bins in seconds. Beyond the last, they are multiples of it.
const LENGTHS: [u64; 18] = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
/// Number of calls in a bin on average, as far as the run has at least `MIN_BINS` bins of that length. With fewer, the steps show
/// the chance of arrivals rather than the course.
const CALLS_PER_BIN: f64 = 20.0;
const MIN_BINS: u64 = 60;
/// Shortest run of a slow model in bins of a minute, in seconds.
const MIN_SLOW_SECONDS: u64 = 600;

impl Bins {
    /// Returns the bins of a series, about `bins` at most.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn of(series: &Series, bins: u64) -> Self {
        let length = series.length();
        let limits = series.seconds().iter().map(|second| second.limit).filter(|limit| limit.is_finite());
        let issued = series.seconds().iter().fold(0_u64, |sum, second| sum.saturating_add(second.issued()));
        let rate = limits.reduce(f32::max).map_or_else(|| issued as f64 / length.max(1) as f64, f64::from);
        let per = if rate < 1.0 && length >= MIN_SLOW_SECONDS { 60 } else { 1 };
        let bin = bin_length(length, bins, per).max(calm_length(issued, length));
        Self { length: bin, per, last: length.saturating_sub(1) }
    }

    /// Returns the bins of several models on an axis of `length` seconds, for one of them with this number of calls.
    pub(crate) fn of_calls(calls: u64, length: u64, bins: u64) -> Self {
        let all = Self::of_length(length, bins);
        Self { length: all.length.max(calm_length(calls, length)), ..all }
    }

    /// Returns the bins of two runs, in the unit of the first one.
    pub(crate) fn of_runs(runs: [&Series; 2], bins: u64) -> Self {
        let [this, other] = runs;
        let (ours, length) = (Self::of(this, bins), this.length().max(other.length()));
        let per = ours.per;
        Self { length: bin_length(length, bins, per).max(ours.length), per, last: length.saturating_sub(1) }
    }

    /// Returns bins of a second each, or longer ones for a log of many more seconds than `bins`.
    pub(crate) fn of_length(length: u64, bins: u64) -> Self {
        Self { length: bin_length(length, bins, 1), per: 1, last: length.saturating_sub(1) }
    }

    /// Returns the steps of a line of a series that starts `offset` seconds after the time axis.
    pub(crate) fn steps_after(&self, offset: u64, series: &Series, letter: char) -> Vec<Step> {
        let shift = |at: u64| at - series.start() + offset;
        self.binned(series.pieces(letter).map(|(from, to, value)| (shift(from), shift(to), value)))
    }

    pub(crate) fn unit(&self) -> &'static str {
        if self.per == 1 { "Calls per second" } else { "Calls per minute" }
    }

    /// Returns the number of seconds in the unit of counts.
    pub(crate) fn per(&self) -> u64 {
        self.per
    }

    /// Returns the steps of a line.
    pub(crate) fn steps(&self, series: &Series, letter: char) -> Vec<Step> {
        let shift = |(from, to, value): (u64, u64, f64)| (from - series.start(), to - series.start(), value);
        let pieces = series.pieces(letter).map(shift);
        match letter {
            'r' | 'i' | 'e' | 'f' if self.per > 1 => {
                let known: Vec<_> = pieces.collect();
                let units = self.per_unit(known.iter().copied());
                self.binned(without_unknown(units, &known).into_iter())
            }
            #[allow(clippy::cast_precision_loss)]
            'a' if self.per > 1 => self.binned(pieces.map(|(from, to, value)| (from, to, value * self.per as f64))),
            _ => self.binned(pieces),
        }
    }

    /// Sums counts over each unit. The last unit is shorter, and scaled.
    #[allow(clippy::cast_precision_loss)]
    fn per_unit(&self, pieces: impl Iterator<Item = (u64, u64, f64)>) -> Vec<(u64, u64, f64)> {
        let mut units: Vec<(u64, u64, f64)> = Vec::new();
        for (from, _, value) in pieces.filter(|(.., value)| *value > 0.0) {
            let start = from - from % self.per;
            match units.last_mut() {
                Some((last, _, sum)) if *last == start => *sum += value,
                last => {
                    let free = last.map_or(0, |(_, to, _)| *to + 1);
                    if free < start {
                        units.push((free, start - 1, 0.0));
                    }
                    units.push((start, start.saturating_add(self.per - 1), value));
                }
            }
        }
        let end = units.last().map_or(0, |(_, to, _)| to.saturating_add(1));
        if end <= self.last {
            units.push((end, self.last, 0.0));
        }
        if let Some((from, to, sum)) = units.last_mut().filter(|(_, to, _)| *to > self.last) {
            *to = self.last;
            *sum *= self.per as f64 / ((self.last - *from + 1).max(self.per / 2) as f64);
        }
        units
    }

    /// Averages pieces in the order of time over each bin.
    fn binned(&self, pieces: impl Iterator<Item = (u64, u64, f64)>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (mut from, to, value) in pieces {
            loop {
                let end = (from - from % self.length).saturating_add(self.length - 1);
                let part = to.min(end);
                add(&mut steps, self.length, from, part, value);
                if part == to {
                    break;
                }
                from = part + 1;
            }
        }
        for step in &mut steps {
            if self.length > 1 {
                // The mean was summed over the known seconds, and a step fills its bin.
                step.to = (step.from - step.from % self.length).saturating_add(self.length - 1).min(self.last);
                step.from -= step.from % self.length;
            }
        }
        steps
    }
}

/// Returns units without the ones of zero calls that are in no known piece. Such a unit may be cut at the ends of its pieces.
fn without_unknown(units: Vec<(u64, u64, f64)>, known: &[(u64, u64, f64)]) -> Vec<(u64, u64, f64)> {
    let touch = |one: &(u64, u64, f64), next: &(u64, u64, f64)| one.1.checked_add(1) == Some(next.0);
    let runs: Vec<_> = known.chunk_by(touch).map(|run| (run[0].0, run[run.len() - 1].1)).collect();
    let mut kept = Vec::with_capacity(units.len());
    for (from, to, value) in units {
        if value > 0.0 {
            kept.push((from, to, value));
            continue;
        }
        let first = runs.partition_point(|(_, end)| *end < from);
        let inside = runs[first..].iter().take_while(|(start, _)| *start <= to);
        kept.extend(inside.map(|(start, end)| (from.max(*start), to.min(*end), value)));
    }
    kept
}

#[allow(clippy::cast_precision_loss)]
fn add(steps: &mut Vec<Step>, length: u64, from: u64, to: u64, value: f64) {
    match steps.last_mut().filter(|step| step.from / length == from / length) {
        Some(step) => {
            // Weighted by the seconds up to here; unknown seconds between keep the earlier weight.
            let (before, now) = ((step.to - step.from + 1) as f64, (to - from + 1) as f64);
            step.mean = step.mean * (before / (before + now)) + value * (now / (before + now));
            (step.least, step.most, step.to) = (step.least.min(value), step.most.max(value), to);
        }
        None => steps.push(Step { from, to, least: value, mean: value, most: value }),
    }
}

/// Returns the shortest length of bins with enough calls in each, as far as there are enough bins of it.
#[allow(clippy::cast_precision_loss)]
fn calm_length(calls: u64, length: u64) -> u64 {
    let enough = |bin: &u64| *bin as f64 * calls as f64 >= CALLS_PER_BIN * length as f64;
    let few = LENGTHS.into_iter().take_while(|bin| bin.saturating_mul(MIN_BINS) <= length);
    few.clone().find(enough).or_else(|| few.last()).unwrap_or(1)
}

/// Returns the length of the bins in seconds, a multiple of `per`.
fn bin_length(length: u64, bins: u64, per: u64) -> u64 {
    let least = length.div_ceil(bins.max(1));
    let fits = |bin: &u64| *bin >= least && bin.is_multiple_of(per);
    LENGTHS.into_iter().find(fits).unwrap_or_else(|| least.div_ceil(86_400).saturating_mul(86_400))
}
