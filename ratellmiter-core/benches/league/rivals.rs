//! Common strategies for pacing and retries. The crates are the real ones; the other strategies are implemented from their
//! documentation.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap, VecDeque},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use backon::BackoffBuilder as _;
use governor::{
    Quota, RateLimiter,
    clock::FakeRelativeClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use ratellmiter_core::sim::{Answer, Client, Size};

/// Returns the wait before a refused call is sent again, given the number of its refusals and the `Retry-After`.
pub(crate) type Backoff = Box<dyn FnMut(u32, Option<Duration>) -> Duration + Send>;

/// Exponential backoff with full jitter, from 1 to 60 seconds: tenacity's `wait_random_exponential(min=1, max=60)`.
pub(crate) fn full_jitter(seed: u64) -> Backoff {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Box::new(move |refusals, _| {
        let max_seconds = f64::from(2_u32.saturating_pow(refusals.min(6))).clamp(1.0, 60.0);
        Duration::from_secs_f64(if max_seconds > 1.0 { random.random_range(1.0..max_seconds) } else { 1.0 })
    })
}

/// The wait in `Retry-After`, or one second without it.
pub(crate) fn retry_after() -> Backoff {
    Box::new(|_, hint| hint.unwrap_or(Duration::from_secs(1)))
}

/// The crate `backon`: exponential backoff from 1 to 60 seconds with its jitter and without a limit on retries.
pub(crate) fn backon(seed: u64) -> Backoff {
    let delays = move |call: u64| {
        let builder = backon::ExponentialBuilder::default().with_min_delay(Duration::from_secs(1));
        builder
            .with_max_delay(Duration::from_secs(60))
            .with_jitter()
            .with_jitter_seed(seed + call)
            .without_max_times()
            .build()
    };
    let mut calls = 0;
    Box::new(move |refusals, _| {
        calls += 1;
        delays(calls).nth(refusals as usize - 1).unwrap_or(Duration::from_secs(60))
    })
}

/// Returns the wait before a failed call is sent again, or `None` after two retries, as in the SDKs of `OpenAI` and Anthropic.
pub(crate) fn wait_after_failure(failures: u32) -> Option<Duration> {
    (failures <= 2).then(|| Duration::from_millis(500) * 2_u32.pow(failures - 1))
}

/// Paces the requests of a client.
pub(crate) trait Pacer {
    /// Returns the time until the next request may be sent, or zero if it may be sent at `now`.
    fn wait(&mut self, now: Duration) -> Duration;
    fn sent(&mut self, now: Duration);
    fn answered(&mut self, _now: Duration, _refused: bool) {}
}

/// A client with a pacer and a backoff. Each refused call is retried independently of the others.
pub(crate) struct Rival {
    pacer: Box<dyn Pacer>,
    backoff: Backoff,
    ready: VecDeque<usize>,
    later: BinaryHeap<Reverse<(Duration, usize)>>,
    refusals: HashMap<usize, u32>,
    failures: HashMap<usize, u32>,
    next: Option<Duration>,
}

impl Rival {
    pub(crate) fn new(pacer: impl Pacer + 'static, backoff: Backoff) -> Self {
        let (ready, later, refusals, failures) = Default::default();
        Self { pacer: Box::new(pacer), backoff, ready, later, refusals, failures, next: None }
    }
}

impl Client for Rival {
    fn request(&mut self, now: Duration, call: usize, _: Size) {
        self.ready.push_back(call);
        self.next = Some(now);
    }

    fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        let refused = matches!(answer, Answer::Refused { .. });
        self.pacer.answered(now, refused);
        if let Answer::Refused { retry_after: hint, .. } = answer {
            let refusals = self.refusals.entry(call).or_default();
            *refusals += 1;
            let wait = (self.backoff)(*refusals, hint);
            self.later.push(Reverse((now + wait, call)));
        }
        if let Answer::Failed { .. } = answer {
            let failures = self.failures.entry(call).or_default();
            *failures += 1;
            if let Some(wait) = wait_after_failure(*failures) {
                self.later.push(Reverse((now + wait, call)));
            }
        }
    }

    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>) {
        while let Some(Reverse((at, call))) = self.later.peek().copied()
            && at <= now
        {
            self.later.pop();
            self.ready.push_back(call);
        }
        while let Some(&call) = self.ready.front() {
            let wait = self.pacer.wait(now);
            if !wait.is_zero() {
                self.next = Some(now + wait);
                return;
            }
            self.pacer.sent(now);
            self.ready.pop_front();
            sent.push(call);
        }
        self.next = None;
    }

    fn deadline(&self) -> Option<Duration> {
        let later = self.later.peek().map(|Reverse((at, _))| *at);
        self.next.into_iter().chain(later).min()
    }
}

