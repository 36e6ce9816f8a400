//! A provider, put together from limits.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Exp, LogNormal};

use super::rules::{Bucket, Rule, Slope, Unit, Window};
use crate::judge::{Scope, Verdict};

/// What a provider answers to a call, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is the answer that was asked for.
    Finished {
        /// So long after the call was sent.
        after: Duration,
    },
    /// The call was refused.
    Refused {
        /// So long after the call was sent.
        after: Duration,
        /// 429, or what an outage answers.
        status: u16,
        /// Which limit refused it, where the provider tells.
        scope: Scope,
        /// How long to wait, where the provider tells.
        hint: Option<Duration>,
    },
}

impl Answer {
    /// How long after the call was sent it comes.
    #[must_use]
    pub fn after(&self) -> Duration {
        match self {
            Self::Finished { after } | Self::Refused { after, .. } => *after,
        }
    }

    /// What a refusal means to a limiter; `None` if it is none.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match *self {
            Self::Finished { .. } => None,
            Self::Refused { status: 503 | 529, hint, .. } => Some(Verdict::Overloaded { retry_after: hint }),
            Self::Refused { hint, scope, .. } => Some(Verdict::RateLimited { retry_after: hint, scope }),
        }
    }
}

/// What a provider tells of the time to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Hint {
    /// The time until the call would be taken, to the nanosecond.
    Exact,
    /// The same in whole seconds, rounded up: what `Retry-After` can say.
    Seconds,
    /// The same, times a factor: 0.2 has clients come back far too early.
    Times(f64),
    /// Nothing.
    Missing,
}

/// A provider, put together from limits; a call goes through when all of them take it. It judges at the instant of
/// sending, in virtual time that is given to it.
///
/// ```
/// use std::time::Duration;
/// use ratellmiter_core::sim::{Answer, Hint, Provider};
///
/// // Two calls a second, enforced by the second, and an outage.
/// let mut provider = Provider::new(7)
///     .bucket(120, Duration::from_secs(1))
///     .hint(Hint::Exact)
///     .outage(Duration::from_secs(30)..Duration::from_secs(40), 529, Hint::Missing);
/// assert!(matches!(provider.call(Duration::ZERO, 0), Answer::Finished { .. }));
/// assert!(matches!(provider.call(Duration::ZERO, 0), Answer::Finished { .. }));
/// let Answer::Refused { status: 429, hint, .. } = provider.call(Duration::ZERO, 0) else { panic!() };
/// assert_eq!(hint, Some(Duration::from_millis(500)));
/// let Answer::Refused { status: 529, hint: None, .. } = provider.call(Duration::from_secs(35), 0) else { panic!() };
/// ```
#[derive(Debug)]
pub struct Provider {
    rules: Vec<Rule>,
    /// From when on the limits are multiplied, and by how much.
    factors: Vec<(Duration, f64)>,
    outages: Vec<(std::ops::Range<Duration>, u16, Hint)>,
    ban: Option<Ban>,
    concurrency: Option<usize>,
    hint: Hint,
    penalty: f64,
    median: Duration,
    latency: LogNormal<f64>,
    /// How much longer an answer takes for each call that is out.
    load: f64,
    refused_after: Duration,
    tenants: Option<Tenants>,
    /// When the calls that are out end.
    out: BinaryHeap<Reverse<Duration>>,
    random: ChaCha8Rng,
}

/// So many refusals within a time buy a time of refusing everything.
#[derive(Debug)]
struct Ban {
    refusals: usize,
    within: Duration,
    lasts: Duration,
    recent: Vec<Duration>,
    until: Duration,
}

/// Others who use the same limits, on and off.
#[derive(Debug)]
struct Tenants {
    gaps: Exp<f64>,
    on: Duration,
    off: Duration,
    next: Duration,
}

