//! A limiter's time: since its zero, never going back.
//!
//! It is tokio's time where there is a runtime, so that tests with paused time are exact. Paused clocks differ between
//! runtimes, and so a limiter that is shared between them may see a reading below the last: then its time stands still
//! for that reading and goes on from there.

use std::time::{Duration, Instant, SystemTime};

#[derive(Debug)]
pub(crate) struct Clock {
    zero: Instant,
    /// What has been added to readings so far.
    shift: Duration,
    last: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { zero: Self::reading(), shift: Duration::ZERO, last: Duration::ZERO }
    }

    /// The wall clock at this clock's zero, which must be now, since the epoch.
    pub(crate) fn wall() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    pub(crate) fn now(&mut self) -> Duration {
        let now = Self::reading().saturating_duration_since(self.zero) + self.shift;
        self.shift += self.last.saturating_sub(now);
        self.last = self.last.max(now);
        self.last
    }

    /// The time, for one who may have another clock than those who make calls: they are not held up by it.
    pub(crate) fn peek(&self) -> Duration {
        (Instant::now().saturating_duration_since(self.zero) + self.shift).max(self.last)
    }

    /// The instant at which [`now`](Self::now) will say `time`, on the clock of this thread.
    pub(crate) fn instant(&self, time: Duration) -> Instant {
        self.zero + time.saturating_sub(self.shift)
    }

    /// What the clock of this thread shows.
    pub(crate) fn reading() -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn paused_time_is_followed_exactly() {
        let mut clock = Clock::start();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now(), Duration::from_secs(3));
    }

    #[test]
    fn a_reading_below_the_last_stops_time_but_does_not_turn_it_back() {
        let mut clock = Clock::start();
        clock.last = Duration::from_secs(5);
        let stopped = clock.now();
        assert_eq!(stopped, Duration::from_secs(5));
        assert!(clock.now() < Duration::from_secs(6));
        assert!(clock.instant(Duration::from_secs(6)) > Instant::now());
        assert!(clock.instant(Duration::from_secs(6)) < Instant::now() + Duration::from_secs(2));
    }
}
