//! The future of the queue, if no call is refused, for estimates.
//!
//! The parts of the scheduler are run ahead of time: calls are admitted one after another by the meters, the windows, the ramp and
//! the limit on calls in flight, as they are now. The first calls of the queue and samples of the others are taken one by one, calls
//! of equal cost in steps of several, and the rest after [`MAX_STEPS`] steps at the rate of the long run.

use std::time::Duration;

use super::Scheduler;
use crate::engine::{
    budgets::{
        forecast::BudgetsForecast,
        reservation::{Reservation, ReservationSum},
    },
    congestion::Phase,
    pace::{gcra::nanos, pacer_forecast::PacerForecast, ramp::RampState, window_forecast::WindowForecast},
};

/// Steps into which calls of equal cost are divided, if no window needs smaller ones.
const STEPS: u64 = 128;
/// Steps after which the rate of the long run is taken.
const MAX_STEPS: u64 = 256;
/// The longest estimated wait.
const MAX_WAIT: Duration = Duration::from_hours(24 * 365);
/// A call that is sent this much later than scheduled restarts the schedule.
const MAX_LATENESS: u64 = 100_000_000;
/// Time after which a ramp that has delayed no call is no longer followed.
const RAMP_MEMORY: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: u64 = 60_000_000_000;

/// The scheduler's parts, run ahead of time. Times are nanoseconds since the limiter was created.
#[derive(Debug)]
pub(super) struct Forecast<'a> {
    now: u64,
    /// When the last call was sent.
    sent_at: u64,
    /// No call is sent before this.
    open_at: u64,
    /// No call is scheduled before this.
    unblocked_at: u64,
    meter: PacerForecast,
    window: WindowForecast<'a>,
    /// `None` if the limiter is leased, or if the ramp no longer delays calls.
    ramp: Option<RampState>,
    /// When the ramp last delayed a call.
    ramped_at: u64,
    /// The next call is the canary, which ends the pause after this time.
    canary_latency: Option<u64>,
    budgets: BudgetsForecast<'a>,
    /// The calls in flight, which end in their order. `None` if they are not limited.
    in_flight: Option<WindowForecast<'a>>,
    /// The expected time in flight.
    latency: u64,
    /// Sum of the times in which calls waited for nothing but the budget of a day.
    waited_for_day: u64,
}

impl<W> Scheduler<W> {
    /// Returns the state from which the queue is estimated. `calls` is the number of calls to be sent.
    pub(super) fn forecast(&self, now: Duration, calls: u64) -> Forecast<'_> {
        let mut forecast = Forecast {
            now: nanos(now),
            sent_at: nanos(now),
            open_at: nanos(now),
            unblocked_at: nanos(self.unblocked_at),
            meter: self.meter_forecast(now, calls),
            window: self.window.forecast(),
            ramp: self.congestion.as_local().map(|local| local.ramp().clone()),
            ramped_at: nanos(now),
            canary_latency: None,
            budgets: self.budgets.forecast(),
            in_flight: self.in_flight_forecast(now),
            latency: nanos(self.mean_latency),
            waited_for_day: 0,
        };
        match self.congestion.as_local().map(|local| (local.phase(), local.canary_timeout())) {
            None => forecast.open_at += nanos(self.paused_for(now).unwrap_or_default()),
            Some((Phase::Flowing, _)) => {}
            Some((Phase::Paused { until }, timeout)) => {
                forecast.open_at = forecast.open_at.max(nanos(until));
                if self.has_probe {
                    forecast.resume(forecast.open_at, forecast.open_at);
                } else {
                    forecast.canary_latency = Some(self.canary_latency(timeout));
                }
            }
            Some((Phase::Canary { sent, expires_at, .. }, timeout)) => {
                let accepted_at = nanos(sent) + self.canary_latency(timeout);
                forecast.resume(accepted_at.clamp(nanos(now), nanos(expires_at).max(nanos(now))), nanos(sent));
            }
            Some((Phase::Probing, _)) => forecast.resume(nanos(now), nanos(now)),
        }
        if let Some(closed) = self.closed() {
            forecast.open_at = forecast.open_at.max(nanos(now + closed.time_left(now)));
        }
        forecast
    }

    /// Returns the expected time from a canary to the end of the pause.
    fn canary_latency(&self, timeout: Duration) -> u64 {
        nanos(if self.mean_latency.is_zero() { timeout } else { timeout.min(self.mean_latency) })
    }

    fn meter_forecast(&self, now: Duration, calls: u64) -> PacerForecast {
        if let Some(lease) = self.congestion.lease() {
            let interval = 60e9 / self.congestion.expected_pace();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
            let first = if self.slots_on_request(calls) > 0 { 0 } else { interval as u64 };
            return PacerForecast::new(lease.due().map_or_else(|| nanos(now) + first, nanos), interval);
        }
        let meter = self.meter.forecast();
        let Some(at) = self.server_limit.rises_at() else { return meter };
        let limit = self.limits.requests_per_minute.get().into();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
        let adapted = self.congestion.adapted_rate().map_or(u64::MAX, |adapted| adapted as u64);
        meter.with_rise(nanos(at), self.server_limit.limit(limit).min(adapted))
    }

    /// Returns the ends of the calls in flight: those that were sent last, after the mean latency.
    fn in_flight_forecast(&self, now: Duration) -> Option<WindowForecast<'_>> {
        let limit = self.congestion.in_flight_limit();
        if limit == u64::MAX {
            return None;
        }
        let latency = nanos(self.mean_latency);
        let mut window = WindowForecast::new(latency, limit.max(1));
        let newest: Vec<_> = self.window.newest(now, self.in_flight).collect();
        let known: u64 = newest.iter().map(|(_, calls)| calls).sum();
        // Calls that are older than the window end at equal distances, as if they had been sent so.
        let older = self.in_flight.saturating_sub(known);
        let rest = latency.saturating_sub(MINUTE);
        let steps = older.min(STEPS);
        for step in 1..=steps {
            let calls = older * step / steps - older * (step - 1) / steps;
            window.add(nanos(now) + rest * step / steps, calls);
        }
        for (age, calls) in newest.into_iter().rev() {
            window.add((nanos(now) + latency).saturating_sub(nanos(age)).max(nanos(now)), calls);
        }
        Some(window)
    }
}