impl Provider {
    /// One that takes everything, and answers after 2.5 seconds in the median (log-normal, sigma 0.6), and refuses after
    /// a tenth of a second with `Retry-After` in whole seconds.
    #[must_use]
    #[allow(clippy::missing_panics_doc)] // 0.6 is a sigma.
    pub fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            factors: Vec::new(),
            outages: Vec::new(),
            ban: None,
            concurrency: None,
            hint: Hint::Seconds,
            penalty: 0.0,
            median: Duration::from_millis(2500),
            latency: LogNormal::new(0.0, 0.6).expect("0.6 is a sigma"),
            load: 0.0,
            refused_after: Duration::from_millis(100),
            tenants: None,
            out: BinaryHeap::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Takes so many requests a minute by a bucket that holds what the rate brings in `horizon`, at least one. It is full at
    /// first. A horizon of a second is Anthropic's "60 a minute may be one a second" (docs of
    /// October 2026); others count by the minute.
    #[must_use]
    pub fn bucket(mut self, per_minute: u32, horizon: Duration) -> Self {
        self.rules.push(Rule::Bucket(Bucket::new(Unit::Requests, per_minute.into(), horizon)));
        self
    }

    /// Takes so many requests a minute, counted over any stretch of this width. Azure counts over 1 or 10 seconds.
    #[must_use]
    pub fn sliding_window(mut self, per_minute: u32, width: Duration) -> Self {
        self.rules.push(Rule::Window(Window::new(Unit::Requests, per_minute.into(), width, true)));
        self
    }

    /// Takes so many requests a minute, counted over stretches of this width that begin on the clock.
    #[must_use]
    pub fn fixed_window(mut self, per_minute: u32, width: Duration) -> Self {
        self.rules.push(Rule::Window(Window::new(Unit::Requests, per_minute.into(), width, false)));
        self
    }

    /// Takes so many tokens a minute, by a bucket like [`bucket`](Self::bucket)'s.
    #[must_use]
    pub fn tokens(mut self, per_minute: u32, horizon: Duration) -> Self {
        self.rules.push(Rule::Bucket(Bucket::new(Unit::Tokens, per_minute.into(), horizon)));
        self
    }

    /// Takes in one second at most `factor` times the mean of the five before it, and `more`.
    #[must_use]
    pub fn slope(mut self, factor: f64, more: f64) -> Self {
        self.rules.push(Rule::Slope(Slope::new(factor, more)));
        self
    }

