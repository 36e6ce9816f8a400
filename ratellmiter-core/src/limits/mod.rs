//! What a user may ask for: calls and tokens a minute and a day, calls in flight, the ramp, attempts; validated when made.

pub(crate) mod cost;
#[cfg(feature = "redis")]
pub(crate) mod fleet_config;
pub(crate) mod on_disconnect;
pub(crate) mod request;

use std::{
    error::Error,
    fmt,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use crate::{
    engine::budgets,
    providers::contract::{Contract, UnknownProvider},
};

/// What one limiter allows. A ticket is issued when all of it does.
///
/// ```
/// use std::num::NonZeroU32;
/// use ratellmiter_core::Limits;
///
/// let limits = Limits::per_minute(NonZeroU32::new(90).unwrap()).no_ramp();
/// assert_eq!(limits.requests_per_minute.get(), 90);
/// ```
///
/// A tier table is written down as it stands there, with the provider's way of counting:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use ratellmiter_core::Limits;
///
/// let limits = Limits::provider("anthropic")?
///     .requests_per_minute(50.try_into()?)
///     .input_tokens_per_minute(30_000.try_into()?)
///     .output_tokens_per_minute(8_000.try_into()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Calls a minute. They go out evenly: 90 a minute is three every two seconds, 5 a minute one every twelve.
    pub requests_per_minute: NonZeroU32,
    /// Calls a day: in any 24 hours, not from midnight on. They are not spread over it. `None`: any number.
    pub requests_per_day: Option<NonZeroU64>,
    /// Tokens a minute, as far as the provider counts them: see [`contract`](Self::contract). `None`: any number.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Input tokens a minute, where they have a limit of their own.
    pub input_tokens_per_minute: Option<NonZeroU64>,
    /// Output tokens a minute, where they have a limit of their own.
    pub output_tokens_per_minute: Option<NonZeroU64>,
    /// Tokens a day: in any 24 hours. They are not spread over it.
    pub tokens_per_day: Option<NonZeroU64>,
    /// How the provider counts tokens: what a call is charged when it goes, and what of that is given back.
    pub contract: Contract,
    /// How many calls may be out at once; the line waits for this as it does for the rate. `None`: any number.
    pub max_in_flight: Option<NonZeroU32>,
    /// How much unused budget may go at once, as the time in which the rate brings it; at most 60 seconds. Zero, the
    /// default, is even pacing. For providers that count by the minute: with 60 seconds a limiter that was idle for a
    /// minute lets a minute's calls go at once, and demand from idle is not ramped up. More than the rate may go in a minute
    /// then: by what was saved up before it.
    pub burst_window: Duration,
    /// How a jump in demand is taken. `None`: at once.
    pub ramp: Option<Ramp>,
    /// Whether refusals lower the rate, and the calls in flight where they say so, until the server takes more again. On
    /// by default; never above what is configured.
    pub adaptive: bool,
    /// How often one call is sent at most before its refusal goes back to the caller. 20 by default.
    pub max_attempts: NonZeroU32,
    /// How long calls wait at most, all their tickets taken together. It binds those that can be told: see
    /// [`Limiter::acquire_with`](crate::Limiter::acquire_with), and the option `bounded` of the attribute. `None`: as long as it takes.
    pub max_wait: Option<Duration>,
    /// How many calls may wait; with 0 each goes at once or not at all. It binds those that can be told. `None`: any number.
    pub max_queue: Option<u32>,
    /// `false` lets everything through at once and retries nothing, for your own tests.
    pub enabled: bool,
}

