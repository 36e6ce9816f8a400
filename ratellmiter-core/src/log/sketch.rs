//! A sketch of a distribution of times: counts by buckets, which can be added up over rows and over logs.

use std::collections::BTreeMap;

use serde_core::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Significant bits of the lower bound of a bucket. A bucket is at most 1/64 as wide as its lower bound.
const SIGNIFICANT_BITS: u32 = 7;

/// Counts of times in milliseconds, in buckets whose width grows with the time. A quantile is known to within 1.6 percent.
///
/// A bucket contains the times that agree in their seven most significant bits, so that each time below 128 ms has its own. A log
/// contains the buckets with a count as one list: the smallest time of a bucket, its count, the smallest time of the next one, and
/// so on.
///
/// # Examples
/// ```
/// use ratellmiter_core::log::Sketch;
///
/// let mut day: Sketch = [(500, 596), (30_000, 4)].into_iter().collect();
/// day.merge(&[(30_000, 6)].into_iter().collect());
/// assert_eq!(day.count(), 606);
/// let slow = day.quantile(0.99).unwrap();
/// assert!(slow.from <= 30_000 && 30_000 <= slow.to && slow.to - slow.from <= 30_000 / 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sketch(Vec<(u64, u64)>);

/// Bucket of a [`Sketch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Smallest time, in milliseconds.
    pub from: u64,
    /// Largest time, in milliseconds.
    pub to: u64,
    /// Number of times.
    pub count: u64,
}

impl Bucket {
    fn of(millis: u64, count: u64) -> Self {
        let width_bits = (u64::BITS - millis.leading_zeros()).saturating_sub(SIGNIFICANT_BITS);
        let from = millis >> width_bits << width_bits;
        Self { from, to: from | ((1 << width_bits) - 1), count }
    }
}

impl Sketch {
    /// Returns the number of all times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the buckets with a count, in order.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.0.iter().map(|(from, count)| Bucket::of(*from, *count))
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        *self = self.0.iter().chain(&other.0).copied().collect();
    }

    /// Returns the bucket that contains the quantile `of`, a number from 0 to 1. `None` if there are no times.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
    pub fn quantile(&self, of: f64) -> Option<Bucket> {
        let rank = ((self.count() as f64 * of).ceil() as u64).max(1);
        let mut sum: u64 = 0;
        self.buckets().find(|bucket| {
            sum = sum.saturating_add(bucket.count);
            sum >= rank
        })
    }
}

/// Collects times in milliseconds with their numbers.
impl FromIterator<(u64, u64)> for Sketch {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(times: T) -> Self {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for (millis, count) in times.into_iter().filter(|(_, count)| *count > 0) {
            let sum = counts.entry(Bucket::of(millis, count).from).or_default();
            *sum = sum.saturating_add(count);
        }
        Self(counts.into_iter().collect())
    }
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().flat_map(|(from, count)| [from, count]))
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers: Vec<u64> = Vec::deserialize(deserializer)?;
        let pairs = numbers.chunks(2).map(|pair| match pair {
            [millis, count] => Ok((*millis, *count)),
            _ => Err(de::Error::invalid_length(numbers.len(), &"times and counts in turn")),
        });
        pairs.collect()
    }
}

#[cfg(test)]
mod tests;
