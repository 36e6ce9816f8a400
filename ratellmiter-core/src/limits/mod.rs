//! The limits of a limiter, and the options of its calls.

pub(crate) mod budget_kind;
pub(crate) mod cost;
#[cfg(feature = "redis")]
pub(crate) mod fleet_config;
pub(crate) mod on_disconnect;
pub(crate) mod on_exhausted;
pub(crate) mod ramp;
pub(crate) mod request;

use std::{
    fmt,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use crate::{
    limits::{budget_kind::BudgetKind, on_exhausted::OnExhausted, ramp::Ramp},
    providers::provider::Provider,
};

/// The limits of one limiter. A call is sent when all of them allow it.
///
/// ```
/// use ratellmiter_core::Limits;
///
/// let limits = Limits::per_minute(90).max_in_flight(8).no_ramp();
/// assert_eq!(limits.to_string(), "90 requests a minute, 8 in flight, no ramp");
/// ```
///
/// For a tier of a provider, with the provider's accounting rules:
///
/// ```
/// use ratellmiter_core::{Limits, Provider};
///
/// let limits = Limits::for_provider(Provider::Anthropic)
///     .requests_per_minute(50)
///     .input_tokens_per_minute(30_000)
///     .output_tokens_per_minute(8_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    pub(crate) requests_per_minute: NonZeroU32,
    /// The limits of the budgets, in the order of [`BudgetKind::ALL`].
    budgets: [Option<NonZeroU64>; BudgetKind::ALL.len()],
    pub(crate) provider: Provider,
    pub(crate) max_in_flight: Option<NonZeroU32>,
    pub(crate) burst_window: Duration,
    /// `None`: a jump in demand is served at once.
    pub(crate) ramp: Option<Ramp>,
    pub(crate) adaptive: bool,
    pub(crate) max_attempts: NonZeroU32,
    pub(crate) transient_attempts: u32,
    pub(crate) max_wait: Option<Duration>,
    pub(crate) max_queue: Option<u32>,
    /// `None`: the default, which is shorter before the first accepted call.
    pub(crate) give_up_after: Option<Duration>,
    pub(crate) on_exhausted: OnExhausted,
    pub(crate) wait_at_most: Option<Duration>,
    pub(crate) enabled: bool,
}

impl Limits {
    /// Creates limits of `requests` calls a minute, evenly paced: 90 a minute are three every two seconds, 5 a minute one
    /// every twelve. Nothing else is limited, demand is ramped by [`Ramp::DEFAULT`], and a call is sent at most 20 times.
    ///
    /// # Panics
    /// If `requests` is 0.
    #[must_use]
    #[track_caller]
    pub const fn per_minute(requests: u32) -> Self {
        Self {
            requests_per_minute: calls(requests, "requests_per_minute must be at least 1"),
            budgets: [None; BudgetKind::ALL.len()],
            provider: Provider::Generic,
            max_in_flight: None,
            burst_window: Duration::ZERO,
            adaptive: true,
            ramp: Some(Ramp::DEFAULT),
            max_attempts: DEFAULT_ATTEMPTS,
            transient_attempts: DEFAULT_TRANSIENT_ATTEMPTS,
            max_wait: None,
            max_queue: None,
            give_up_after: None,
            on_exhausted: OnExhausted::Fail,
            wait_at_most: None,
            enabled: true,
        }
    }

    /// Creates limits with the accounting rules of `provider` and 300 calls a minute. For a provider that does not limit
    /// requests, as `DeepSeek`, it is 60,000 a minute.
    #[must_use]
    pub fn for_provider(provider: Provider) -> Self {
        let requests = if provider.limits_requests() { DEFAULT_RATE_LIMIT } else { UNLIMITED };
        Self::per_minute(requests.get()).provider(provider)
    }

