//! The command-line options, and the provider that they describe.

use std::{ops::Range, time::Duration};

use clap::{Parser, ValueEnum};
use ratellmiter_core::sim::{Provider, RetryAfter};

/// A simulated LLM provider on loopback. Prints its base URL at the start and the number of requests at the end.
#[derive(Debug, Parser)]
#[command(name = "provider")]
pub(crate) struct Options {
    /// Requests per minute; 0 means unlimited.
    #[arg(long, default_value_t = 300)]
    rpm: u32,
    /// How the request limit is enforced.
    #[arg(long, value_enum, default_value_t = Enforce::Bucket)]
    enforce: Enforce,
    /// Depth of the bucket or width of the window, in seconds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    horizon: u64,
    /// Tokens per minute, enforced by a bucket of one minute. A request is charged a third of its body's bytes plus its
    /// `max_tokens`, 16 if unset.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    tpm: Option<u32>,
    /// Maximum number of requests in flight.
    #[arg(long)]
    concurrency: Option<usize>,
    /// Growth limit: requests per second, as a multiple of the mean of the previous five seconds, plus two.
    #[arg(long)]
    slope: Option<f64>,
    /// Median latency of a successful response, in milliseconds.
    #[arg(long, default_value_t = 2500)]
    latency: u64,
    /// Sigma of the latency, which is log-normal.
    #[arg(long, default_value = "0.6", value_parser = at_least_zero)]
    sigma: f64,
    /// Latency of a refusal, in milliseconds.
    #[arg(long, default_value_t = 100)]
    refused_after: u64,
    /// Retry-After of refusals: `seconds`, `exact`, `none`, or a factor by which it is wrong.
    #[arg(long, default_value = "seconds", value_parser = hint)]
    hint: RetryAfter,
    /// Charge for a refused request, as a fraction of a request.
    #[arg(long, default_value = "0", value_parser = at_least_zero)]
    penalty: f64,
    /// Multiplies the limits by a factor from a second on, as in `30:0.5`. Can be repeated.
    #[arg(long, value_parser = change)]
    then: Vec<(Duration, f64)>,
    /// Refuses all requests with status 529 in a range of seconds, as in `10..25`. Can be repeated.
    #[arg(long, value_parser = seconds)]
    outage: Vec<Range<Duration>>,
    /// Requests per minute of other tenants that share the limits, alternating 20 seconds on and 20 seconds off.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    tenants: Option<u32>,
    /// Port; 0 selects a free port.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Seed of the latencies.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Time to run, in seconds.
    #[arg(long = "for", default_value_t = 3600)]
    pub(crate) run_seconds: u64,
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
    text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0).ok_or("expected a number of at least 0")
}

fn hint(text: &str) -> Result<RetryAfter, &'static str> {
    match text {
        "seconds" => Ok(RetryAfter::Seconds),
        "exact" => Ok(RetryAfter::Exact),
        "none" => Ok(RetryAfter::Missing),
        factor => at_least_zero(factor)
            .map(RetryAfter::Scaled)
            .map_err(|_| "expected seconds, exact, none, or a factor of at least 0"),
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
    parse().ok_or("expected SECOND:FACTOR, as in 30:0.5")
}

fn seconds(text: &str) -> Result<Range<Duration>, &'static str> {
    let parse = || {
        let (from, to) = text.split_once("..")?;
        Some(time(from)?..time(to)?).filter(|range| !range.is_empty())
    };
    parse().ok_or("expected FROM..TO in seconds, as in 10..25")
}
