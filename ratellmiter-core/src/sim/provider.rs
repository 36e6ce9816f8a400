//! A provider, put together from limits.

use std::{ops::Range, time::Duration};

use rand::{SeedableRng as _, rngs::ChaCha8Rng};
use rand_distr::{Distribution as _, Exp, LogNormal};

use super::{
    Answer, Charging, HeaderSet, Hint, Lie, Size, Unit,
    charging::Charge,
    flights::Flights,
    ledger::Ledger,
    presets::in_width,
    rules::{Bucket, Rule, Slope, Window},
};
use crate::judge::LimitKind;

/// A provider, put together from limits; a call goes through when all of them take it. It judges at the instant of
/// sending, in virtual time that is given to it.
///
/// ```
/// use std::time::Duration;
/// use ratellmiter_core::{LimitKind, sim::{Answer, Hint, Provider, Size}};
///
/// // Two calls a second, enforced by the second, and an outage.
/// let call = Size::new(1000, 500, 200);
/// let mut provider = Provider::new(7)
///     .bucket(120, Duration::from_secs(1))
///     .hint(Hint::Exact)
///     .outage(Duration::from_secs(30)..Duration::from_secs(40), 529, Hint::Missing);
/// assert!(matches!(provider.call(Duration::ZERO, call), Answer::Finished { .. }));
/// assert!(matches!(provider.call(Duration::ZERO, call), Answer::Finished { .. }));
/// let Answer::Refused { status: 429, hint, limit: LimitKind::Requests, .. } = provider.call(Duration::ZERO, call) else { panic!() };
/// assert_eq!(hint, Some(Duration::from_millis(500)));
/// let Answer::Refused { status: 529, hint: None, .. } = provider.call(Duration::from_secs(35), call) else { panic!() };
/// ```
#[derive(Debug)]
pub struct Provider {
    rules: Vec<Rule>,
    /// From when on the limits are multiplied, and by how much.
    factors: Vec<(Duration, f64)>,
    outages: Vec<(Range<Duration>, u16, Hint)>,
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
    charging: Charging,
    cached_is_free: bool,
    /// Tokens that are produced in a second; without, they come over all the time that an answer takes.
    speed: Option<f64>,
    vague: bool,
    headers: Option<HeaderSet>,
    lies: Vec<Lie>,
    out: Flights,
    ledger: Ledger,
    /// When the first call was taken, and when the last one ends.
    used: Option<Range<Duration>>,
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
            charging: Charging::default(),
            cached_is_free: false,
            speed: None,
            vague: false,
            headers: None,
            lies: Vec::new(),
            out: Flights::default(),
            ledger: Ledger::default(),
            used: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Takes so many requests a minute by a bucket that holds what the rate brings in `horizon`, at least one. It is full at
    /// first. A horizon of a second is Anthropic's "60 a minute may be one a second" (docs of
    /// October 2026); others count by the minute.
    #[must_use]
    pub fn bucket(self, per_minute: u32, horizon: Duration) -> Self {
        self.token_bucket(Unit::Requests, per_minute, horizon)
    }

    /// Takes so many requests a minute, counted over any stretch of this width. Azure counts over 1 or 10 seconds.
    #[must_use]
    pub fn sliding_window(self, per_minute: u32, width: Duration) -> Self {
        self.window(Unit::Requests, in_width(per_minute, width), width, true)
    }

    /// Takes so many requests a minute, counted over stretches of this width that begin on the clock.
    #[must_use]
    pub fn fixed_window(self, per_minute: u32, width: Duration) -> Self {
        self.window(Unit::Requests, in_width(per_minute, width), width, false)
    }

    /// Takes so many tokens a minute, by a bucket like [`bucket`](Self::bucket)'s.
    #[must_use]
    pub fn tokens(self, per_minute: u32, horizon: Duration) -> Self {
        self.token_bucket(Unit::Tokens, per_minute, horizon)
    }

    /// Takes so much a minute of a unit, by a bucket like [`bucket`](Self::bucket)'s.
    #[must_use]
    pub fn token_bucket(mut self, unit: Unit, per_minute: u32, horizon: Duration) -> Self {
        self.rules.push(Rule::Bucket(Bucket::new(unit, per_minute.into(), horizon)));
        self
    }

