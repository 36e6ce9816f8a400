//! The future schedule of a meter, for estimates.

/// A meter that is run ahead of time. It rounds, which the meter itself does not.
///
/// Times are nanoseconds since the limiter was created.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacerForecast {
    /// The theoretical arrival time: see [`Gcra`](super::gcra::Gcra).
    pub(super) tat: f64,
    /// Time that pays off a cost of 1.
    pub(super) interval: f64,
    /// Time whose unused budget may be charged at once.
    pub(super) burst: f64,
    /// When the rate rises, and the interval from then on.
    rise: Option<(f64, f64)>,
}

impl PacerForecast {
    /// Creates the forecast of a constant rate, at which the first cost may be charged at `first`.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn new(first: u64, interval: f64) -> Self {
        Self { tat: first as f64, interval, burst: 0.0, rise: None }
    }

    pub(super) fn of_meter(tat: f64, interval: f64, burst: f64) -> Self {
        Self { tat, interval, burst, rise: None }
    }

    /// Slows the rate down to `share` of it.
    pub(crate) fn scaled(mut self, share: f64) -> Self {
        self.interval /= share;
        self
    }

    /// Lets the rate rise at `at` to `per_minute`.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn with_rise(mut self, at: u64, per_minute: u64) -> Self {
        self.rise = Some((at as f64, 60e9 / per_minute.max(1) as f64));
        self
    }

    /// Returns when the next cost may be charged.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
    pub(crate) fn due(&mut self) -> u64 {
        let due = self.unrounded_due();
        let Some((at, interval)) = self.rise.filter(|(at, _)| due > *at) else { return due.ceil() as u64 };
        self.tat = at + (self.tat - at).max(0.0) / self.interval * interval;
        (self.interval, self.rise) = (interval, None);
        self.unrounded_due().ceil() as u64
    }

    fn unrounded_due(&self) -> f64 {
        self.tat - (self.burst - self.interval).max(0.0)
    }

    /// Charges a call that is scheduled for `slot`.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn admit(&mut self, slot: u64, cost: u64) {
        self.tat = self.tat.max(slot as f64) + cost as f64 * self.interval;
    }

    /// Returns the time in which the rate pays off `cost` in the long run, in nanoseconds.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn time_of(&self, cost: u64) -> f64 {
        let interval = self.rise.map_or(self.interval, |(_, interval)| interval);
        cost as f64 * interval
    }
}