impl Forecast<'_> {
    /// Returns the estimated wait of the last admitted call.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_nanos(self.sent_at.saturating_sub(self.now)).min(MAX_WAIT)
    }

    /// Admits one call.
    pub(super) fn admit(&mut self, call: &Reservation) {
        self.step(1, call);
    }

    /// Admits `calls` calls that cost as the calls of the `pattern`, in turn.
    #[allow(clippy::cast_precision_loss)] // An estimate.
    pub(super) fn admit_like(&mut self, calls: u64, pattern: &[Reservation]) {
        let Some(first) = pattern.first() else { return };
        if pattern.iter().all(|call| call == first) {
            return self.admit_equal(calls, first);
        }
        let mut sum = ReservationSum::default();
        pattern.iter().for_each(|call| sum.add(call));
        let (start, waited_for_day) = (self.sent_at, self.waited_for_day);
        let single = calls.min(pattern.len() as u64);
        pattern.iter().for_each(|call| self.admit(call));
        if calls > single {
            // Calls of different costs may leave a part of a window unused. Entries from before now have expired then.
            let time =
                (self.sent_at - start).saturating_sub(self.waited_for_day - waited_for_day) as f64 / single as f64;
            let time = if start >= self.now + MINUTE { time } else { 0.0 };
            self.extrapolate(calls - single, &sum.mean(), time);
        }
    }

    /// Admits `calls` calls of equal cost.
    fn admit_equal(&mut self, calls: u64, call: &Reservation) {
        // A step may be longer than the seconds of the ramp, so the ramp is followed only while it delays calls.
        let is_ramped = self.sent_at <= self.ramped_at + nanos(RAMP_MEMORY);
        self.ramp.take_if(|_| !is_ramped);
        let full_at = self.ramp.as_ref().map_or(0, |ramp| self.sent_at + nanos(ramp.time_to_full()));
        let most = [self.window.calls_per_step(1), self.budgets.calls_per_step(call)];
        let most = most.into_iter().chain(self.in_flight.as_ref().map(|window| window.calls_per_step(1)));
        let size = most.fold(calls.div_ceil(STEPS), u64::min).max(1);
        let (mut left, mut steps) = (calls, 0);
        while left > 0 && steps < MAX_STEPS {
            self.ramp.take_if(|_| self.sent_at > full_at);
            left -= self.step(size.min(left), call);
            steps += 1;
        }
        if left > 0 {
            self.extrapolate(left, call, 0.0);
        }
    }

    /// Admits calls at the rate of the long run, within the budgets of a day. A call takes at least `min_time` nanoseconds.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // An estimate.
    fn extrapolate(&mut self, calls: u64, call: &Reservation, min_time: f64) {
        let times = [self.meter.time_of(1), self.window.time_of(1), self.budgets.time_of(call)];
        let in_flight = self.in_flight.as_ref().map(|window| window.time_of(1));
        let time = times.into_iter().chain(in_flight).fold(min_time, f64::max);
        let (mut left, mut steps) = (calls, 0);
        if self.budgets.keep_days() {
            let size = self.budgets.calls_per_step(call).min(left.div_ceil(STEPS)).max(1);
            while left > 0 && steps < MAX_STEPS {
                let calls = size.min(left);
                let first = self.budgets.due_of_day(1, call).max(self.sent_at);
                let paced = first.saturating_add((calls as f64 * time) as u64);
                self.sent_at = paced.max(self.budgets.due_of_day(calls, call));
                self.budgets.charge(self.sent_at, calls, call, self.latency);
                left -= calls;
                steps += 1;
            }
        }
        let time = if left > 0 { time.max(self.budgets.time_of_day(call)) } else { time };
        self.sent_at = self.sent_at.saturating_add((left as f64 * time) as u64);
    }

    /// Admits at most `calls` calls of equal cost, which is at least one call. Returns their number.
    fn step(&mut self, calls: u64, call: &Reservation) -> u64 {
        let ended_at = self.in_flight.as_mut().map_or(0, |window| window.due(1));
        if ended_at > self.open_at {
            self.unblocked_at = ended_at;
            // Calls that wait for a place in flight do not count as a demand on the ramp.
            if let Some(ramp) = &mut self.ramp {
                ramp.advance_to(Duration::from_nanos(ended_at), false);
            }
        }
        let scheduled = self.meter.due().max(self.budgets.scheduled()).max(self.unblocked_at);
        let by_minute = self.open_at.max(scheduled).max(self.window.due(1)).max(self.budgets.due(call));
        let open = by_minute.max(self.budgets.due_of_day(1, call));
        self.waited_for_day += open - by_minute;
        let (mut at, ramped) = self.ramp_due(open);
        if at > open {
            self.ramped_at = at;
        }
        let mut slot = scheduled.max(ramped);
        if at.saturating_sub(slot) > MAX_LATENESS {
            slot = at;
        }
        let calls = if calls == 1 || self.canary_latency.is_some() { 1 } else { self.room(at, calls, call) };
        if calls > 1 {
            // The step is sent with its last call. The others keep the schedule of the meters.
            self.meter.admit(scheduled, calls - 1);
            self.budgets.pace(scheduled, calls - 1, call);
            slot = slot.max(self.meter.due()).max(self.budgets.scheduled());
            if let Some(ramp) = &mut self.ramp {
                ramp.count_calls(Duration::from_nanos(slot), calls - 1);
                slot = slot.max(nanos(ramp.due()));
            }
            at = at.max(slot);
        }
        self.meter.admit(slot, 1);
        self.budgets.pace(slot, 1, call);
        if let Some(ramp) = &mut self.ramp {
            ramp.count_calls(Duration::from_nanos(slot), 1);
        }
        self.window.charge(at, calls, calls, 0);
        self.budgets.charge(at, calls, call, self.latency);
        if let Some(window) = &mut self.in_flight {
            window.charge(at, calls, calls, 0);
        }
        (self.sent_at, self.open_at) = (at, at);
        if let Some(latency) = self.canary_latency.take() {
            self.resume(at + latency, at);
        }
        calls
    }

    /// Returns the number of calls, at most `calls`, that fit the windows and this second of the ramp at `at`.
    fn room(&mut self, at: u64, calls: u64, call: &Reservation) -> u64 {
        let ramp = self.ramp.as_ref().and_then(RampState::room).unwrap_or(u64::MAX);
        let in_flight = self.in_flight.as_mut().map_or(u64::MAX, |window| window.room(at, 1));
        let room = self.window.room(at, 1).min(self.budgets.room(at, call));
        calls.min(ramp).min(in_flight).min(room).max(1)
    }

    /// Returns when the ramp allows the next call, at or after `open`, and when it would allow the call on its own.
    fn ramp_due(&mut self, open: u64) -> (u64, u64) {
        let Some(ramp) = &mut self.ramp else { return (open, 0) };
        let mut at = open;
        loop {
            ramp.skip_to(Duration::from_nanos(at));
            let due = nanos(ramp.due());
            if due <= at {
                return (at, due);
            }
            at = due;
        }
    }

    /// Ends the pause at `at`. The ramp starts with the canary or probe that was sent at `sent`.
    fn resume(&mut self, at: u64, sent: u64) {
        self.unblocked_at = self.unblocked_at.max(at);
        self.open_at = self.open_at.max(at);
        if let Some(ramp) = &mut self.ramp {
            let at = Duration::from_nanos(at);
            ramp.resume(Duration::from_nanos(sent).max(at.saturating_sub(SECOND)));
        }
    }
}
