//! The distribution of the waits or latencies of a run, as far as its log contains it.

use std::collections::BTreeMap;

use ratellmiter_core::log::Sketch;

/// A percentile lies in a range if its bounds differ by more than this fraction, and is one value otherwise.
const MAX_ERROR: f64 = 0.02;
/// Significant bits of the times that are kept: times below two minutes are exact.
const SIGNIFICANT_BITS: u32 = 17;

/// The times of a run, in milliseconds.
///
/// Rows contain sketches of their times, from which percentiles of any sum are known within two percent. Rows of earlier versions
/// contain the median, the 99th percentile and the maximum alone, which bound the times between these ranks.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Times {
    /// Numbers of times, if each is as short as the log allows.
    least: BTreeMap<u64, u64>,
    /// Numbers of times, if each is as long as the log allows.
    most: BTreeMap<u64, u64>,
    count: u64,
    /// Part of `count` that rows contain in sketches.
    sketched: u64,
    /// Sum, in milliseconds. An estimate for rows of earlier versions.
    total: f64,
    /// Lower and upper bound of `total`: equal if it is known.
    total_bounds: [f64; 2],
}

/// A value in seconds that lies between two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Bounds {
    /// Returns the value; `None` if the bounds are too far apart for one.
    pub(crate) fn value(self) -> Option<f64> {
        let is_close = self.most - self.least <= self.least * MAX_ERROR;
        is_close.then_some(f64::midpoint(self.least, self.most))
    }
}

impl Times {
    /// Adds the times of a row that has a sketch of them. `total` is their sum in milliseconds, if it is known, as far as the sketch
    /// allows it.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn add_sketch(&mut self, sketch: &Sketch, max: u64, total: Option<u64>) {
        let (mut estimate, mut least, mut most) = (0.0, 0.0, 0.0);
        for bucket in sketch.buckets() {
            let to = bucket.to.min(max).max(bucket.from);
            record(&mut self.least, bucket.from, bucket.count);
            record(&mut self.most, to, bucket.count);
            estimate += f64::midpoint(bucket.from as f64, to as f64) * bucket.count as f64;
            least += bucket.from as f64 * bucket.count as f64;
            most += to as f64 * bucket.count as f64;
        }
        self.count = self.count.saturating_add(sketch.count());
        self.sketched = self.sketched.saturating_add(sketch.count());
        self.total += total.map_or(estimate, |total| (total as f64).clamp(least, most));
        let known = total.map(|total| total as f64).filter(|total| (least..=most).contains(total));
        self.add_total_bounds(known.map_or([least, most], |total| [total; 2]));
    }

    /// Adds `count` times, of which the median, the 99th percentile and the maximum are known.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn add_quantiles(&mut self, count: u64, [p50, p99, max]: [u32; 3]) {
        if count == 0 {
            return;
        }
        // Ranks from 1 on, as the library determines them. The last one is that of the maximum.
        let rank = |percent: u128| u64::try_from((u128::from(count) * percent).div_ceil(100)).unwrap_or(count).max(1);
        let (middle, high) = (rank(50), rank(99));
        let (p50, p99, max) = (u64::from(p50), u64::from(p99.max(p50)), u64::from(max.max(p99).max(p50)));
        let has_high = high < count;
        let (upper, to) = if has_high { (high, p99) } else { (count, max) };
        let parts = [
            (middle - 1, 0, p50),
            (u64::from(middle < count), p50, p50),
            (upper.saturating_sub(middle + 1), p50, to),
            (u64::from(has_high), p99, p99),
            ((count - upper).saturating_sub(1), p99, max),
            (1, max, max),
        ];
        for (number, from, to) in parts {
            record(&mut self.least, from, number);
            record(&mut self.most, to, number);
            // Times below the median are close to it in a queue, and have no other estimate.
            let estimate = if from == 0 { to as f64 } else { f64::midpoint(from as f64, to as f64) };
            self.total += estimate * number as f64;
            self.add_total_bounds([from, to].map(|bound| bound as f64 * number as f64));
        }
        self.count = self.count.saturating_add(count);
    }

    /// Adds the times of another part of the log, or of another log.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.least.iter().for_each(|(millis, count)| record(&mut self.least, *millis, *count));
        other.most.iter().for_each(|(millis, count)| record(&mut self.most, *millis, *count));
        self.count = self.count.saturating_add(other.count);
        self.sketched = self.sketched.saturating_add(other.sketched);
        self.total += other.total;
        self.add_total_bounds(other.total_bounds);
    }

    fn add_total_bounds(&mut self, bounds: [f64; 2]) {
        self.total_bounds.iter_mut().zip(bounds).for_each(|(sum, bound)| *sum += bound);
    }

    /// Returns the bounds of a percentile; `None` without times.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn percentile(&self, percent: u32) -> Option<Bounds> {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        let [least, most] = [&self.least, &self.most].map(|counts| {
            let mut sum = 0;
            counts.iter().find_map(|(millis, count)| {
                sum += u128::from(*count);
                (sum >= rank).then_some(*millis as f64 / 1000.0)
            })
        });
        least.zip(most).map(|(least, most)| Bounds { least, most })
    }

    /// Returns the least number of times of at least `millis` milliseconds, and `true` if the rows contain all times in sketches, so
    /// that it is exact but for the width of a bucket.
    pub(crate) fn at_least(&self, millis: f64) -> (u64, bool) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
        let from = millis.ceil() as u64;
        let count = self.least.range(from..).fold(0, |sum: u64, (_, count)| sum.saturating_add(*count));
        (count, self.sketched == self.count && self.count > 0)
    }

    /// Returns the sum in seconds; `None` unless the rows contain all times in sketches.
    pub(crate) fn total(&self) -> Option<f64> {
        (self.sketched == self.count && self.count > 0).then_some(self.total / 1000.0)
    }

    /// Returns the bounds of the mean, which are equal if the rows contain the sum of the times; `None` without times.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn mean_bounds(&self) -> Option<Bounds> {
        let [least, most] = self.total_bounds.map(|total| total / self.count as f64 / 1000.0);
        (self.count > 0).then_some(Bounds { least, most })
    }

    /// Returns the mean in seconds, an estimate between its bounds; `None` without times.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64 / 1000.0)
    }
}

fn record(counts: &mut BTreeMap<u64, u64>, millis: u64, count: u64) {
    if count > 0 {
        let shift = (u64::BITS - millis.leading_zeros()).saturating_sub(SIGNIFICANT_BITS);
        let sum = counts.entry(millis >> shift << shift).or_default();
        *sum = sum.saturating_add(count);
    }
}

#[cfg(test)]
mod tests;
