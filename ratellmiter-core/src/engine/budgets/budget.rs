//! One budget of tokens or of a day: a meter of the expected charges, and a window of the maximum charges.

#[cfg(feature = "redis")]
pub(crate) mod exchange;
mod lease;

use std::{num::NonZeroU64, time::Duration};

pub(crate) use crate::engine::budgets::budget::lease::BudgetLease;

use crate::{
    engine::{
        budgets::{budget::lease::DetachedDay, forecast::BudgetForecast},
        congestion::adaptive::AdaptiveLimit,
        pace::{
            gcra::{Gcra, nanos},
            server_limit::{Configured, ServerLimit},
            sliding_window::SlidingWindow,
        },
    },
    judge::{LimitKind, LimitReading, LimitUnit},
    log::row::{self, BudgetKind},
    providers::provider::TokenCharge,
};

/// Refunds that come late are credited to later calls, up to a minute's budget divided by this.
pub(crate) const CREDIT_DIVISOR: u64 = 6;
/// The smallest burst of a meter, so that a call that waits for another limit does not lower the rate of this one.
pub(crate) const SLACK: Duration = Duration::from_millis(250);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// Shortest time over which the throughput of tokens is measured.
pub(crate) const MIN_USAGE_SPAN: Duration = Duration::from_secs(5);
/// An adapted budget is at least the configured one divided by this.
pub(crate) const FLOOR_DIVISOR: u32 = 100;
/// The smallest share of a leased budget, for estimates.
const MIN_SHARE: f64 = 1e-3;

#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) kind: BudgetKind,
    /// The configured budget.
    limit: NonZeroU64,
    /// `None` for a daily budget, which is not paced.
    meter: Option<Gcra>,
    /// The budget a minute that is in force.
    pace: NonZeroU64,
    /// Reservations that were refunded after the meter had passed them.
    refund_credit: u64,
    window: SlidingWindow,
    /// Sum of all expected charges and settlements. Only its changes are used.
    charged_total: i64,
    adaptive: AdaptiveLimit,
    server_limit: ServerLimit,
    /// The leased share, if the budget is shared.
    lease: Option<BudgetLease>,
    /// The part of a shared daily budget that this process may use while the fleet is disconnected.
    detached: Option<DetachedDay>,
}

impl Budget {
    pub(crate) fn new(kind: BudgetKind, limit: NonZeroU64, burst: Duration) -> Self {
        // The entries of a day are saved on disk.
        let (width, resolution) = if kind.is_daily() { (DAY, DAY / 1000) } else { (MINUTE, Duration::from_millis(1)) };
        let mut budget = Self {
            kind,
            limit,
            meter: (width == MINUTE).then(|| Gcra::new(limit)),
            pace: limit,
            refund_credit: 0,
            window: SlidingWindow::new(width, resolution),
            charged_total: 0,
            adaptive: adaptive_limit(limit),
            server_limit: ServerLimit::default(),
            lease: None,
            detached: None,
        };
        budget.set_burst(burst);
        budget
    }