    /// Takes so many at once.
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = Some(calls);
        self
    }

    /// From then on all rates are multiplied with `factor`.
    #[must_use]
    pub fn then(mut self, from: Duration, factor: f64) -> Self {
        self.factors.push((from, factor));
        self
    }

    /// Refuses everything for that time, with this status.
    #[must_use]
    pub fn outage(mut self, time: std::ops::Range<Duration>, status: u16, hint: Hint) -> Self {
        self.outages.push((time, status, hint));
        self
    }

    /// So many refusals within a time buy another time of refusing everything.
    #[must_use]
    pub fn ban(mut self, refusals: usize, within: Duration, lasts: Duration) -> Self {
        self.ban = Some(Ban { refusals, within, lasts, recent: Vec::new(), until: Duration::ZERO });
        self
    }

    /// What is told of the time to wait.
    #[must_use]
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hint = hint;
        self
    }

    /// What a refused call is charged, as a part of a request. Buckets charge it, and go no lower than empty.
    #[must_use]
    pub fn penalty(mut self, part: f64) -> Self {
        self.penalty = part;
        self
    }

    /// How long answers take: log-normal with this median and sigma, and `load` of that longer for each call that is out.
    ///
    /// # Panics
    /// If sigma is negative.
    #[must_use]
    pub fn latency(mut self, median: Duration, sigma: f64, load: f64) -> Self {
        (self.median, self.load) = (median, load);
        self.latency = LogNormal::new(0.0, sigma).expect("a sigma is not negative");
        self
    }

    /// How long refusals take.
    #[must_use]
    pub fn refused_after(mut self, time: Duration) -> Self {
        self.refused_after = time;
        self
    }

    /// Others use the same limits: so many requests a minute at random for `on`, and none for `off`, in turn.
    ///
    /// # Panics
    /// If the rate is zero.
    #[must_use]
    pub fn tenants(mut self, per_minute: u32, on: Duration, off: Duration) -> Self {
        assert!(per_minute > 0, "tenants that send nothing");
        let gaps = Exp::new(f64::from(per_minute) / 60.0).expect("a rate above zero");
        self.tenants = Some(Tenants { gaps, on, off, next: Duration::ZERO });
        self
    }

    /// Answers a call. Times never go back.
    pub fn call(&mut self, now: Duration, tokens: u64) -> Answer {
        self.come_to(now);
        let answer = match self.refusal(now, tokens) {
            None => {
                self.rules.iter_mut().for_each(|rule| rule.take(now, tokens));
                #[allow(clippy::cast_precision_loss)]
                let load = 1.0 + self.load * self.out.len() as f64;
                let after = self.median.mul_f64(self.latency.sample(&mut self.random) * load);
                self.out.push(Reverse(now + after));
                return Answer::Finished { after };
            }
            Some((status, scope, wait, hint)) => {
                let hint = match hint {
                    Hint::Exact => Some(wait),
                    Hint::Seconds => Some(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))),
                    Hint::Times(factor) => Some(wait.mul_f64(factor)),
                    Hint::Missing => None,
                };
                Answer::Refused { after: self.refused_after, status, scope, hint }
            }
        };
        self.rules.iter_mut().for_each(|rule| rule.penalise(self.penalty));
        if let Some(ban) = &mut self.ban {
            ban.recent.retain(|at| *at + ban.within > now);
            ban.recent.push(now);
            if ban.recent.len() >= ban.refusals && ban.until <= now {
                ban.until = now + ban.lasts;
                ban.recent.clear();
            }
        }
        answer
    }

    /// How long until a call would be taken, as far as anybody can know; zero if it would be now.
    pub fn wait(&mut self, now: Duration, tokens: u64) -> Duration {
        self.come_to(now);
        self.refusal(now, tokens).map_or(Duration::ZERO, |(_, _, wait, _)| wait.max(Duration::from_millis(1)))
    }

    fn come_to(&mut self, now: Duration) {
        while self.out.peek().is_some_and(|Reverse(end)| *end <= now) {
            self.out.pop();
        }
        while let Some(tenants) = &mut self.tenants
            && tenants.next <= now
        {
            let at = tenants.next;
            tenants.next += Duration::from_secs_f64(tenants.gaps.sample(&mut self.random));
            let cycle = (tenants.on + tenants.off).as_secs_f64();
            if at.as_secs_f64() % cycle < tenants.on.as_secs_f64() {
                let factor = self.factor(at);
                if self.rules.iter_mut().all(|rule| rule.wait(at, factor, 0).is_zero()) {
                    self.rules.iter_mut().for_each(|rule| rule.take(at, 0));
                }
            }
        }
    }

    /// Status, limit, time to wait and what is told of it, if the call is refused.
    fn refusal(&mut self, now: Duration, tokens: u64) -> Option<(u16, Scope, Duration, Hint)> {
        if let Some((time, status, hint)) = self.outages.iter().find(|(time, ..)| time.contains(&now)) {
            return Some((*status, Scope::Unknown, time.end.saturating_sub(now), *hint));
        }
        if let Some(ban) = &self.ban
            && ban.until > now
        {
            return Some((429, Scope::Unknown, ban.until.saturating_sub(now), self.hint));
        }
        if let Some(most) = self.concurrency
            && self.out.len() >= most
        {
            let wait = self.out.peek().map_or(Duration::ZERO, |Reverse(end)| end.saturating_sub(now));
            return Some((429, Scope::Concurrency, wait, self.hint));
        }
        let factor = self.factor(now);
        let wait = self.rules.iter_mut().map(|rule| rule.wait(now, factor, tokens)).max().unwrap_or_default();
        (!wait.is_zero()).then_some((429, Scope::Unknown, wait, self.hint))
    }

    fn factor(&self, now: Duration) -> f64 {
        self.factors.iter().rev().find(|(from, _)| *from <= now).map_or(1.0, |(_, factor)| *factor)
    }
}
