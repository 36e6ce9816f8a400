//! When calls are made, and how large they are.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Gamma, LogNormal};

use super::Size;

/// One call that a program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// When, since the start of the run.
    pub at: Duration,
    /// Its tokens; none if nobody counts them.
    pub size: Size,
}

/// All calls of a run, in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    arrivals: Vec<Arrival>,
}

impl Workload {
    /// So many calls, all at once.
    #[must_use]
    pub fn burst(calls: usize) -> Self {
        Self { arrivals: vec![Arrival { at: Duration::ZERO, size: Size::default() }; calls] }
    }

    /// So many calls, evenly, at so many a minute.
    ///
    /// # Panics
    /// At a rate that is not above zero.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn steady(calls: usize, per_minute: f64) -> Self {
        assert!(per_minute > 0.0, "calls at {per_minute} a minute never come");
        let at = |call: usize| Duration::from_secs_f64(60.0 / per_minute * call as f64);
        Self { arrivals: (0..calls).map(|call| Arrival { at: at(call), size: Size::default() }).collect() }
    }

    /// So many calls, at so many a minute in the mean, in clumps: the gaps are gamma distributed, and their standard deviation is
    /// `variation` times the mean. 1 is a Poisson process; `BurstGPT` (arXiv 2401.17644) found gamma gaps in traces of real use.
    ///
    /// # Panics
    /// If rate or variation are not above zero.
    #[must_use]
    pub fn gamma(calls: usize, per_minute: f64, variation: f64, seed: u64) -> Self {
        let shape = (variation * variation).recip();
        let gaps = Gamma::new(shape, 60.0 / per_minute / shape).expect("rate and variation are above zero");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut at = Duration::ZERO;
        let arrival = |_| {
            at += Duration::from_secs_f64(gaps.sample(&mut random));
            Arrival { at, size: Size::default() }
        };
        Self { arrivals: (0..calls).map(arrival).collect() }
    }

    /// Gives all calls the same size.
    #[must_use]
    pub fn sized(mut self, size: Size) -> Self {
        self.arrivals.iter_mut().for_each(|arrival| arrival.size = size);
        self
    }

    /// Gives the calls input tokens, and no output: log-normal, with this median and this sigma.
    ///
    /// # Panics
    /// If the median is zero, or sigma negative.
    #[must_use]
    pub fn tokens(mut self, median: u64, sigma: f64, seed: u64) -> Self {
        let (sizes, mut random) = (sizes(median, sigma), ChaCha8Rng::seed_from_u64(seed));
        for arrival in &mut self.arrivals {
            arrival.size = Size::new(sample(&sizes, &mut random), 0, 0);
        }
        self
    }

    /// Gives the calls input and output tokens: log-normal, with these medians and this sigma. All ask for `max_output`, and
    /// get no more.
    ///
    /// # Panics
    /// If a median is zero, or sigma negative.
    #[must_use]
    pub fn sizes(mut self, input_median: u64, output_median: u64, sigma: f64, max_output: u64, seed: u64) -> Self {
        let (input, output) = (sizes(input_median, sigma), sizes(output_median, sigma));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for arrival in &mut self.arrivals {
            arrival.size = Size::new(sample(&input, &mut random), max_output, sample(&output, &mut random));
        }
        self
    }

    /// So large a part of the input of each call is in the provider's cache, rounded down.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn cached(mut self, part: f64) -> Self {
        for arrival in &mut self.arrivals {
            arrival.size = arrival.size.cached((arrival.size.input as f64 * part) as u64);
        }
        self
    }

    /// The calls.
    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }
}

#[allow(clippy::cast_precision_loss)]
fn sizes(median: u64, sigma: f64) -> LogNormal<f64> {
    LogNormal::new((median as f64).ln(), sigma).expect("a median above zero and a sigma of at least zero")
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn sample(sizes: &LogNormal<f64>, random: &mut ChaCha8Rng) -> u64 {
    sizes.sample(random).ceil() as u64
}