    fn set_burst(&mut self, burst: Duration) {
        if let Some(meter) = &mut self.meter {
            meter.set_burst(burst.max(SLACK));
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.get()
    }

    /// Returns the configured limit, or that of the server if it is lower.
    pub(crate) fn limit_in_force(&self) -> u64 {
        self.server_limit.limit(self.limit.get())
    }

    /// Changes the limit. The usage is kept.
    pub(crate) fn set(&mut self, now: Duration, limit: NonZeroU64, burst: Duration, adaptive: bool) {
        if !adaptive {
            self.adaptive = adaptive_limit(limit);
        }
        let (configured, floor) = bounds(limit);
        self.adaptive.set_bounds(configured, floor);
        self.limit = limit;
        self.set_burst(burst);
        self.apply_limits(now);
    }

    /// Returns the part of a charge that this budget counts.
    pub(crate) fn amount_of(&self, charge: &TokenCharge) -> u64 {
        self.kind.amount_of(charge)
    }

    pub(crate) fn is_of_day(&self) -> bool {
        self.meter.is_none()
    }

    /// Returns when the meter allows the next call, ignoring the window.
    pub(crate) fn scheduled(&self) -> Duration {
        self.meter.as_ref().map_or(Duration::ZERO, Gcra::due)
    }

    /// Returns when a call with this maximum charge is allowed.
    pub(crate) fn due(&self, maximum: u64) -> Duration {
        self.scheduled().max(self.window.due(maximum, self.max_usage()))
    }

    /// Returns the usage that this process may have.
    fn max_usage(&self) -> u64 {
        let limit = self.limit_in_force();
        self.detached.map_or(limit, |detached| limit.min(detached.max_usage))
    }

    /// Charges a call that is sent now, and was scheduled for `slot`.
    pub(crate) fn charge(&mut self, now: Duration, slot: Duration, expected: u64, maximum: u64) {
        let credit = self.refund_credit.min(expected);
        self.refund_credit -= credit;
        self.charged_total = self.charged_total.saturating_add_unsigned(expected);
        if let Some(meter) = &mut self.meter {
            meter.admit(slot, expected - credit);
        }
        self.window.charge(now, maximum);
    }

    /// Refunds the charge of a call that was granted at `at` but not sent.
    pub(crate) fn refund(&mut self, at: Duration, expected: u64, maximum: u64) {
        self.charged_total = self.charged_total.saturating_sub_unsigned(expected);
        if let Some(meter) = &mut self.meter {
            meter.refund(expected);
        }
        self.window.refund(at, maximum);
    }

    /// Replaces the charge of a call that was sent at `at` by `charged`.
    pub(crate) fn settle(&mut self, now: Duration, at: Duration, expected: u64, maximum: u64, charged: u64) {
        self.charged_total = self.charged_total.saturating_add_unsigned(charged).saturating_sub_unsigned(expected);
        if let Some(meter) = &mut self.meter {
            if charged > expected {
                meter.charge(charged - expected);
            } else {
                let before = meter.unused(now);
                meter.refund(expected - charged);
                let late = meter.unused(now).saturating_sub(before);
                self.refund_credit = (self.refund_credit + late).min(self.pace.get() / CREDIT_DIVISOR);
            }
        }
        if charged > maximum {
            self.window.charge(now, charged - maximum);
        } else {
            self.window.refund(at, maximum - charged);
        }
    }

    /// Returns the present usage.
    pub(crate) fn usage(&mut self, now: Duration) -> u64 {
        self.window.total(now)
    }

    /// Returns how much less usage the server counts, as the headers of the response show that is being settled now.
    pub(crate) fn uncounted_by_server(&mut self, now: Duration) -> u64 {
        self.server_limit.counted(now).map_or(0, |counted| self.window.total(now).saturating_sub(counted))
    }

    pub(crate) fn adaptive(&self) -> &AdaptiveLimit {
        &self.adaptive
    }

    /// Replaces the adaptation by an earlier one.
    pub(crate) fn restore_adaptive(&mut self, now: Duration, adaptive: AdaptiveLimit) {
        self.adaptive = adaptive;
        self.apply_limits(now);
    }

    /// Lowers the budget after a refusal.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn on_refusal(&mut self, now: Duration) {
        let pace = self.pace.get() as f64;
        let since = self.window.since().unwrap_or(now);
        let span = now.saturating_sub(since).max(MIN_USAGE_SPAN).as_secs_f64();
        let throughput = self.window.total(now) as f64 * 60.0 / span;
        self.adaptive.on_refusal(throughput.min(pace));
        self.apply_limits(now);
    }

    /// Grows the adapted budget by `time` in which calls were queued for it.
    pub(crate) fn on_backlogged(&mut self, now: Duration, time: Duration) {
        self.adaptive.on_backlogged(time);
        self.apply_limits(now);
    }

    /// Applies the headers of the response to a call that was sent at `at`. Their remainder is rounded to a multiple of `rounded`.
    /// Returns `false` if the limit is implausible.
    pub(crate) fn apply_header(&mut self, now: Duration, at: Duration, reading: &LimitReading, rounded: u64) -> bool {
        let later = self.window.taken_since(at);
        let limits = Configured { limit: self.limit.get(), rounded };
        let plausible = self.server_limit.apply_header(now, at, reading, limits, later);
        self.apply_limits(now);
        plausible
    }

    /// Returns `true` if a reading of response headers is about this budget.
    pub(crate) fn matches_reading(&self, unit: LimitUnit, is_day: bool) -> bool {
        is_day == self.is_of_day() && self.kind.limit_unit() == Some(unit)
    }

