//! When calls are made, and how large they are.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Gamma, LogNormal};

/// One call that a program makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// When, since the start of the run.
    pub at: Duration,
    /// How many tokens it costs; 0 if nobody counts them.
    pub tokens: u64,
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
        Self { arrivals: vec![Arrival { at: Duration::ZERO, tokens: 0 }; calls] }
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
        Self { arrivals: (0..calls).map(|call| Arrival { at: at(call), tokens: 0 }).collect() }
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
            Arrival { at, tokens: 0 }
        };
        Self { arrivals: (0..calls).map(arrival).collect() }
    }

    /// Gives the calls sizes: log-normal, with this median and this sigma.
    ///
    /// # Panics
    /// If the median is zero, or sigma negative.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn tokens(mut self, median: u64, sigma: f64, seed: u64) -> Self {
        let sizes =
            LogNormal::new((median as f64).ln(), sigma).expect("a median above zero and a sigma of at least zero");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for arrival in &mut self.arrivals {
            arrival.tokens = sizes.sample(&mut random).ceil() as u64;
        }
        self
    }

    /// The calls.
    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }
}
