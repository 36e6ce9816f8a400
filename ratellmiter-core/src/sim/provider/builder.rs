//! Construction of a simulated provider.

use std::{ops::Range, time::Duration};

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Exp, LogNormal};

use super::{Ban, Provider, Tenants};
use crate::sim::{
    HeaderFault, HeaderSet, RetryAfter, TokenCharging, Unit,
    flights::Flights,
    ledger::Ledger,
    presets::amount_in,
    rules::{Bucket, Rule, Slope, Window},
};

impl Provider {
    /// Creates a provider without limits. It answers after 2.5 seconds in the median (log-normal, sigma 0.6). Refusals take
    /// 0.1 seconds and report the time to wait in whole seconds.
    #[must_use]
    #[allow(clippy::missing_panics_doc)] // 0.6 is a sigma.
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            factors: Vec::new(),
            outages: Vec::new(),
            single_refusal: (429, None),
            failures: (0.0, 502),
            ban: None,
            concurrency: None,
            retry_after: RetryAfter::Seconds,
            penalty: 0.0,
            median_latency: Duration::from_millis(2500),
            latency: LogNormal::new(0.0, 0.6).expect("0.6 is a sigma"),
            load: 0.0,
            refused_after: Duration::from_millis(100),
            tenants: None,
            charging: TokenCharging::default(),
            cached_is_free: false,
            speed: None,
            hides_limit_kind: false,
            refuses_oversized: false,
            headers: None,
            header_faults: Vec::new(),
            in_flight: Flights::default(),
            ledger: Ledger::default(),
            active: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Limits requests to `per_minute` with a token bucket. Its capacity is the refill of `horizon`, at least 1, and it
    /// starts full.
    ///
    /// A horizon of a second is Anthropic's "60 a minute may be one a second" (docs of October 2026). Others count over a
    /// minute.
    #[must_use]
    pub fn bucket(self, per_minute: u32, horizon: Duration) -> Self {
        self.token_bucket(Unit::Requests, per_minute, horizon)
    }

    /// Limits requests to `per_minute`, counted over any interval of `width`. Azure counts over 1 or 10 seconds.
    #[must_use]
    pub fn sliding_window(self, per_minute: u32, width: Duration) -> Self {
        self.window(Unit::Requests, amount_in(per_minute, width), width, true)
    }

    /// Limits requests to `per_minute`, counted over fixed intervals of `width` that start on the clock.
    #[must_use]
    pub fn fixed_window(self, per_minute: u32, width: Duration) -> Self {
        self.window(Unit::Requests, amount_in(per_minute, width), width, false)
    }

    /// Limits tokens to `per_minute` with a token bucket, see [`bucket`](Self::bucket).
    #[must_use]
    pub fn tokens(self, per_minute: u32, horizon: Duration) -> Self {
        self.token_bucket(Unit::Tokens, per_minute, horizon)
    }

    /// Limits `unit` to `per_minute` with a token bucket, see [`bucket`](Self::bucket).
    #[must_use]
    pub fn token_bucket(mut self, unit: Unit, per_minute: u32, horizon: Duration) -> Self {
        self.rules.push(Rule::Bucket(Bucket::new(unit, per_minute.into(), horizon)));
        self
    }

