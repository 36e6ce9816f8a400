//! A simulated provider.

mod builder;

use std::{ops::Range, time::Duration};

use rand::{RngExt as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Exp, LogNormal};

use super::{
    Answer, HeaderFault, HeaderSet, RetryAfter, Size, TokenCharging, Unit,
    charging::{Charge, DAY},
    flights::Flights,
    ledger::Ledger,
    presets::amount_in,
    rules::Rule,
};
use crate::judge::LimitKind;

/// Simulated provider, composed of limits. A call succeeds if all limits admit it at the instant of sending. Time is virtual
/// and passed as an argument.
///
/// ```
/// use std::time::Duration;
/// use ratellmiter_core::{LimitKind, sim::{Answer, Provider, RetryAfter, Size}};
///
/// // Two calls a second, enforced over a second, and an outage.
/// let call = Size::new(1000, 500, 200);
/// let mut provider = Provider::new(7)
///     .bucket(120, Duration::from_secs(1))
///     .retry_after(RetryAfter::Exact)
///     .outage(Duration::from_secs(30)..Duration::from_secs(40), 529, RetryAfter::Missing);
/// assert!(matches!(provider.call(Duration::ZERO, call), Answer::Finished { .. }));
/// assert!(matches!(provider.call(Duration::ZERO, call), Answer::Finished { .. }));
/// let Answer::Refused { status: 429, retry_after, limit: LimitKind::Requests, .. } = provider.call(Duration::ZERO, call) else { panic!() };
/// assert_eq!(retry_after, Some(Duration::from_millis(500)));
/// let Answer::Refused { status: 529, retry_after: None, .. } = provider.call(Duration::from_secs(35), call) else { panic!() };
/// ```
#[derive(Debug)]
pub struct Provider {
    rules: Vec<Rule>,
    /// Changes of the rates: the start of each, and the factor by which all rates are multiplied from then on.
    factors: Vec<(Duration, f64)>,
    outages: Vec<(Range<Duration>, u16, RetryAfter)>,
    /// Status and hint of the refusals that concern a single call.
    single_refusal: (u16, Option<Duration>),
    /// Fraction of the calls that fail, and their status.
    failures: (f64, u16),
    ban: Option<Ban>,
    concurrency: Option<usize>,
    retry_after: RetryAfter,
    /// Part of a request that a refused call is charged.
    penalty: f64,
    median_latency: Duration,
    latency: LogNormal<f64>,
    /// Increase of the latency for each call in flight, as a fraction.
    load: f64,
    refused_after: Duration,
    tenants: Option<Tenants>,
    charging: TokenCharging,
    cached_is_free: bool,
    /// Output tokens a second after the first, or `None` to spread them over the latency.
    speed: Option<f64>,
    hides_limit_kind: bool,
    refuses_oversized: bool,
    headers: Option<HeaderSet>,
    header_faults: Vec<HeaderFault>,
    in_flight: Flights,
    ledger: Ledger,
    /// Time from the first admitted call to the end of the last.
    active: Option<Range<Duration>>,
    random: ChaCha8Rng,
}

/// Refusal of all calls after too many refusals.
#[derive(Debug)]
struct Ban {
    refusals: usize,
    window: Duration,
    duration: Duration,
    recent: Vec<Duration>,
    until: Duration,
}

/// Other users of the same limits, active and idle in turn.
#[derive(Debug)]
struct Tenants {
    gaps: Exp<f64>,
    active: Duration,
    idle: Duration,
    next_at: Duration,
}