    /// Takes so much of a unit in any stretch of this width.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn sliding_count(self, unit: Unit, most: u64, width: Duration) -> Self {
        self.window(unit, most as f64, width, true)
    }

    /// Takes so much of a unit in each stretch of this width, which begins on the clock. One of a day is told as a day's.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn fixed_count(self, unit: Unit, most: u64, width: Duration) -> Self {
        self.window(unit, most as f64, width, false)
    }

    pub(super) fn window(mut self, unit: Unit, most: f64, width: Duration, slides: bool) -> Self {
        self.rules.push(Rule::Window(Window::new(unit, most, width, slides)));
        self
    }

    /// How the tokens of a call are charged; [`Charging::Reserved`] at first.
    #[must_use]
    pub fn charging(mut self, charging: Charging) -> Self {
        self.charging = charging;
        self
    }

    /// Input that is cached is not charged.
    #[must_use]
    pub fn cached_is_free(mut self) -> Self {
        self.cached_is_free = true;
        self
    }

    /// Produces so many tokens a second, after the first, which then takes the [`latency`](Self::latency). Without it the
    /// latency is that of the whole answer, and the tokens come all through it.
    ///
    /// # Panics
    /// If it is not above zero.
    #[must_use]
    pub fn speed(mut self, per_second: f64) -> Self {
        assert!(per_second > 0.0, "{per_second} tokens a second never end");
        self.speed = Some(per_second);
        self
    }

    /// Refusals do not tell which limit it was.
    #[must_use]
    pub fn vague(mut self) -> Self {
        self.vague = true;
        self
    }

    /// Answers carry these headers.
    #[must_use]
    pub fn headers(mut self, headers: HeaderSet) -> Self {
        self.headers = Some(headers);
        self
    }

    /// Headers say this in place of the truth.
    #[must_use]
    pub fn lie(mut self, lie: Lie) -> Self {
        self.lies.push(lie);
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
    pub fn outage(mut self, time: Range<Duration>, status: u16, hint: Hint) -> Self {
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

    /// What a refused call is charged, as a part of a request. Limits on requests go no lower than empty by it.
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
    pub fn call(&mut self, now: Duration, size: Size) -> Answer {
        self.come_to(now);
        let answer = match self.refusal(now, size) {
            None => return self.take(now, size),
            Some((status, scope, wait, hint)) => {
                let scope = if self.vague { LimitKind::Unknown } else { scope };
                Answer::Refused { after: self.refused_after, status, limit: scope, hint: hint.told(wait) }
            }
        };
        self.rules.iter_mut().for_each(|rule| rule.penalise(now, self.penalty));
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

    fn take(&mut self, now: Duration, size: Size) -> Answer {
        let (factor, charge) = (self.factor(now), self.charging.arrival(size, self.cached_is_free));
        self.rules.iter_mut().for_each(|rule| rule.take(now, factor, &charge));
        self.ledger.add(now, charge);
        #[allow(clippy::cast_precision_loss)]
        let load = 1.0 + self.load * self.out.len() as f64;
        let latency = self.median.mul_f64(self.latency.sample(&mut self.random) * load);
        #[allow(clippy::cast_precision_loss)]
        let (first, after) = match self.speed {
            None => (Duration::ZERO, latency),
            Some(speed) => (latency, latency + Duration::from_secs_f64(size.output as f64 / speed)),
        };
        self.out.add(now, first, after, size, self.charging);
        let used = self.used.get_or_insert(now..now);
        used.end = used.end.max(now + after);
        Answer::Finished { after, usage: size.usage() }
    }

    /// How long until a call would be taken, as far as anybody can know; zero if it would be now. Where something is given
    /// back, the next end of a call comes first.
    pub fn wait(&mut self, now: Duration, size: Size) -> Duration {
        self.come_to(now);
        let Some((_, _, mut wait, _)) = self.refusal(now, size) else {
            return Duration::ZERO;
        };
        if let (Charging::Settled { .. }, Some(end)) = (self.charging, self.out.next()) {
            wait = wait.min(end.saturating_sub(now));
        }
        wait.max(Duration::from_millis(1))
    }

    pub(super) fn has_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// What an answer sent at that time would tell of the limits; of those on the same unit, that of which least is left.
    pub fn headers_at(&mut self, now: Duration) -> http::HeaderMap {
        self.come_to(now);
        let (mut headers, factor) = (http::HeaderMap::new(), self.factor(now));
        for (set, (unit, by_the_day)) in
            self.headers.iter().flat_map(|set| set.units().iter().map(move |unit| (set, *unit)))
        {
            let states = self.rules.iter_mut().filter_map(|rule| rule.state(now, factor, unit, by_the_day));
            if let Some(state) = states.min_by(|one, other| one.remaining.total_cmp(&other.remaining)) {
                set.tell(&mut headers, now, unit, state, &self.lies);
            }
        }
        headers
    }

    /// What calls were charged in that time, less what was given back in it. Refused calls and other tenants are not counted.
    /// What calls that are out will be charged is not among it before the provider is asked again; after a [`run`](super::run) all
    /// of it is.
    #[must_use]
    pub fn charged(&self, unit: Unit, time: Range<Duration>) -> u64 {
        self.ledger.charged(unit, &time)
    }

    /// The most that calls were charged in any stretch of this width, less what was given back in it.
    #[must_use]
    pub fn most_charged(&self, unit: Unit, width: Duration) -> u64 {
        self.ledger.most(unit, width)
    }

    /// Which part of a limit calls were charged, less what was given back, from the first that was taken to the end of the
    /// last.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn utilisation(&self, unit: Unit, per_minute: u32) -> f64 {
        let Some(used) = &self.used else {
            return 0.0;
        };
        let quota = in_width(per_minute, used.end.saturating_sub(used.start));
        self.ledger.charged(unit, &(Duration::ZERO..Duration::MAX)) as f64 / quota
    }

    /// What happened until now, in the order in which it did: the levels of limits depend on it.
    pub(super) fn come_to(&mut self, now: Duration) {
        loop {
            let step = self.out.next().filter(|at| *at <= now);
            let tenant = self.tenants.as_ref().map(|tenants| tenants.next).filter(|at| *at <= now);
            match (step, tenant) {
                (None, None) => return,
                (Some(step), tenant) if tenant.is_none_or(|at| step <= at) => self.step(),
                _ => self.tenant(),
            }
        }
    }

    fn step(&mut self) {
        if let Some(step) = self.out.step(self.charging, self.cached_is_free) {
            let factor = self.factor(step.at);
            self.rules.iter_mut().for_each(|rule| rule.charge(step.at, factor, &step.charge, step.sent));
            self.ledger.add(step.at, step.charge);
        }
    }

    fn tenant(&mut self) {
        let Some(tenants) = &mut self.tenants else {
            return;
        };
        let at = tenants.next;
        tenants.next += Duration::from_secs_f64(tenants.gaps.sample(&mut self.random));
        let cycle = (tenants.on + tenants.off).as_secs_f64();
        if at.as_secs_f64() % cycle < tenants.on.as_secs_f64() {
            let (factor, charging) = (self.factor(at), self.charging);
            if self.rules.iter_mut().all(|rule| rule.wait(at, factor, &Charge::REQUEST, charging).is_zero()) {
                self.rules.iter_mut().for_each(|rule| rule.take(at, factor, &Charge::REQUEST));
            }
        }
    }

    /// Status, limit, time to wait and what is told of it, if the call is refused.
    fn refusal(&mut self, now: Duration, size: Size) -> Option<(u16, LimitKind, Duration, Hint)> {
        if let Some((time, status, hint)) = self.outages.iter().find(|(time, ..)| time.contains(&now)) {
            return Some((*status, LimitKind::Unknown, time.end.saturating_sub(now), *hint));
        }
        if let Some(ban) = &self.ban
            && ban.until > now
        {
            return Some((429, LimitKind::Unknown, ban.until.saturating_sub(now), self.hint));
        }
        if let Some(most) = self.concurrency
            && self.out.len() >= most
        {
            let wait = self.out.next_end().map_or(Duration::ZERO, |end| end.saturating_sub(now));
            return Some((429, LimitKind::Concurrency, wait, self.hint));
        }
        let factor = self.factor(now);
        let (charging, charge) = (self.charging, self.charging.arrival(size, self.cached_is_free));
        let waits = self.rules.iter_mut().map(|rule| (rule.wait(now, factor, &charge, charging), rule.scope()));
        // The limit that takes longest is named.
        let (wait, scope) = waits.max_by_key(|(wait, _)| *wait)?;
        (!wait.is_zero()).then_some((429, scope, wait, self.hint))
    }

    fn factor(&self, now: Duration) -> f64 {
        self.factors.iter().rev().find(|(from, _)| *from <= now).map_or(1.0, |(_, factor)| *factor)
    }
}