    /// Sets the calls a minute.
    ///
    /// # Panics
    /// If `requests` is 0.
    #[must_use]
    #[track_caller]
    pub const fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = calls(requests, "requests_per_minute must be at least 1");
        self
    }

    /// Limits the calls in any 24 hours. They are not spread over the day. Unlimited by default.
    ///
    /// # Panics
    /// If `requests` is 0.
    #[must_use]
    #[track_caller]
    pub const fn requests_per_day(self, requests: u64) -> Self {
        self.budget(BudgetKind::RequestsPerDay, amount(requests, "requests_per_day must be at least 1"))
    }

    /// Limits the tokens a minute, as the [`provider`](Self::provider) counts them. Unlimited by default.
    ///
    /// # Panics
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub const fn tokens_per_minute(self, tokens: u64) -> Self {
        self.budget(BudgetKind::TokensPerMinute, amount(tokens, "tokens_per_minute must be at least 1"))
    }

    /// Limits the input tokens a minute. Unlimited by default.
    ///
    /// # Panics
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub const fn input_tokens_per_minute(self, tokens: u64) -> Self {
        self.budget(BudgetKind::InputTokensPerMinute, amount(tokens, "input_tokens_per_minute must be at least 1"))
    }

    /// Limits the output tokens a minute. Unlimited by default.
    ///
    /// # Panics
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub const fn output_tokens_per_minute(self, tokens: u64) -> Self {
        self.budget(BudgetKind::OutputTokensPerMinute, amount(tokens, "output_tokens_per_minute must be at least 1"))
    }

    /// Limits the tokens in any 24 hours. They are not spread over the day. Unlimited by default.
    ///
    /// # Panics
    /// If `tokens` is 0.
    #[must_use]
    #[track_caller]
    pub const fn tokens_per_day(self, tokens: u64) -> Self {
        self.budget(BudgetKind::TokensPerDay, amount(tokens, "tokens_per_day must be at least 1"))
    }

    /// Sets the provider, by whose rules tokens are charged and refunded. [`Provider::Generic`] by default.
    #[must_use]
    pub const fn provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// Limits the time a call may spend queued, over all its attempts. Unlimited by default.
    ///
    /// It applies to calls that can return [`Rejected`](crate::Rejected): those of
    /// [`Limiter::acquire_with`](crate::Limiter::acquire_with), and functions and [runners](crate::Limiter::runner) with a bound
    /// or with `bounded`.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Limits the number of queued calls. With 0, a call is sent at once or rejected. Unlimited by default.
    ///
    /// It applies to the same calls as [`max_wait`](Self::max_wait).
    #[must_use]
    pub const fn max_queue(mut self, calls: u32) -> Self {
        self.max_queue = Some(calls);
        self
    }

    /// Closes the limiter when no call was accepted for this time although calls were sent. By default 15 minutes, and 2 minutes
    /// before the first accepted call.
    ///
    /// While a limiter is closed, calls that can return [`Rejected`](crate::Rejected) fail at once, other calls are sent one at a
    /// time and are not retried, and at most one call a minute is sent to find out whether the server accepts calls again.
    #[must_use]
    pub const fn give_up_after(mut self, time: Duration) -> Self {
        self.give_up_after = Some(time);
        self
    }

    /// Sets the policy for calls while a quota is spent: fail, which is the default, or wait until the quota is back.
    ///
    /// A quota is spent if a response is [`Verdict::QuotaExhausted`](crate::Verdict::QuotaExhausted), or if the server asks for a
    /// wait of more than ten minutes.
    ///
    /// ```
    /// use ratellmiter_core::{Limits, OnExhausted};
    ///
    /// // A batch that continues when the quota is back.
    /// let limits = Limits::per_minute(300).on_exhausted(OnExhausted::Wait);
    /// # let _ = limits;
    /// ```
    #[must_use]
    pub const fn on_exhausted(mut self, policy: OnExhausted) -> Self {
        self.on_exhausted = policy;
        self
    }

    /// Limits the time for which [`OnExhausted::Wait`] waits, from the first response that shows that the quota is spent. If the
    /// server names a later time, calls fail at once. Unlimited by default.
    #[must_use]
    pub const fn wait_at_most(mut self, wait: Duration) -> Self {
        self.wait_at_most = Some(wait);
        self
    }

    /// Limits the calls in flight. Unlimited by default.
    ///
    /// # Panics
    /// If `in_flight` is 0.
    #[must_use]
    #[track_caller]
    pub const fn max_in_flight(mut self, in_flight: u32) -> Self {
        self.max_in_flight = Some(calls(in_flight, "max_in_flight must be at least 1"));
        self
    }

    /// Lets the unused budget of `window` be sent at once; at most 60 seconds. Zero by default, which is even pacing.
    ///
    /// This is for providers that count by the minute. With 60 seconds, a limiter that was idle for a minute sends a
    /// minute's calls at once, and demand from idle is not ramped. A minute may then exceed the limit by the unused budget
    /// of the minute before.
    #[must_use]
    pub fn burst_window(mut self, window: Duration) -> Self {
        self.burst_window = window.min(MAX_BURST_WINDOW);
        self
    }

    /// Sets whether refusals lower the limit that was exceeded until the server accepts more again. On by default. A limit
    /// is never raised above the configured one.
    #[must_use]
    pub const fn adaptive(mut self, adaptive: bool) -> Self {
        self.adaptive = adaptive;
        self
    }

    pub(crate) const fn budget(mut self, kind: BudgetKind, limit: NonZeroU64) -> Self {
        self.budgets[kind as usize] = Some(limit);
        self
    }

    /// Returns the limits of all kinds of budgets. `None` is no limit.
    pub(crate) fn budgets(&self) -> impl Iterator<Item = (BudgetKind, Option<NonZeroU64>)> {
        BudgetKind::ALL.into_iter().zip(self.budgets)
    }

    /// Returns the calls a minute.
    #[must_use]
    pub const fn rate_limit(&self) -> u32 {
        self.requests_per_minute.get()
    }

    /// Returns `true` unless the limiter was switched off by [`enabled`](Self::enabled) or by `RATELLMITER=off`.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Scales the limits of a minute and of calls in flight by `share`, to at least 1. Limits of a day are scaled elsewhere, by
    /// the rest of the day.
    #[must_use]
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let part = |limit: u64| ((limit as f64 * share.clamp(0.0, 1.0)) as u64).max(1);
        let small = |limit: NonZeroU32| NonZeroU32::new(u32::try_from(part(limit.get().into())).unwrap_or(u32::MAX));
        let large = |limit: NonZeroU64| NonZeroU64::new(part(limit.get()));
        self.requests_per_minute = small(self.requests_per_minute).unwrap_or(NonZeroU32::MIN);
        self.max_in_flight = self.max_in_flight.and_then(small);
        for (kind, limit) in BudgetKind::ALL.into_iter().zip(&mut self.budgets) {
            if !kind.is_daily() {
                *limit = limit.and_then(large);
            }
        }
        self
    }

    /// Sets the ramp of a jump in demand. [`Ramp::DEFAULT`] by default.
    #[must_use]
    pub const fn ramp(mut self, ramp: Ramp) -> Self {
        self.ramp = Some(ramp);
        self
    }

    /// Serves a jump in demand at once.
    #[must_use]
    pub const fn no_ramp(mut self) -> Self {
        self.ramp = None;
        self
    }

    /// Limits how often one call is sent, before its refusal is returned to the caller. 20 by default. Retries after transient
    /// failures do not count.
    ///
    /// # Panics
    /// If `attempts` is 0.
    #[must_use]
    #[track_caller]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = calls(attempts, "max_attempts must be at least 1");
        self
    }

    /// Limits how often one call is sent again after a [transient failure](crate::Verdict::Transient), before its error is
    /// returned to the caller. 2 by default; 0 returns the error at once, and lets the limiter never pause for such failures.
    ///
    /// Retries after refusals are limited by [`max_attempts`](Self::max_attempts) and do not count.
    #[must_use]
    pub const fn transient_attempts(mut self, attempts: u32) -> Self {
        self.transient_attempts = attempts;
        self
    }

    /// Sets whether the limiter does anything. With `false`, calls are sent at once and never retried, as in tests of your own.
    #[must_use]
    pub const fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }
}

