//! Usage of earlier calls, from which the charges of later calls are estimated.

/// Calls whose usage is kept.
const MAX_SAMPLES: usize = 256;
/// Up to this number of calls, each call updates the percentile. Later, one in this number of calls does.
const REFRESH_INTERVAL: usize = 32;

/// The 95th percentile of the usage of the last calls.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    input: UsageSamples,
    output: UsageSamples,
}

impl Estimate {
    /// Adds the usage of a call, in tokens.
    pub(crate) fn add(&mut self, input: u64, output: u64) {
        self.input.add(input);
        self.output.add(output);
    }

    /// Returns the percentiles of input and output, or `None` before the first call.
    pub(crate) fn p95(&self) -> Option<(u64, u64)> {
        (self.input.seen > 0).then_some((self.input.p95, self.output.p95))
    }
}

#[derive(Debug, Default)]
struct UsageSamples {
    kept: Vec<u64>,
    seen: usize,
    p95: u64,
}

impl UsageSamples {
    fn add(&mut self, sample: u64) {
        if self.kept.len() < MAX_SAMPLES {
            self.kept.push(sample);
        } else {
            self.kept[self.seen % MAX_SAMPLES] = sample;
        }
        self.seen += 1;
        if self.seen <= REFRESH_INTERVAL || self.seen.is_multiple_of(REFRESH_INTERVAL) {
            let mut sorted = self.kept.clone();
            let rank = (sorted.len() * 95).div_ceil(100) - 1;
            self.p95 = *sorted.select_nth_unstable(rank).1;
        }
    }
}

/// The ratio of the settled charges of the last calls to the estimated ones.
#[derive(Debug, Default)]
pub(crate) struct Ratio {
    estimated: f64,
    charged: f64,
}

/// Weight of all earlier calls when a call is added.
const DECAY: f64 = 1.0 - 1.0 / 64.0;

/// Upper bound of the ratio, because a single call may have used a hundred times its estimate.
const MAX_RATIO: f64 = 4.0;

impl Ratio {
    #[allow(clippy::cast_precision_loss)] // Charges are at most 2^48.
    pub(crate) fn add(&mut self, estimated: u64, charged: u64) {
        if estimated > 0 {
            self.estimated = self.estimated * DECAY + estimated as f64;
            self.charged = self.charged * DECAY + charged as f64;
        }
    }

    /// Returns the mean charge of calls with this estimate: at least 1 unless the estimate is 0.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn mean(&self, estimated: u64) -> u64 {
        if estimated == 0 || self.estimated == 0.0 {
            return estimated;
        }
        ((estimated as f64 * (self.charged / self.estimated).min(MAX_RATIO)).round() as u64).max(1)
    }
}

#[cfg(test)]
mod tests;
