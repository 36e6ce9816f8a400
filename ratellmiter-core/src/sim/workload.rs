//! Arrivals and sizes of calls.

use std::time::Duration;

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Gamma, LogNormal};

use super::Size;

/// Call of a simulated program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// Time since the start of the run.
    pub at: Duration,
    /// Tokens of the call; the default if tokens are not simulated.
    pub size: Size,
}

/// All calls of a run, ordered by arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    arrivals: Vec<Arrival>,
}

impl Workload {
    /// Creates `calls` calls that arrive at once.
    #[must_use]
    pub fn burst(calls: usize) -> Self {
        Self { arrivals: vec![Arrival { at: Duration::ZERO, size: Size::default() }; calls] }
    }

    /// Creates `calls` calls that arrive evenly, `per_minute` a minute.
    ///
    /// # Panics
    /// If `per_minute` is not above zero.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn steady(calls: usize, per_minute: f64) -> Self {
        assert!(per_minute > 0.0, "{per_minute} calls a minute is not above zero");
        let at = |call: usize| Duration::from_secs_f64(60.0 / per_minute * call as f64);
        Self { arrivals: (0..calls).map(|call| Arrival { at: at(call), size: Size::default() }).collect() }
    }

    /// Creates `calls` calls that arrive in bursts, `per_minute` a minute on average. The gaps have a gamma distribution with
    /// a standard deviation of `variation` times the mean.
    ///
    /// A variation of 1 is a Poisson process. `BurstGPT` (arXiv 2401.17644) found gamma gaps in traces of real use.
    ///
    /// # Panics
    /// If `per_minute` or `variation` is not above zero.
    #[must_use]
    pub fn gamma(calls: usize, per_minute: f64, variation: f64, seed: u64) -> Self {
        let shape = (variation * variation).recip();
        let gaps = Gamma::new(shape, 60.0 / per_minute / shape).expect("rate and variation above zero");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut at = Duration::ZERO;
        let arrival = |_| {
            at += Duration::from_secs_f64(gaps.sample(&mut random));
            Arrival { at, size: Size::default() }
        };
        Self { arrivals: (0..calls).map(arrival).collect() }
    }

    /// Sets the size of all calls.
    #[must_use]
    pub fn sized(mut self, size: Size) -> Self {
        self.arrivals.iter_mut().for_each(|arrival| arrival.size = size);
        self
    }

    /// Sets the input tokens of all calls, which have no output. The sizes have a log-normal distribution.
    ///
    /// # Panics
    /// If `median` is zero or `sigma` negative.
    #[must_use]
    pub fn tokens(mut self, median: u64, sigma: f64, seed: u64) -> Self {
        let (sizes, mut random) = (sizes(median, sigma), ChaCha8Rng::seed_from_u64(seed));
        for arrival in &mut self.arrivals {
            arrival.size = Size::new(sample(&sizes, &mut random), 0, 0);
        }
        self
    }

    /// Sets the input and output tokens of all calls. The sizes have log-normal distributions with the same `sigma`; outputs
    /// are cut at `max_output`, which all calls request.
    ///
    /// # Panics
    /// If a median is zero or `sigma` negative.
    #[must_use]
    pub fn sizes(mut self, input_median: u64, output_median: u64, sigma: f64, max_output: u64, seed: u64) -> Self {
        let (input, output) = (sizes(input_median, sigma), sizes(output_median, sigma));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for arrival in &mut self.arrivals {
            arrival.size = Size::new(sample(&input, &mut random), max_output, sample(&output, &mut random));
        }
        self
    }

    /// Sets the fraction of each call's input that is in the provider's cache, rounded down to whole tokens.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn cached(mut self, fraction: f64) -> Self {
        for arrival in &mut self.arrivals {
            arrival.size = arrival.size.cached((arrival.size.input as f64 * fraction) as u64);
        }
        self
    }

    /// Adds the calls of `later`, which starts at `at`.
    ///
    /// # Panics
    /// If a call of this workload arrives after `at`.
    #[must_use]
    pub fn then(mut self, at: Duration, later: Self) -> Self {
        assert!(self.arrivals.iter().all(|arrival| arrival.at <= at), "a call arrives after {at:?}");
        self.arrivals.extend(later.arrivals.into_iter().map(|arrival| Arrival { at: at + arrival.at, ..arrival }));
        self
    }

    /// Makes the calls for whose index `is_refused` returns `true` calls that the provider refuses each time, see
    /// [`Provider::refusal_of_single_calls`](super::Provider::refusal_of_single_calls).
    #[must_use]
    pub fn refused(mut self, is_refused: impl Fn(usize) -> bool) -> Self {
        for (index, arrival) in self.arrivals.iter_mut().enumerate() {
            arrival.size.is_refused = is_refused(index);
        }
        self
    }

    /// Returns the calls.
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
