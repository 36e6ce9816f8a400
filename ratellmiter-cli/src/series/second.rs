//! The counts and gauges of one model in one second.

use ratellmiter_core::log::{Bottleneck, ClosedReason, Quantiles, Row};

use crate::series::budgets;

/// Events in one second: requested, issued, refused, finished, and calls queued at its end.
pub(crate) type Counts = [u64; 5];

/// One second of one model. Values that the log does not contain are `NAN` or `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Second {
    /// Time since the epoch, in seconds.
    pub(crate) at: u64,
    pub(crate) counts: Counts,
    pub(crate) failed: u64,
    pub(crate) overloaded: u32,
    /// Transient failures after which the call was queued again.
    pub(crate) transient: u32,
    pub(crate) rejected: u32,
    pub(crate) in_flight: u32,
    /// Pauses that began.
    pub(crate) pauses: u32,
    /// Part of the second in which the limiter was paused, in milliseconds; 0 in logs of earlier versions.
    pub(crate) paused_ms: u32,
    /// Calls that were refused in this second, in a log whose count of refusals contains all refused calls in the queue. `None` if
    /// they are not known.
    pub(crate) newly_refused: Option<u32>,
    /// Input and output tokens reserved.
    pub(crate) reserved_tokens: u32,
    /// Input and output tokens used.
    pub(crate) used_tokens: u32,
    /// The smallest budget of tokens per minute, in tokens per second.
    pub(crate) token_budget: f32,
    /// Allowed calls per second.
    pub(crate) rate: f32,
    /// Configured calls per second.
    pub(crate) limit: f32,
    /// Adapted calls per second; `NAN` while the configured rate applies.
    pub(crate) adapted: f32,
    /// Adapted limit on calls in flight; `NAN` while the configured one applies.
    pub(crate) adapted_in_flight: f32,
    pub(crate) bottleneck: Option<Bottleneck>,
    /// Reason for which the limiter was closed when the second ended.
    pub(crate) closed: Option<ClosedReason>,
    /// Time at which the closed limiter is to open, since the epoch, in seconds; 0 if it is not known.
    pub(crate) opens_at: u64,
    /// `true` if the log contains waits, latencies, failures and calls in flight. In a log without them, the refused calls are
    /// those that are queued again.
    pub(crate) has_details: bool,
    /// Number of processes that shared the limiter; 0 if it was not shared.
    pub(crate) processes: u32,
    /// `true` if the Redis server of a shared limiter was unreachable.
    pub(crate) is_disconnected: bool,
    /// Median, 99th percentile and maximum of the waits, in milliseconds.
    pub(crate) wait_ms: [u32; 3],
    /// Median, 99th percentile and maximum of the latencies, in milliseconds.
    pub(crate) latency_ms: [u32; 3],
}

impl Second {
    /// Creates a second of a log that contains counts alone.
    pub(crate) fn from_counts(at: u64, counts: Counts) -> Self {
        Self {
            at,
            counts,
            failed: 0,
            overloaded: 0,
            transient: 0,
            rejected: 0,
            in_flight: 0,
            pauses: 0,
            paused_ms: 0,
            newly_refused: None,
            reserved_tokens: 0,
            used_tokens: 0,
            token_budget: f32::NAN,
            rate: f32::NAN,
            limit: f32::NAN,
            adapted: f32::NAN,
            adapted_in_flight: f32::NAN,
            bottleneck: None,
            closed: None,
            opens_at: 0,
            has_details: false,
            processes: 0,
            is_disconnected: false,
            wait_ms: [0; 3],
            latency_ms: [0; 3],
        }
    }

    #[allow(clippy::cast_possible_truncation)] // Precise enough for a chart.
    pub(crate) fn from_row(row: &Row<'_>) -> Self {
        let short = |value| u32::try_from(value).unwrap_or(u32::MAX);
        let millis = |Quantiles { p50, p99, max }| [p50, p99, max].map(short);
        Self {
            at: row.at,
            counts: [row.requested, row.issued, row.rate_limited, row.finished, row.overflow],
            failed: row.failed.min(row.finished),
            overloaded: short(row.overloaded.min(row.rate_limited)),
            transient: short(row.transient),
            rejected: short(row.rejected),
            in_flight: short(row.in_flight),
            pauses: short(row.pauses),
            paused_ms: short(row.paused_ms),
            newly_refused: None,
            reserved_tokens: short(row.reserved_tokens),
            used_tokens: short(row.used_tokens),
            token_budget: budgets::tokens_per_second(&row.budgets),
            rate: row.rate as f32,
            limit: row.limit.filter(|limit| *limit > 0.0).map_or(f32::NAN, |limit| limit as f32),
            adapted: row.learned_rate.map_or(f32::NAN, |rate| rate as f32),
            adapted_in_flight: row.learned_in_flight.map_or(f32::NAN, |calls| calls as f32),
            bottleneck: row.held,
            closed: row.closed,
            opens_at: row.closed_for.filter(|_| row.closed.is_some()).map_or(0, |left| opening(row.at, left)),
            has_details: true,
            processes: short(row.members.unwrap_or(0)),
            is_disconnected: row.is_lost,
            wait_ms: millis(row.wait_ms),
            latency_ms: millis(row.call_ms),
        }
    }