/// Writes the limits that must be the same in all processes that share a limiter, in one line. Attempts, bounds on waiting and
/// [`enabled`](Limits::enabled) are left out.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests a minute", self.requests_per_minute)?;
        for (kind, limit) in self.budgets() {
            if let Some(limit) = limit {
                write!(f, ", {limit} {} a {}", kind.unit(), kind.period())?;
            }
        }
        if let Some(in_flight) = self.max_in_flight {
            write!(f, ", {in_flight} in flight")?;
        }
        if self.provider != Provider::Generic {
            write!(f, ", counted as by {}", self.provider)?;
        }
        if !self.burst_window.is_zero() {
            write!(f, ", a burst window of {} s", self.burst_window.as_secs_f64())?;
        }
        match self.ramp {
            Some(ramp) => write!(f, ", ramp {} + {}", f64::from(ramp.start) / 1000.0, f64::from(ramp.step) / 1000.0)?,
            None => f.write_str(", no ramp")?,
        }
        if self.adaptive { Ok(()) } else { f.write_str(", not adaptive") }
    }
}

/// Checks a number of calls. Panics with `message` if it is 0.
#[track_caller]
const fn calls(number: u32, message: &'static str) -> NonZeroU32 {
    NonZeroU32::new(number).expect(message)
}

/// Checks an amount of a budget, and clamps it so that sums cannot overflow. Panics with `message` if it is 0.
#[track_caller]
const fn amount(number: u64, message: &'static str) -> NonZeroU64 {
    let clamped = if number > MAX_AMOUNT { MAX_AMOUNT } else { number };
    NonZeroU64::new(clamped).expect(message)
}

/// The largest amount of a budget.
pub(crate) const MAX_AMOUNT: u64 = 1 << 48;

const DEFAULT_ATTEMPTS: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");

/// As many as in the SDKs of `OpenAI` and Anthropic.
const DEFAULT_TRANSIENT_ATTEMPTS: u32 = 2;

/// Calls a minute if none are configured.
pub(crate) const DEFAULT_RATE_LIMIT: NonZeroU32 = NonZeroU32::new(300).expect("300 is not 0");

/// Calls a minute for a provider that does not limit them.
pub(crate) const UNLIMITED: NonZeroU32 = NonZeroU32::new(60_000).expect("60,000 is not 0");

/// Maximum of [`Limits::burst_window`].
pub(crate) const MAX_BURST_WINDOW: Duration = Duration::from_mins(1);
