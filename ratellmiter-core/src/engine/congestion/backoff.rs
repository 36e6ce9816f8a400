//! Durations of the pauses after refusals, and of the wait for a canary.

use std::time::Duration;

/// The first pause without a hint from the server.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause without a hint.
pub(crate) const MAX_PAUSE: Duration = Duration::from_secs(65);
/// Growth of the pause with each refused canary.
pub(crate) const PAUSE_FACTOR: f64 = 1.5;
/// Jitter: at most the pause divided by this, within these bounds.
pub(crate) const JITTER_DIVISOR: u32 = 20;
pub(crate) const MIN_JITTER: Duration = Duration::from_millis(10);
pub(crate) const MAX_JITTER: Duration = Duration::from_millis(500);
/// The longest hint that is followed. After a longer one the call's error is returned, and the pause is as without a hint.
pub(crate) const MAX_HINT: Duration = Duration::from_mins(10);
/// A canary counts as accepted when it has been in flight this many times as long as the slowest refusal took.
pub(crate) const CANARY_FACTOR: u32 = 3;
pub(crate) const MIN_CANARY_TIMEOUT: Duration = Duration::from_millis(250);
pub(crate) const MAX_CANARY_TIMEOUT: Duration = Duration::from_secs(30);
/// The timeout before any refusal was measured.
pub(crate) const FIRST_CANARY_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Backoff {
    /// The next pause without a hint, and the shortest from the second of an episode on.
    next_pause: Duration,
    is_first: bool,
    slowest_refusal: Duration,
    random: u64,
    #[cfg(test)]
    has_jitter: bool,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            next_pause: FIRST_PAUSE,
            is_first: true,
            slowest_refusal: Duration::ZERO,
            random: seed,
            #[cfg(test)]
            has_jitter: true,
        }
    }

    /// Records the latency of a refused call.
    pub(crate) fn on_refusal_latency(&mut self, latency: Duration) {
        self.slowest_refusal = self.slowest_refusal.max(latency);
    }

    /// Returns the pause that starts an episode or follows a refused canary. Pauses grow until [`reset`](Self::reset).
    pub(crate) fn pause(&mut self, hint: Option<Duration>) -> Duration {
        let pause = match hint {
            Some(hint) if self.is_first => hint,
            // The hint of this episode was too short once.
            Some(hint) => hint.max(self.next_pause),
            None => self.next_pause,
        };
        if !self.is_first || hint.is_none() {
            self.next_pause = self.next_pause.mul_f64(PAUSE_FACTOR).min(MAX_PAUSE);
        }
        self.is_first = false;
        self.with_jitter(pause)
    }

    /// Ends the episode. The next one starts with [`FIRST_PAUSE`] or the hint.
    pub(crate) fn reset(&mut self) {
        self.next_pause = FIRST_PAUSE;
        self.is_first = true;
    }

    /// Adds a random time to a pause.
    pub(crate) fn with_jitter(&mut self, pause: Duration) -> Duration {
        pause + self.jitter(pause)
    }

    /// Returns the time in flight after which a canary counts as accepted.
    pub(crate) fn canary_timeout(&self) -> Duration {
        if self.slowest_refusal.is_zero() {
            return FIRST_CANARY_TIMEOUT;
        }
        (self.slowest_refusal * CANARY_FACTOR).clamp(MIN_CANARY_TIMEOUT, MAX_CANARY_TIMEOUT)
    }

    #[cfg(all(test, feature = "redis"))]
    pub(crate) fn disable_jitter(&mut self) {
        self.has_jitter = false;
    }

    /// Returns a random time that is added to a pause, so that many processes do not resume at the same time.
    fn jitter(&mut self, pause: Duration) -> Duration {
        #[cfg(test)]
        if !self.has_jitter {
            return Duration::ZERO;
        }
        // SplitMix64 (Steele, Lea and Flood 2014), which gives tests the same sequence on every run.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let max = (pause / JITTER_DIVISOR).clamp(MIN_JITTER, MAX_JITTER);
        Duration::from_nanos(1 + bits % (u64::from(max.subsec_nanos()) + max.as_secs() * 1_000_000_000))
    }
}

#[cfg(test)]
mod tests;