    /// Limits `unit` to `limit` in any interval of `width`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn sliding_count(self, unit: Unit, limit: u64, width: Duration) -> Self {
        self.window(unit, limit as f64, width, true)
    }

    /// Limits `unit` to `limit` in each fixed interval of `width`, which starts on the clock. Refusals and headers show an
    /// interval of a day as a daily limit.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn fixed_count(self, unit: Unit, limit: u64, width: Duration) -> Self {
        self.window(unit, limit as f64, width, false)
    }

    pub(in crate::sim) fn window(mut self, unit: Unit, limit: f64, width: Duration, is_sliding: bool) -> Self {
        self.rules.push(Rule::Window(Window::new(unit, limit, width, is_sliding)));
        self
    }

    /// Sets how the tokens of a call are charged. [`TokenCharging::Reserved`] by default.
    #[must_use]
    pub fn charging(mut self, charging: TokenCharging) -> Self {
        self.charging = charging;
        self
    }

    /// Refuses a call whose charge exceeds a whole limit each time. By default it is admitted when nothing else is charged.
    #[must_use]
    pub fn refusal_of_oversized_calls(mut self) -> Self {
        self.refuses_oversized = true;
        self
    }

    /// Excludes cached input from charges.
    #[must_use]
    pub fn cached_is_free(mut self) -> Self {
        self.cached_is_free = true;
        self
    }

    /// Sets the output tokens a second after the first token, which then arrives after the [`latency`](Self::latency). By
    /// default the latency is that of the whole answer, and its tokens are spread over it.
    ///
    /// # Panics
    /// If `per_second` is not above zero.
    #[must_use]
    pub fn speed(mut self, per_second: f64) -> Self {
        assert!(per_second > 0.0, "{per_second} tokens a second is not above zero");
        self.speed = Some(per_second);
        self
    }

    /// Makes refusals hide the limit that refused the call.
    #[must_use]
    pub fn without_limit_kind(mut self) -> Self {
        self.hides_limit_kind = true;
        self
    }

    /// Adds rate-limit headers to answers.
    #[must_use]
    pub fn headers(mut self, headers: HeaderSet) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Adds a wrong value to the headers.
    #[must_use]
    pub fn header_fault(mut self, fault: HeaderFault) -> Self {
        self.header_faults.push(fault);
        self
    }

    /// Limits the calls in one second to `factor` times the mean of the five seconds before, plus `extra`.
    #[must_use]
    pub fn slope(mut self, factor: f64, extra: f64) -> Self {
        self.rules.push(Rule::Slope(Slope::new(factor, extra)));
        self
    }

    /// Limits the calls in flight.
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// Multiplies all rates by `factor` from `from` on, in place of an earlier factor.
    #[must_use]
    pub fn rate_change(mut self, from: Duration, factor: f64) -> Self {
        self.factors.push((from, factor));
        self
    }

    /// Refuses all calls during `time` with `status`.
    #[must_use]
    pub fn outage(mut self, time: Range<Duration>, status: u16, retry_after: RetryAfter) -> Self {
        self.outages.push((time, status, retry_after));
        self
    }

    /// Sets the status and the hint of refusals of [single calls](super::super::Workload::refused). 429 without a hint by default.
    #[must_use]
    pub fn refusal_of_single_calls(mut self, status: u16, hint: Option<Duration>) -> Self {
        self.single_refusal = (status, hint);
        self
    }

    /// Fails the fraction `share` of the calls that are not refused with `status`, as a gateway does. They count as requests and
    /// use no tokens.
    #[must_use]
    pub fn failures(mut self, share: f64, status: u16) -> Self {
        self.failures = (share, status);
        self
    }

    /// Refuses all calls for `duration` after `refusals` refusals within `window`.
    #[must_use]
    pub fn ban(mut self, refusals: usize, window: Duration, duration: Duration) -> Self {
        self.ban = Some(Ban { refusals, window, duration, recent: Vec::new(), until: Duration::ZERO });
        self
    }

    /// Sets how refusals report the time to wait. [`RetryAfter::Seconds`] by default.
    #[must_use]
    pub fn retry_after(mut self, retry_after: RetryAfter) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Sets the charge of a refused call, as a part of a request. It does not exceed a limit on requests.
    #[must_use]
    pub fn penalty(mut self, part: f64) -> Self {
        self.penalty = part;
        self
    }

    /// Sets the latency of answers: log-normal, and longer by the fraction `load` for each call in flight.
    ///
    /// # Panics
    /// If `sigma` is negative.
    #[must_use]
    pub fn latency(mut self, median: Duration, sigma: f64, load: f64) -> Self {
        (self.median_latency, self.load) = (median, load);
        self.latency = LogNormal::new(0.0, sigma).expect("a sigma that is not negative");
        self
    }

    /// Sets the time that refusals take. 0.1 seconds by default.
    #[must_use]
    pub fn refused_after(mut self, time: Duration) -> Self {
        self.refused_after = time;
        self
    }

    /// Adds other users of the same limits: `per_minute` requests a minute at random for `active`, and none for `idle`, in
    /// turn.
    ///
    /// # Panics
    /// If `per_minute` is zero.
    #[must_use]
    pub fn tenants(mut self, per_minute: u32, active: Duration, idle: Duration) -> Self {
        assert!(per_minute > 0, "the tenants send no requests");
        let gaps = Exp::new(f64::from(per_minute) / 60.0).expect("a rate above zero");
        self.tenants = Some(Tenants { gaps, active, idle, next_at: Duration::ZERO });
        self
    }
}
