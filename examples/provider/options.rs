//! What was typed, as a provider.

use std::{ops::Range, time::Duration};

use clap::{Parser, ValueEnum};
use ratellmiter_core::sim::{Provider, RetryAfter};

/// A simulated provider on loopback. It prints its base URL, and what was asked when it ends.
#[derive(Debug, Parser)]
#[command(name = "provider")]
pub(crate) struct Options {
    /// Requests a minute; 0 is no limit.
    #[arg(long, default_value_t = 300)]
    rpm: u32,
    /// How they are counted.
    #[arg(long, value_enum, default_value_t = Enforce::Bucket)]
    enforce: Enforce,
    /// Over how many seconds they are counted: the depth of the bucket, the width of the window.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    horizon: u64,
    /// Tokens a minute, by a bucket of a minute: a third of the body's bytes, and `max_tokens`, 16 if unset.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    tpm: Option<u32>,
    /// Requests in flight.
    #[arg(long)]
    concurrency: Option<usize>,
    /// A second may carry so many times the mean of the five before, and two more.
    #[arg(long)]
    slope: Option<f64>,
    /// The median of the time an answer takes, in milliseconds.
    #[arg(long, default_value_t = 2500)]
    latency: u64,
    /// The sigma of that time, which is log-normal.
    #[arg(long, default_value = "0.6", value_parser = at_least_zero)]
    sigma: f64,
    /// How long a refusal takes, in milliseconds.
    #[arg(long, default_value_t = 100)]
    refused_after: u64,
    /// What is told of the time to wait: `seconds`, `exact`, `none`, or a factor that it is wrong by.
    #[arg(long, default_value = "seconds", value_parser = hint)]
    hint: RetryAfter,
    /// What a refused request is charged, as a part of one.
    #[arg(long, default_value = "0", value_parser = at_least_zero)]
    penalty: f64,
    /// From a second on the limits are multiplied, as in `30:0.5`. Can be given again.
    #[arg(long, value_parser = change)]
    then: Vec<(Duration, f64)>,
    /// Everything is refused with 529 in these seconds, as in `10..25`. Can be given again.
    #[arg(long, value_parser = seconds)]
    outage: Vec<Range<Duration>>,
    /// Others use the same limits: so many requests a minute, 20 seconds on and 20 off.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    tenants: Option<u32>,
    /// The port; 0 is a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// The same seed gives the same latencies.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// For how many seconds it runs.
    #[arg(long = "for", default_value_t = 3600)]
    pub(crate) lasts: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Enforce {
    Bucket,
    Sliding,
    Fixed,
}

impl Options {
    pub(crate) fn provider(&self) -> Provider {
        let (rpm, horizon) = (self.rpm, Duration::from_secs(self.horizon));
        let mut provider = Provider::new(self.seed)
            .latency(Duration::from_millis(self.latency), self.sigma, 0.0)
            .refused_after(Duration::from_millis(self.refused_after))
            .retry_after(self.hint)
            .penalty(self.penalty);
        provider = match self.enforce {
            _ if rpm == 0 => provider,
            Enforce::Bucket => provider.bucket(rpm, horizon),
            Enforce::Sliding => provider.sliding_window(rpm, horizon),
            Enforce::Fixed => provider.fixed_window(rpm, horizon),
        };
        if let Some(tpm) = self.tpm {
            provider = provider.tokens(tpm, Duration::from_secs(60));
        }
        if let Some(calls) = self.concurrency {
            provider = provider.concurrency(calls);
        }
        if let Some(factor) = self.slope {
            provider = provider.slope(factor, 2.0);
        }
        if let Some(per_minute) = self.tenants {
            provider = provider.tenants(per_minute, Duration::from_secs(20), Duration::from_secs(20));
        }
        for (from, factor) in &self.then {
            provider = provider.rate_change(*from, *factor);
        }
        for time in &self.outage {
            provider = provider.outage(time.clone(), 529, self.hint);
        }
        provider
    }
}

fn at_least_zero(text: &str) -> Result<f64, &'static str> {
    text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0).ok_or("allowed is a number from 0 up")
}

fn hint(text: &str) -> Result<RetryAfter, &'static str> {
    match text {
        "seconds" => Ok(RetryAfter::Seconds),
        "exact" => Ok(RetryAfter::Exact),
        "none" => Ok(RetryAfter::Missing),
        factor => at_least_zero(factor)
            .map(RetryAfter::Scaled)
            .map_err(|_| "allowed are seconds, exact, none, or a factor from 0 up"),
    }
}

fn time(text: &str) -> Option<Duration> {
    text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

fn change(text: &str) -> Result<(Duration, f64), &'static str> {
    let parse = || {
        let (from, factor) = text.split_once(':')?;
        Some((time(from)?, at_least_zero(factor).ok().filter(|factor| *factor > 0.0)?))
    };
    parse().ok_or("allowed is SECOND:FACTOR, as in 30:0.5")
}

fn seconds(text: &str) -> Result<Range<Duration>, &'static str> {
    let parse = || {
        let (from, to) = text.split_once("..")?;
        Some(time(from)?..time(to)?).filter(|range| !range.is_empty())
    };
    parse().ok_or("allowed is FROM..TO in seconds, as in 10..25")
}