impl Provider {
    /// Answers a call. `now` must not decrease from call to call.
    pub fn call(&mut self, now: Duration, size: Size) -> Answer {
        self.advance_to(now);
        if size.is_refused {
            let (status, retry_after) = self.single_refusal;
            return Answer::Refused { after: self.refused_after, status, limit: LimitKind::Unknown, retry_after };
        }
        let answer = match self.refusal(now, size) {
            None if self.fails() => return self.fail(now),
            None => return self.admit(now, size),
            Some((status, limit, wait, retry_after)) => {
                let limit = if self.hides_limit_kind { LimitKind::Unknown } else { limit };
                Answer::Refused { after: self.refused_after, status, limit, retry_after: retry_after.applied_to(wait) }
            }
        };
        self.rules.iter_mut().for_each(|rule| rule.charge_refusal(now, self.penalty));
        if let Some(ban) = &mut self.ban {
            ban.recent.retain(|at| *at + ban.window > now);
            ban.recent.push(now);
            if ban.recent.len() >= ban.refusals && ban.until <= now {
                ban.until = now + ban.duration;
                ban.recent.clear();
            }
        }
        answer
    }

    /// Returns `true` if the next call fails.
    fn fails(&mut self) -> bool {
        let (share, _) = self.failures;
        share > 0.0 && self.random.random_bool(share.min(1.0))
    }

    fn fail(&mut self, now: Duration) -> Answer {
        let factor = self.factor(now);
        self.rules.iter_mut().for_each(|rule| rule.take(now, factor, &Charge::REQUEST));
        self.ledger.add(now, Charge::REQUEST);
        Answer::Failed { after: self.refused_after, status: self.failures.1 }
    }

    fn admit(&mut self, now: Duration, size: Size) -> Answer {
        let (factor, charge) = (self.factor(now), self.charging.at_arrival(size, self.cached_is_free));
        self.rules.iter_mut().for_each(|rule| rule.take(now, factor, &charge));
        self.ledger.add(now, charge);
        #[allow(clippy::cast_precision_loss)]
        let load = 1.0 + self.load * self.in_flight.len() as f64;
        let latency = self.median_latency.mul_f64(self.latency.sample(&mut self.random) * load);
        #[allow(clippy::cast_precision_loss)]
        let (first, after) = match self.speed {
            None => (Duration::ZERO, latency),
            Some(speed) => (latency, latency + Duration::from_secs_f64(size.output as f64 / speed)),
        };
        self.in_flight.add(now, first, after, size, self.charging);
        let active = self.active.get_or_insert(now..now);
        active.end = active.end.max(now + after);
        Answer::Finished { after, usage: size.usage() }
    }

    /// Returns the time until a call may be admitted, or zero if it is admitted now. Future calls of other tenants are not included. With
    /// refunds, the time is at most that to the next end of a call in flight.
    pub fn wait(&mut self, now: Duration, size: Size) -> Duration {
        self.advance_to(now);
        let Some((_, _, mut wait, _)) = self.refusal(now, size) else {
            return Duration::ZERO;
        };
        if let (TokenCharging::Settled { .. }, Some(end)) = (self.charging, self.in_flight.next()) {
            wait = wait.min(end.saturating_sub(now));
        }
        wait.max(Duration::from_millis(1))
    }

    pub(in crate::sim) fn has_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// Returns the headers of an answer at `now`. Of several limits on the same unit, they show the one with the least
    /// remaining.
    pub fn headers_at(&mut self, now: Duration) -> http::HeaderMap {
        self.advance_to(now);
        let (mut headers, factor) = (http::HeaderMap::new(), self.factor(now));
        for (set, (unit, is_daily)) in
            self.headers.iter().flat_map(|set| set.units().iter().map(move |unit| (set, *unit)))
        {
            let states = self.rules.iter_mut().filter_map(|rule| rule.state(now, factor, unit, is_daily));
            if let Some(state) = states.min_by(|one, other| one.remaining.total_cmp(&other.remaining)) {
                set.write(&mut headers, now, unit, state, &self.header_faults);
            }
        }
        headers
    }

    /// Returns the charges of admitted calls in `time`, less the refunds. Refused calls and other tenants are not included.
    ///
    /// Charges of calls in flight are included up to the last call of this provider's methods; after a [`run`](super::run),
    /// all of them are.
    #[must_use]
    pub fn charged(&self, unit: Unit, time: Range<Duration>) -> u64 {
        self.ledger.charged(unit, &time)
    }

    /// Returns the largest sum of charges less refunds in any interval of `width`.
    #[must_use]
    pub fn max_charged(&self, unit: Unit, width: Duration) -> u64 {
        self.ledger.max_charged(unit, width)
    }

