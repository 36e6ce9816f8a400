//! The monotonic time of a limiter.
//!
//! Inside a runtime it follows tokio's time, so that tests with paused time are exact. Runtimes may have different paused
//! clocks. If a limiter shared between them reads a time below the last one, its time stands still for that reading and
//! continues from there.
//!
//! The clock of the system stands still while the machine is suspended. [`Clock::add_suspension`] adds that time, so that a pause
//! or a day that ended meanwhile is over.

use std::time::{Duration, Instant, SystemTime};

/// The shortest suspension that counts. The two clocks of the system are not read at the same moment.
const MIN_SUSPENSION: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Clock {
    zero: Instant,
    /// Sum of the corrections added to readings.
    shift: Duration,
    last: Duration,
    /// The time for which the machine was suspended before the last reading of it.
    suspended: Duration,
    /// A time by both clocks: the last one that was converted, so that it is the same however often it is shown.
    converted: Option<(Duration, SystemTime)>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            zero: Self::reading(),
            shift: Duration::ZERO,
            last: Duration::ZERO,
            suspended: suspended(),
            converted: None,
        }
    }

    /// Returns the wall clock since the epoch. Call it together with [`start`](Self::start).
    pub(crate) fn wall() -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    pub(crate) fn now(&mut self) -> Duration {
        let now = Self::reading().saturating_duration_since(self.zero) + self.shift;
        self.shift += self.last.saturating_sub(now);
        self.last = self.last.max(now);
        self.last
    }

    /// Adds the time for which the machine was suspended since the last call of this method.
    pub(crate) fn add_suspension(&mut self) {
        self.add_suspension_until(suspended());
    }

    /// As [`add_suspension`](Self::add_suspension), for a machine that was suspended for `suspended` since it started.
    pub(crate) fn add_suspension_until(&mut self, suspended: Duration) {
        let added = suspended.saturating_sub(self.suspended);
        if added >= MIN_SUSPENSION {
            self.shift += added;
            self.suspended = suspended;
        }
    }

    /// Returns the time by the system clock without changing the state, for callers outside of the runtimes that make calls.
    pub(crate) fn peek(&self) -> Duration {
        (Instant::now().saturating_duration_since(self.zero) + self.shift).max(self.last)
    }

    /// As [`peek`](Self::peek), by the clock of this thread.
    pub(crate) fn peek_here(&self) -> Duration {
        (Self::reading().saturating_duration_since(self.zero) + self.shift).max(self.last)
    }

    /// Returns the instant at which [`now`](Self::now) will return `time`, by the clock of this thread.
    pub(crate) fn instant(&self, time: Duration) -> Instant {
        self.zero + time.saturating_sub(self.shift)
    }

    /// Returns the time by this clock at which the wall clock will show `at`, or `None` if that is in the past.
    pub(crate) fn at_wall(&mut self, at: SystemTime) -> Option<Duration> {
        let left = at.duration_since(SystemTime::now()).ok()?;
        let time = self.now().saturating_add(left);
        self.converted = Some((time, at));
        Some(time)
    }

    /// Returns the wall clock at `time` by this clock. It is the same each time until another time is converted.
    pub(crate) fn wall_at(&mut self, time: Duration) -> SystemTime {
        if let Some((_, at)) = self.converted.filter(|(converted, _)| *converted == time) {
            return at;
        }
        let wall = SystemTime::now();
        let at = wall.checked_add(time.saturating_sub(self.now())).unwrap_or(wall);
        self.converted = Some((time, at));
        at
    }

    /// Returns the reading of the clock of this thread.
    pub(crate) fn reading() -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// Returns the time for which the machine was suspended since it started. Zero where the system does not measure it.
fn suspended() -> Duration {
    #[cfg(any(target_os = "android", target_os = "linux"))]
    {
        use rustix::time::{ClockId, clock_gettime};
        let since_start = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
        // In this order the time between the readings makes no suspension.
        let boot = since_start(ClockId::Boottime);
        boot.saturating_sub(since_start(ClockId::Monotonic))
    }
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn suspension_counts_once_and_from_half_a_second_on() {
        let mut clock = Clock::start();
        let before = clock.suspended;
        let hour = Duration::from_hours(1);
        for (suspended, now) in [(before + MIN_SUSPENSION / 2, Duration::ZERO), (before + hour, hour), (before, hour)] {
            clock.add_suspension_until(suspended);
            assert_eq!(clock.now(), now);
        }
        clock.add_suspension();
        assert_eq!(clock.now(), hour, "this machine was not suspended for longer");
        assert_eq!(clock.instant(hour + Duration::from_secs(7)), Clock::reading() + Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_is_exact() {
        let mut clock = Clock::start();
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.now(), Duration::from_secs(3));
    }

    #[test]
    fn lower_reading_stops_the_clock() {
        let mut clock = Clock::start();
        clock.last = Duration::from_secs(5);
        let stopped = clock.now();
        assert_eq!(stopped, Duration::from_secs(5));
        assert!(clock.now() < Duration::from_secs(6));
        assert!(clock.instant(Duration::from_secs(6)) > Instant::now());
        assert!(clock.instant(Duration::from_secs(6)) < Instant::now() + Duration::from_secs(2));
    }

    #[test]
    fn converted_time_is_the_same_each_time_it_is_shown() {
        let mut clock = Clock::start();
        let named = SystemTime::now() + Duration::from_secs(100);
        let time = clock.at_wall(named).unwrap();
        assert_eq!([clock.wall_at(time), clock.wall_at(time)], [named; 2]);
        let other = time + Duration::from_secs(1);
        let shown = clock.wall_at(other);
        (0..1000).for_each(|_| assert_eq!(clock.wall_at(other), shown));
    }
}
