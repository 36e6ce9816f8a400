//! What calls have used, for those of which nothing is said.

/// So many calls are remembered.
const REMEMBERED: usize = 256;
/// Once there are so many, the tail is looked up once for so many calls.
const MANY: usize = 32;

/// What the last calls have used, input and output apart.
#[derive(Debug, Default)]
pub(crate) struct Estimate {
    input: Samples,
    output: Samples,
}

impl Estimate {
    /// A call has used so much.
    pub(crate) fn add(&mut self, input: u64, output: u64) {
        self.input.add(input);
        self.output.add(output);
    }

    /// What 95 % of the calls did not exceed; `None` before the first.
    pub(crate) fn most(&self) -> Option<(u64, u64)> {
        (self.input.seen > 0).then_some((self.input.p95, self.output.p95))
    }
}

#[derive(Debug, Default)]
struct Samples {
    kept: Vec<u64>,
    seen: usize,
    p95: u64,
}

impl Samples {
    fn add(&mut self, sample: u64) {
        if self.kept.len() < REMEMBERED {
            self.kept.push(sample);
        } else {
            self.kept[self.seen % REMEMBERED] = sample;
        }
        self.seen += 1;
        if self.seen <= MANY || self.seen.is_multiple_of(MANY) {
            let mut sorted = self.kept.clone();
            let rank = (sorted.len() * 95).div_ceil(100) - 1;
            self.p95 = *sorted.select_nth_unstable(rank).1;
        }
    }
}

/// How what calls were charged in the end compares with what they were thought to cost, over the last calls.
#[derive(Debug, Default)]
pub(crate) struct Ratio {
    thought: f64,
    charged: f64,
}

/// What one call weighs, when the next is added.
const FADING: f64 = 1.0 - 1.0 / 64.0;

/// One call that used a hundred times as much does not make a hundred of each.
const MOST: f64 = 4.0;

impl Ratio {
    #[allow(clippy::cast_precision_loss)] // Costs are far smaller than that.
    pub(crate) fn add(&mut self, thought: u64, charged: u64) {
        if thought > 0 {
            self.thought = self.thought * FADING + thought as f64;
            self.charged = self.charged * FADING + charged as f64;
        }
    }

    /// What a call that is thought to cost so much is charged in the mean; at least one where it costs anything.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn mean(&self, thought: u64) -> u64 {
        if thought == 0 || self.thought == 0.0 {
            return thought;
        }
        ((thought as f64 * (self.charged / self.thought).min(MOST)).round() as u64).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_the_last_calls_counts() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.most(), None);
        estimate.add(100, 7);
        assert_eq!(estimate.most(), Some((100, 7)));
        (1..=100).for_each(|call| estimate.add(call, 1000 - call));
        let (input, output) = estimate.most().unwrap();
        assert!((92..=97).contains(&input) && (992..=999).contains(&output), "{input} {output}");
        (0..REMEMBERED as u64).for_each(|_| estimate.add(3, 4));
        assert_eq!(estimate.most(), Some((3, 4)), "what is long ago is forgotten");
    }

    #[test]
    fn a_ratio_follows_what_is_charged() {
        let mut ratio = Ratio::default();
        assert_eq!((ratio.mean(700), ratio.mean(0)), (700, 0));
        (0..1000).for_each(|call| ratio.add(1000, if call % 2 == 0 { 100 } else { 300 }));
        assert!((190..=210).contains(&ratio.mean(1000)), "{}", ratio.mean(1000));
        (0..300).for_each(|_| ratio.add(1000, 2000));
        assert!((1950..=2000).contains(&ratio.mean(1000)));
        ratio.add(0, 7);
        (0..1000).for_each(|_| ratio.add(1000, 0));
        assert_eq!(ratio.mean(1000), 1, "nothing is not thought to be free");
        ratio.add(1, u64::MAX);
        assert_eq!(ratio.mean(100), 400, "one that is absurd is no measure");
        ratio.mean(u64::MAX);
    }
}