    /// Returns the charges less refunds as a fraction of a limit, from the first admitted call to the end of the last.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn utilisation(&self, unit: Unit, per_minute: u32) -> f64 {
        let Some(active) = &self.active else {
            return 0.0;
        };
        let quota = amount_in(per_minute, active.end.saturating_sub(active.start));
        self.ledger.charged(unit, &(Duration::ZERO..Duration::MAX)) as f64 / quota
    }

    /// Processes charges and tenants up to `now` in the order of time, on which the levels of limits depend.
    pub(in crate::sim) fn advance_to(&mut self, now: Duration) {
        loop {
            let charge = self.in_flight.next().filter(|at| *at <= now);
            let tenant = self.tenants.as_ref().map(|tenants| tenants.next_at).filter(|at| *at <= now);
            match (charge, tenant) {
                (None, None) => return,
                (Some(charge), tenant) if tenant.is_none_or(|at| charge <= at) => self.charge_in_flight(),
                _ => self.call_of_tenant(),
            }
        }
    }

    fn charge_in_flight(&mut self) {
        if let Some(step) = self.in_flight.step(self.charging, self.cached_is_free) {
            let factor = self.factor(step.at);
            self.rules.iter_mut().for_each(|rule| rule.charge(step.at, factor, &step.charge, step.sent));
            self.ledger.add(step.at, step.charge);
        }
    }

    fn call_of_tenant(&mut self) {
        let Some(tenants) = &mut self.tenants else {
            return;
        };
        let at = tenants.next_at;
        tenants.next_at += Duration::from_secs_f64(tenants.gaps.sample(&mut self.random));
        let cycle = (tenants.active + tenants.idle).as_secs_f64();
        if at.as_secs_f64() % cycle < tenants.active.as_secs_f64() {
            let (factor, charging) = (self.factor(at), self.charging);
            if self.rules.iter_mut().all(|rule| rule.wait(at, factor, &Charge::REQUEST, charging).is_zero()) {
                self.rules.iter_mut().for_each(|rule| rule.take(at, factor, &Charge::REQUEST));
            }
        }
    }

    /// Returns the status, the limit, the time to wait and the form of its report, or `None` if the call is admitted.
    fn refusal(&mut self, now: Duration, size: Size) -> Option<(u16, LimitKind, Duration, RetryAfter)> {
        if let Some((time, status, retry_after)) = self.outages.iter().find(|(time, ..)| time.contains(&now)) {
            return Some((*status, LimitKind::Unknown, time.end.saturating_sub(now), *retry_after));
        }
        if let Some(ban) = &self.ban
            && ban.until > now
        {
            return Some((429, LimitKind::Unknown, ban.until.saturating_sub(now), self.retry_after));
        }
        if let Some(limit) = self.concurrency
            && self.in_flight.len() >= limit
        {
            let wait = self.in_flight.next_end().map_or(Duration::ZERO, |end| end.saturating_sub(now));
            return Some((429, LimitKind::Concurrency, wait, self.retry_after));
        }
        let factor = self.factor(now);
        let (charging, charge) = (self.charging, self.charging.at_arrival(size, self.cached_is_free));
        let mut rules = self.rules.iter().filter(|_| self.refuses_oversized);
        if let Some(rule) = rules.find(|rule| rule.is_exceeded_by(factor, &charge)) {
            // No wait helps.
            return Some((429, rule.limit_kind(), DAY, RetryAfter::Missing));
        }
        let waits = self.rules.iter_mut().map(|rule| (rule.wait(now, factor, &charge, charging), rule.limit_kind()));
        // A refusal names the limit with the longest wait.
        let (wait, limit) = waits.max_by_key(|(wait, _)| *wait)?;
        (!wait.is_zero()).then_some((429, limit, wait, self.retry_after))
    }

    fn factor(&self, now: Duration) -> f64 {
        self.factors.iter().rev().find(|(from, _)| *from <= now).map_or(1.0, |(_, factor)| *factor)
    }
}