/// Sends all calls at once.
pub(crate) struct Unpaced;

impl Pacer for Unpaced {
    fn wait(&mut self, _: Duration) -> Duration {
        Duration::ZERO
    }

    fn sent(&mut self, _: Duration) {}
}

/// Sends calls evenly at the configured rate.
pub(crate) struct Even {
    interval: Duration,
    next: Duration,
}

impl Even {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self { interval: Duration::from_secs(60) / per_minute, next: Duration::ZERO }
    }
}

impl Pacer for Even {
    fn wait(&mut self, now: Duration) -> Duration {
        self.next.saturating_sub(now)
    }

    fn sent(&mut self, now: Duration) {
        self.next = self.next.max(now) + self.interval;
    }
}

/// The crate `governor` with a burst of 1. A call waits for the time that the crate returns.
pub(crate) struct Governor {
    limiter: RateLimiter<
        NotKeyed,
        InMemoryState,
        FakeRelativeClock,
        NoOpMiddleware<<FakeRelativeClock as governor::clock::Clock>::Instant>,
    >,
    clock: Arc<FakeRelativeClock>,
    now: Duration,
    allowed: bool,
}

impl Governor {
    pub(crate) fn new(per_minute: u32) -> Self {
        let quota =
            Quota::per_minute(NonZeroU32::new(per_minute).expect("the rate is positive")).allow_burst(NonZeroU32::MIN);
        let clock = Arc::new(FakeRelativeClock::default());
        Self {
            limiter: RateLimiter::direct_with_clock(quota, (*clock).clone()),
            clock,
            now: Duration::ZERO,
            allowed: false,
        }
    }
}

impl Pacer for Governor {
    fn wait(&mut self, now: Duration) -> Duration {
        self.clock.advance(now.saturating_sub(self.now));
        self.now = now;
        if self.allowed {
            return Duration::ZERO;
        }
        match self.limiter.check() {
            Ok(()) => {
                self.allowed = true;
                Duration::ZERO
            }
            Err(until) => until.wait_time_from(governor::clock::Clock::now(&*self.clock)).max(Duration::from_nanos(1)),
        }
    }

    fn sent(&mut self, _: Duration) {
        self.allowed = false;
    }
}

/// The adaptive mode of the AWS SDKs: unlimited until the first refusal, then a token bucket. A refusal cuts its rate to 0.7 of
/// the measured rate, after which it grows as a cubic of time to at most twice the measured rate. Refused calls back off
/// exponentially with full jitter up to 20 s.
pub(crate) struct Aws {
    enabled: bool,
    tokens: f64,
    rate: f64,
    filled: Duration,
    last_max: f64,
    last_throttled: f64,
    measured: f64,
    half_second: u64,
    count: f64,
}

impl Aws {
    pub(crate) fn new() -> Self {
        Self {
            enabled: false,
            tokens: 0.0,
            rate: 0.5,
            filled: Duration::ZERO,
            last_max: 0.0,
            last_throttled: 0.0,
            measured: 0.0,
            half_second: 0,
            count: 0.0,
        }
    }

    pub(crate) fn backoff(seed: u64) -> Backoff {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Box::new(move |refusals, _| {
            let max_seconds = f64::from(2_u32.saturating_pow((refusals - 1).min(5))).min(20.0);
            Duration::from_secs_f64(random.random_range(0.0..max_seconds))
        })
    }

    fn fill(&mut self, now: Duration) {
        let capacity = self.rate.max(1.0);
        self.tokens = (self.tokens + now.saturating_sub(self.filled).as_secs_f64() * self.rate).min(capacity);
        self.filled = now;
    }

    fn measure(&mut self, now: Duration) {
        self.count += 1.0;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let half = (now.as_secs_f64() * 2.0) as u64;
        if half > self.half_second {
            #[allow(clippy::cast_precision_loss)]
            let rate = self.count / ((half - self.half_second) as f64 / 2.0);
            self.measured = 0.8 * rate + 0.2 * self.measured;
            (self.half_second, self.count) = (half, 0.0);
        }
    }
}

