//! How long nobody goes after a refusal, and how one tells that it is over: the durations, not the state.

use std::time::Duration;

/// The first pause when the server gives no hint.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause that we choose ourselves.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(65);
/// Growth of the pause from one to the next without a call accepted.
pub(crate) const PAUSE_FACTOR: f64 = 1.5;
/// Jitter: up to this part of a pause, within bounds.
pub(crate) const JITTER_DIVISOR: u32 = 20;
pub(crate) const MIN_JITTER: Duration = Duration::from_millis(10);
pub(crate) const MAX_JITTER: Duration = Duration::from_millis(500);
/// A longer hint is no matter of seconds: the call gets its error back, and the limiter chooses its own pause.
pub(crate) const MAX_HINT: Duration = Duration::from_mins(10);
/// A canary that is out this many times as long as the slowest refusal took has been accepted.
pub(crate) const CANARY_FACTOR: u32 = 3;
pub(crate) const MIN_CANARY_TIMEOUT: Duration = Duration::from_millis(250);
pub(crate) const MAX_CANARY_TIMEOUT: Duration = Duration::from_secs(30);
/// While nobody knows how long refusals take.
pub(crate) const FIRST_CANARY_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Backoff {
    /// What the next pause is without a hint, and at least from the second of an episode on.
    own: Duration,
    first: bool,
    slowest_refusal: Duration,
    random: u64,
    #[cfg(test)]
    has_jitter: bool,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            own: FIRST_PAUSE,
            first: true,
            slowest_refusal: Duration::ZERO,
            random: seed,
            #[cfg(test)]
            has_jitter: true,
        }
    }

    /// Notes how long a refusal took to come.
    pub(crate) fn on_refusal_latency(&mut self, time: Duration) {
        self.slowest_refusal = self.slowest_refusal.max(time);
    }

    /// The pause that begins an episode, or follows a canary that was refused. It grows until [`over`](Self::over).
    pub(crate) fn pause(&mut self, hint: Option<Duration>) -> Duration {
        let pause = match hint {
            Some(hint) if self.first => hint,
            // A hint that has been wrong once is not trusted to be long enough.
            Some(hint) => hint.max(self.own),
            None => self.own,
        };
        if !self.first || hint.is_none() {
            self.own = self.own.mul_f64(PAUSE_FACTOR).min(MAX_PAUSE);
        }
        self.first = false;
        pause + self.jitter(pause)
    }

    /// The episode is over: the next one starts short again.
    pub(crate) fn reset(&mut self) {
        self.own = FIRST_PAUSE;
        self.first = true;
    }

    /// How long a canary is waited for.
    pub(crate) fn canary_timeout(&self) -> Duration {
        if self.slowest_refusal.is_zero() {
            return FIRST_CANARY_TIMEOUT;
        }
        (self.slowest_refusal * CANARY_FACTOR).clamp(MIN_CANARY_TIMEOUT, MAX_CANARY_TIMEOUT)
    }

    #[cfg(test)]
    pub(crate) fn disable_jitter(&mut self) {
        self.has_jitter = false;
    }

    /// Up to a twentieth, and up to half a second: enough that many processes do not come back at the same instant.
    fn jitter(&mut self, pause: Duration) -> Duration {
        #[cfg(test)]
        if !self.has_jitter {
            return Duration::ZERO;
        }
        // SplitMix64 (Steele, Lea and Flood 2014): good enough to spread, and the same in every test.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let most = (pause / JITTER_DIVISOR).clamp(MIN_JITTER, MAX_JITTER);
        Duration::from_nanos(1 + bits % (u64::from(most.subsec_nanos()) + most.as_secs() * 1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(pause: Duration, millis: u64) -> bool {
        let least = Duration::from_millis(millis);
        least < pause && pause <= least + (least / 20).clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    #[test]
    fn pauses_grow_by_half_to_65_seconds_and_start_short_again() {
        let mut recovery = Backoff::new(1);
        for millis in [2000, 3000, 4500, 6750, 10_125, 15_187, 22_781, 34_171, 51_257, 65_000, 65_000] {
            let pause = recovery.pause(None);
            assert!(about(pause, millis), "{pause:?} is not about {millis} ms");
        }
        recovery.reset();
        assert!(about(recovery.pause(None), 2000));
    }

    #[test]
    fn a_hint_is_taken_at_its_word_once() {
        let mut recovery = Backoff::new(2);
        assert!(about(recovery.pause(Some(Duration::from_secs(7))), 7000));
        recovery.reset();
        assert!(about(recovery.pause(Some(Duration::ZERO)), 0));
        assert!(about(recovery.pause(Some(Duration::ZERO)), 2000));
        assert!(about(recovery.pause(Some(Duration::ZERO)), 3000));
        assert!(about(recovery.pause(Some(Duration::from_secs(9))), 9000));
    }

    #[test]
    fn two_processes_come_back_at_different_times() {
        let pauses = [3, 4].map(|seed| Backoff::new(seed).pause(Some(Duration::from_secs(5))));
        assert_ne!(pauses[0], pauses[1]);
    }

    #[test]
    fn patience_is_a_few_times_the_slowest_refusal() {
        let mut recovery = Backoff::new(0);
        assert_eq!(recovery.canary_timeout(), Duration::from_secs(1));
        recovery.on_refusal_latency(Duration::from_millis(900));
        recovery.on_refusal_latency(Duration::from_millis(100));
        assert_eq!(recovery.canary_timeout(), Duration::from_millis(2700));
        let mut quick = Backoff::new(0);
        quick.on_refusal_latency(Duration::from_millis(20));
        assert_eq!(quick.canary_timeout(), Duration::from_millis(250));
    }
}
