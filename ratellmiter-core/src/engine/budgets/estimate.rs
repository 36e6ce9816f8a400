//! What calls have used, for those of which nothing is said.

/// So many calls are remembered.
const MAX_SAMPLES: usize = 256;
/// Once there are so many, the tail is looked up once for so many calls.
const REFRESH_INTERVAL: usize = 32;

/// What the last calls have used, input and output apart.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    input: UsageSamples,
    output: UsageSamples,
}

impl Estimate {
    /// A call has used so much.
    pub(crate) fn add(&mut self, input: u64, output: u64) {
        self.input.add(input);
        self.output.add(output);
    }

    /// What 95 % of the calls did not exceed; `None` before the first.
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

/// How what calls were charged in the end compares with what they were thought to cost, over the last calls.
#[derive(Debug, Default)]
pub(crate) struct Ratio {
    estimated: f64,
    charged: f64,
}

/// What one call weighs, when the next is added.
const DECAY: f64 = 1.0 - 1.0 / 64.0;

/// One call that used a hundred times as much does not make a hundred of each.
const MAX_RATIO: f64 = 4.0;

impl Ratio {
    #[allow(clippy::cast_precision_loss)] // Costs are far smaller than that.
    pub(crate) fn add(&mut self, thought: u64, charged: u64) {
        if thought > 0 {
            self.estimated = self.estimated * DECAY + thought as f64;
            self.charged = self.charged * DECAY + charged as f64;
        }
    }

    /// What a call that is thought to cost so much is charged in the mean; at least one where it costs anything.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn mean(&self, thought: u64) -> u64 {
        if thought == 0 || self.estimated == 0.0 {
            return thought;
        }
        ((thought as f64 * (self.charged / self.estimated).min(MAX_RATIO)).round() as u64).max(1)
    }
}

#[cfg(test)]
mod tests;