impl Pacer for Aws {
    fn wait(&mut self, now: Duration) -> Duration {
        if !self.enabled {
            return Duration::ZERO;
        }
        self.fill(now);
        if self.tokens >= 1.0 - 1e-9 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64((1.0 - self.tokens) / self.rate + 1e-9)
        }
    }

    fn sent(&mut self, _: Duration) {
        if self.enabled {
            self.tokens -= 1.0;
        }
    }

    fn answered(&mut self, now: Duration, refused: bool) {
        const BETA: f64 = 0.7;
        const SCALE: f64 = 0.4;
        self.measure(now);
        let at = now.as_secs_f64();
        let window = (self.last_max * (1.0 - BETA) / SCALE).cbrt();
        let rate = if refused {
            let used = if self.enabled { self.measured.min(self.rate) } else { self.measured };
            (self.last_max, self.last_throttled, self.enabled) = (used, at, true);
            used * BETA
        } else {
            SCALE * (at - self.last_throttled - window).powi(3) + self.last_max
        };
        self.fill(now);
        self.rate = rate.min(2.0 * self.measured).max(0.5);
        self.tokens = self.tokens.min(self.rate.max(1.0));
    }
}

/// The Python package as documented: even pacing with a ramp. After a refusal all calls pause for 10 seconds, then one call is
/// sent as a test; each further refusal makes the pause half as long again. Refused calls are retried first.
pub(crate) struct Original {
    calls_per_second: f64,
    refused: BTreeSet<usize>,
    new: VecDeque<usize>,
    next: Duration,
    /// The start of the ramp.
    ramp_start: Duration,
    paused_until: Option<Duration>,
    pause: f64,
    canary: Option<usize>,
    failures: HashMap<usize, u32>,
}

impl Original {
    pub(crate) fn new(per_minute: u32) -> Self {
        Self {
            calls_per_second: f64::from(per_minute) / 60.0,
            refused: BTreeSet::new(),
            new: VecDeque::new(),
            next: Duration::ZERO,
            ramp_start: Duration::ZERO,
            paused_until: None,
            pause: 10.0,
            canary: None,
            failures: HashMap::new(),
        }
    }

    fn rate(&self, now: Duration) -> f64 {
        let seconds = now.saturating_sub(self.ramp_start).as_secs_f64().floor();
        self.calls_per_second * (0.25 + 0.1 * seconds).min(1.0)
    }
}

impl Client for Original {
    fn request(&mut self, _: Duration, call: usize, _: Size) {
        self.new.push_back(call);
    }

    fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        let is_canary = self.canary.take_if(|canary| *canary == call).is_some();
        if let Answer::Failed { .. } = answer {
            // The package does not retry failures, and its users do.
            let failures = self.failures.entry(call).or_default();
            *failures += 1;
            if wait_after_failure(*failures).is_some() {
                self.new.push_front(call);
            }
        } else if matches!(answer, Answer::Refused { .. }) {
            self.refused.insert(call);
            if is_canary {
                self.pause = (self.pause * 1.5).min(65.0);
            }
            if is_canary || (self.paused_until.is_none() && self.canary.is_none()) {
                self.paused_until = Some(now + Duration::from_secs_f64(self.pause));
            }
        } else if is_canary {
            (self.pause, self.ramp_start, self.next) = (10.0, now, now);
        }
    }

    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>) {
        if let Some(until) = self.paused_until {
            if until > now {
                return;
            }
            self.paused_until = None;
            self.canary = self.refused.pop_first();
            sent.extend(self.canary);
        }
        while self.canary.is_none() && self.next <= now {
            let Some(call) = self.refused.pop_first().or_else(|| self.new.pop_front()) else {
                break;
            };
            sent.push(call);
            self.next = self.next.max(now) + Duration::from_secs_f64(self.rate(now).recip());
        }
    }

    fn deadline(&self) -> Option<Duration> {
        if self.refused.is_empty() && self.new.is_empty() {
            return None;
        }
        match self.paused_until {
            Some(until) => Some(until),
            None => self.canary.is_none().then_some(self.next),
        }
    }
}