impl Limits {
    /// So many calls a minute, any number of them in flight, with the default ramp and 20 attempts.
    #[must_use]
    #[allow(clippy::missing_panics_doc)] // 20 is not 0.
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        Self {
            requests_per_minute: requests,
            requests_per_day: None,
            tokens_per_minute: None,
            input_tokens_per_minute: None,
            output_tokens_per_minute: None,
            tokens_per_day: None,
            contract: Contract::PLAIN,
            max_in_flight: None,
            burst_window: Duration::ZERO,
            adaptive: true,
            ramp: Some(Ramp::DEFAULT),
            max_attempts: NonZeroU32::new(20).expect("20 is not 0"),
            max_wait: None,
            max_queue: None,
            enabled: true,
        }
    }

    /// With the contract of this provider, 300 calls a minute and no other limit yet: say what your account has. Where the provider
    /// has no limit of requests, as `DeepSeek`, it is 60,000 a minute.
    ///
    /// # Errors
    /// There is no such provider; the error names those that there are.
    pub fn provider(name: &str) -> Result<Self, UnknownProvider> {
        let contract = Contract::named(name)?;
        let requests = if contract.limits_requests() { DEFAULT_RATE_LIMIT } else { UNLIMITED };
        Ok(Self::per_minute(requests).contract(contract))
    }

    /// So many calls a minute.
    #[must_use]
    pub const fn requests_per_minute(mut self, requests: NonZeroU32) -> Self {
        self.requests_per_minute = requests;
        self
    }

    /// So many calls in any 24 hours.
    #[must_use]
    pub const fn requests_per_day(mut self, requests: NonZeroU64) -> Self {
        self.requests_per_day = Some(requests);
        self
    }

    /// So many tokens a minute.
    #[must_use]
    pub const fn tokens_per_minute(mut self, tokens: NonZeroU64) -> Self {
        self.tokens_per_minute = Some(tokens);
        self
    }

    /// So many input tokens a minute.
    #[must_use]
    pub const fn input_tokens_per_minute(mut self, tokens: NonZeroU64) -> Self {
        self.input_tokens_per_minute = Some(tokens);
        self
    }

    /// So many output tokens a minute.
    #[must_use]
    pub const fn output_tokens_per_minute(mut self, tokens: NonZeroU64) -> Self {
        self.output_tokens_per_minute = Some(tokens);
        self
    }

    /// So many tokens in any 24 hours.
    #[must_use]
    pub const fn tokens_per_day(mut self, tokens: NonZeroU64) -> Self {
        self.tokens_per_day = Some(tokens);
        self
    }

    /// Tokens are counted by this contract.
    #[must_use]
    pub const fn contract(mut self, contract: Contract) -> Self {
        self.contract = contract;
        self
    }

    /// Calls that can be told wait no longer than this.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Calls that can be told do not join a line of so many.
    #[must_use]
    pub const fn max_queue(mut self, calls: u32) -> Self {
        self.max_queue = Some(calls);
        self
    }

    /// At most so many calls out at once.
    #[must_use]
    pub const fn max_in_flight(mut self, calls: NonZeroU32) -> Self {
        self.max_in_flight = Some(calls);
        self
    }

    /// Lets unused budget of so much time go at once. More than 60 seconds counts as 60.
    #[must_use]
    pub fn burst_window(mut self, horizon: Duration) -> Self {
        self.burst_window = horizon.min(MAX_BURST_WINDOW);
        self
    }

    /// All are fields that anybody can set: what no sum can hold is less.
    pub(crate) fn clamped(mut self) -> Self {
        self.burst_window = self.burst_window.min(MAX_BURST_WINDOW);
        let budgets = [
            &mut self.requests_per_day,
            &mut self.tokens_per_minute,
            &mut self.input_tokens_per_minute,
            &mut self.output_tokens_per_minute,
            &mut self.tokens_per_day,
        ];
        for budget in budgets.into_iter().flatten() {
            *budget = (*budget).min(NonZeroU64::new(budgets::MAX_AMOUNT).unwrap_or(*budget));
        }
        self
    }

    /// Whether refusals lower the rate for a while.
    #[must_use]
    pub const fn adaptive(mut self, learn: bool) -> Self {
        self.adaptive = learn;
        self
    }

    /// All that must be the same in processes that share a limiter.
    pub(crate) fn fingerprint(&self) -> String {
        let named = |limit: Option<u64>, unit: &str| limit.map(|limit| format!(", {limit} {unit}")).unwrap_or_default();
        let of = |limit: Option<NonZeroU64>, unit| named(limit.map(NonZeroU64::get), unit);
        let ramp = self.ramp.map_or_else(
            || ", no ramp".to_owned(),
            |ramp| format!(", ramp {} + {}", f64::from(ramp.start) / 1000.0, f64::from(ramp.step) / 1000.0),
        );
        [
            format!("{} requests a minute", self.requests_per_minute),
            of(self.requests_per_day, "requests a day"),
            of(self.tokens_per_minute, "tokens a minute"),
            of(self.input_tokens_per_minute, "input tokens a minute"),
            of(self.output_tokens_per_minute, "output tokens a minute"),
            of(self.tokens_per_day, "tokens a day"),
            named(self.max_in_flight.map(|most| most.get().into()), "in flight"),
            if self.contract == Contract::PLAIN { String::new() } else { format!(", counted as by {}", self.contract) },
            if self.burst_window.is_zero() {
                String::new()
            } else {
                format!(", a burst of {} s", self.burst_window.as_secs_f64())
            },
            ramp,
            if self.adaptive { String::new() } else { ", never learning".to_owned() },
        ]
        .concat()
    }

    /// The part of the limits that is one process's, where many share them. Of a day it depends on what is left.
    #[must_use]
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = |limit: u64| ((limit as f64 * share.clamp(0.0, 1.0)) as u64).max(1);
        let small = |limit: NonZeroU32| NonZeroU32::new(u32::try_from(part(limit.get().into())).unwrap_or(u32::MAX));
        let large = |limit: NonZeroU64| NonZeroU64::new(part(limit.get()));
        self.requests_per_minute = small(self.requests_per_minute).unwrap_or(NonZeroU32::MIN);
        self.max_in_flight = self.max_in_flight.and_then(small);
        self.tokens_per_minute = self.tokens_per_minute.and_then(large);
        self.input_tokens_per_minute = self.input_tokens_per_minute.and_then(large);
        self.output_tokens_per_minute = self.output_tokens_per_minute.and_then(large);
        self
    }

    /// Takes a jump in demand by this ramp.
    #[must_use]
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// Takes a jump in demand at once.
    #[must_use]
    pub const fn no_ramp(mut self) -> Self {
        self.ramp = None;
        self
    }

    /// Sends one call at most so often.
    #[must_use]
    pub const fn max_attempts(mut self, attempts: NonZeroU32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// `false` lets everything through at once and retries nothing.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// Calls a minute when nobody says anything.
pub(crate) const DEFAULT_RATE_LIMIT: NonZeroU32 = NonZeroU32::new(300).expect("300 is not 0");

/// Calls a minute where nobody counts them.
pub(crate) const UNLIMITED: NonZeroU32 = NonZeroU32::new(60_000).expect("60,000 is not 0");

/// The longest [`Limits::burst_window`].
pub(crate) const MAX_BURST_WINDOW: Duration = Duration::from_mins(1);

/// How a jump in demand is taken: which part of the rate the first second may use, and by how much of the rate each
/// second may exceed what the last one used.
///
/// The default, 0.25 and 0.10, reaches the full rate in the ninth second and costs 3.2 seconds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp {
    /// Both in thousandths, so that the arithmetic is exact.
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// The whole rate, in the unit of [`Ramp`].
pub(crate) const FULL_RATE: u32 = 1000;

impl Ramp {
    /// A quarter at first, a tenth more each second.
    pub const DEFAULT: Self = Self { start: 250, step: 100 };

    /// Both as fractions of the rate, kept to a thousandth.
    ///
    /// ```
    /// use ratellmiter_core::Ramp;
    ///
    /// assert_eq!(Ramp::new(0.25, 0.10), Ok(Ramp::DEFAULT));
    /// assert!(Ramp::new(0.0, 0.10).is_err());
    /// ```
    ///
    /// # Errors
    /// One of them is not between 0.001 and 1.
    pub fn new(start: f64, step: f64) -> Result<Self, InvalidRamp> {
        let thousandths = |value: f64| {
            let scaled = (value * f64::from(FULL_RATE)).round();
            // The range check makes the conversion exact.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            if (1.0..=f64::from(FULL_RATE)).contains(&scaled) { Ok(scaled as u32) } else { Err(InvalidRamp { value }) }
        };
        Ok(Self { start: thousandths(start)?, step: thousandths(step)? })
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A ramp's start or step that is no part of the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InvalidRamp {
    value: f64,
}

impl fmt::Display for InvalidRamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a ramp's start and step are fractions of the rate from 0.001 to 1, not {}", self.value)
    }
}

impl Error for InvalidRamp {}