    pub(crate) fn requested(&self) -> u64 {
        self.counts[0]
    }

    pub(crate) fn issued(&self) -> u64 {
        self.counts[1]
    }

    pub(crate) fn refused(&self) -> u64 {
        self.counts[2]
    }

    /// Returns the number of calls that were refused in this second. In a log that contains the refused calls in the queue, these are
    /// the calls that joined them: if they are not known, the increase from the second `before`.
    pub(crate) fn newly_refused(&self, before: Option<&Self>) -> u64 {
        if self.has_details {
            return self.refused();
        }
        let queued_before = before.filter(|before| !before.has_details).map_or(0, Self::refused);
        self.newly_refused.map_or_else(|| self.refused().saturating_sub(queued_before), u64::from)
    }

    pub(crate) fn finished(&self) -> u64 {
        self.counts[3]
    }

    /// Returns the calls queued when the second ended, refused ones included.
    pub(crate) fn queued(&self) -> u64 {
        // In a log without details, the refused calls are queued beside the others.
        let refused = if self.has_details { 0 } else { self.refused() };
        self.counts[4].saturating_add(refused)
    }

    /// Returns `true` if the limiter was paused when the second ended. A closed limiter is not paused.
    pub(crate) fn is_paused(&self) -> bool {
        self.closed.is_none() && (self.bottleneck == Some(Bottleneck::Pause) || self.rate == 0.0)
    }

    /// Returns the adapted rate in calls per second if it differs from the configured one; else `NAN`.
    pub(crate) fn adapted_rate(&self) -> f32 {
        let differs = (self.adapted - self.limit).abs() > 0.01 * self.limit;
        if differs || self.limit.is_nan() { self.adapted } else { f32::NAN }
    }

    /// Adds a later row of the same second and the same process, whose gauges replace the earlier ones.
    pub(super) fn add(&mut self, later: &Self) {
        self.add_counts(later);
        let raise = |maxima: &mut [u32; 3], others: [u32; 3]| {
            maxima.iter_mut().zip(others).for_each(|(max, other)| *max = other.max(*max));
        };
        raise(&mut self.wait_ms, later.wait_ms);
        raise(&mut self.latency_ms, later.latency_ms);
        self.pauses = self.pauses.saturating_add(later.pauses);
        self.paused_ms = self.paused_ms.max(later.paused_ms);
        self.in_flight = later.in_flight;
        self.rate = later.rate;
        self.limit = later.limit;
        self.adapted = later.adapted;
        self.adapted_in_flight = later.adapted_in_flight;
        self.bottleneck = later.bottleneck;
        self.closed = later.closed;
        self.opens_at = later.opens_at;
        self.token_budget = later.token_budget;
        self.processes = later.processes;
        self.is_disconnected |= later.is_disconnected;
    }

    /// Adds everything that is counted over a second, and nothing else.
    pub(crate) fn add_counts(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        self.failed = self.failed.saturating_add(other.failed);
        self.overloaded = self.overloaded.saturating_add(other.overloaded);
        self.transient = self.transient.saturating_add(other.transient);
        self.rejected = self.rejected.saturating_add(other.rejected);
        if let Some(refused) = other.newly_refused {
            self.newly_refused = Some(self.newly_refused.unwrap_or(0).saturating_add(refused));
        }
        self.reserved_tokens = self.reserved_tokens.saturating_add(other.reserved_tokens);
        self.used_tokens = self.used_tokens.saturating_add(other.used_tokens);
    }

    /// Returns `true` if the second contains tokens or a budget of tokens.
    pub(super) fn has_tokens(&self) -> bool {
        self.reserved_tokens > 0 || self.used_tokens > 0 || self.token_budget.is_finite()
    }

    /// Returns the value of a line; `None` if the second has none.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn value(&self, letter: char) -> Option<f64> {
        let seconds = |millis: u32| f64::from(millis) / 1000.0;
        match letter {
            'r' => Some(self.requested() as f64),
            'i' => Some(self.issued() as f64),
            'e' => Some(self.refused() as f64),
            'f' => Some(self.finished() as f64),
            'o' => Some(self.counts[4] as f64),
            'n' => self.has_details.then(|| f64::from(self.in_flight)),
            'a' => Some(f64::from(self.rate)).filter(|rate| rate.is_finite()),
            't' => Some(self.reserved_tokens.into()),
            'u' => Some(self.used_tokens.into()),
            'b' => Some(f64::from(self.token_budget)).filter(|budget| budget.is_finite()),
            'w' => (self.issued() > 0 && self.has_details).then(|| seconds(self.wait_ms[1])),
            _ => (self.finished() > 0 && self.has_details).then(|| seconds(self.latency_ms[1])),
        }
    }
}

/// Returns the time `left` seconds after the end of the second `at`, rounded to whole seconds since the epoch.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and a negative time is zero.
fn opening(at: u64, left: f64) -> u64 {
    at.saturating_add(1).saturating_add(left.round() as u64)
}