    /// Returns `true` if a refusal can be about this budget.
    pub(crate) fn matches_refusal(&self, limit: LimitKind) -> bool {
        !self.is_of_day()
            && match limit {
                LimitKind::Tokens => self.kind.is_of_tokens(),
                LimitKind::InputTokens => self.kind.limit_unit() != Some(LimitUnit::OutputTokens),
                LimitKind::OutputTokens => self.kind.limit_unit() != Some(LimitUnit::InputTokens),
                _ => false,
            }
    }

    /// Returns `true` if response headers have lowered the pace.
    pub(crate) fn is_limited_by_server(&self, now: Duration) -> bool {
        self.pace < self.limit && self.pace.get() == self.server_limit.pace(now, self.limit.get())
    }

    /// Returns a view of the budget that is run ahead of time, for estimates.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn forecast(&self) -> BudgetForecast<'_> {
        let share = self.lease.map_or(1.0, |lease| lease.share.max(MIN_SHARE));
        let meter = self.meter.as_ref().map(|meter| {
            let meter = meter.forecast().scaled(share);
            match self.server_limit.rises_at() {
                Some(at) => {
                    meter.with_rise(nanos(at), self.adapted_pace().min(self.server_limit.limit(self.limit.get())))
                }
                None => meter,
            }
        });
        BudgetForecast {
            kind: self.kind,
            meter,
            window: self.window.forecast(self.max_usage()),
            credit: self.refund_credit,
            frees_at: self.lease.map_or(0, |lease| nanos(lease.frees_at)),
        }
    }

    /// Returns when a throttle by headers ends, or `None` if there is none.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.server_limit.rises_at()
    }

    /// Discards a throttle by headers that has ended.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        if self.lease.is_some() {
            self.window.total(now);
        }
        if self.server_limit.advance_to(now) {
            self.apply_limits(now);
        }
    }

    /// Returns the usage by age, oldest first.
    pub(crate) fn ages(&mut self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        self.window.ages(now)
    }

    /// Charges the budget for usage of an earlier run.
    pub(crate) fn restore(&mut self, now: Duration, age: Duration, amount: u64) {
        self.window.restore(now, age, amount);
    }

    /// Returns the status for logs and snapshots.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn status(&mut self, now: Duration) -> row::BudgetStatus {
        let limit = self.limit.get();
        let adapted = self.lease.map_or_else(|| self.adaptive.adapted(), |lease| lease.adapted);
        // A throttle only spreads the remainder, so it is not shown as a lower limit.
        let adapted = adapted.into_iter().chain([self.server_limit.limit(limit) as f64]).reduce(f64::min);
        let adapted = adapted.filter(|adapted| *adapted < limit as f64);
        let others = self.lease.map(|lease| lease.others).or_else(|| self.detached.map(|detached| detached.others));
        let others = others.unwrap_or_default();
        row::BudgetStatus { meter: self.kind, limit, taken: self.window.total(now), others, learned: adapted }
    }

    /// Returns the adapted or leased budget a minute.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The cast saturates.
    fn adapted_pace(&self) -> u64 {
        self.lease.map_or_else(|| self.adaptive.allowed() as u64, |lease| lease.pace)
    }

    /// Sets the pace to the lowest of the adapted or leased one and that of response headers.
    fn apply_limits(&mut self, now: Duration) {
        let pace = self.adapted_pace().min(self.server_limit.pace(now, self.limit.get()));
        let pace = NonZeroU64::new(pace).unwrap_or(NonZeroU64::MIN);
        if pace != self.pace {
            self.pace = pace;
            if let Some(meter) = &mut self.meter {
                meter.set_rate(now, pace);
            }
        }
    }
}

fn adaptive_limit(limit: NonZeroU64) -> AdaptiveLimit {
    let (configured, floor) = bounds(limit);
    AdaptiveLimit::new(configured, floor)
}

/// Returns the largest and the smallest adapted limit.
#[allow(clippy::cast_precision_loss)] // Limits are at most 2^48.
fn bounds(limit: NonZeroU64) -> (f64, f64) {
    (limit.get() as f64, (limit.get() as f64 / f64::from(FLOOR_DIVISOR)).max(1.0))
}
