//! Calls in flight: their generated output and their ends.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Size,
    charging::{Charge, TokenCharging},
};

/// Interval at which generated output is charged.
const STEP: Duration = Duration::from_millis(100);

/// Calls in flight, ordered by the time of their next charge.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: BTreeMap<(Duration, u64), Flight>,
    last_id: u64,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    sent: Duration,
    first_token: Duration,
    end: Duration,
    size: Size,
    charged_output: u64,
}

/// Charge of a call in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at: Duration,
    /// Time at which the call was sent.
    pub(super) sent: Duration,
    pub(super) charge: Charge,
}

impl Flights {
    /// Adds a call sent at `now` that generates its first token after `first` and ends after `after`.
    pub(super) fn add(&mut self, now: Duration, first: Duration, after: Duration, size: Size, charging: TokenCharging) {
        let flight = Flight { sent: now, first_token: now + first, end: now + after, size, charged_output: 0 };
        self.last_id += 1;
        self.flights.insert((flight.next(flight.first_token, charging), self.last_id), flight);
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Returns the time of the next charge or end of a call.
    pub(super) fn next(&self) -> Option<Duration> {
        self.flights.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns the time at which the next call ends.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.flights.values().map(|flight| flight.end).min()
    }

    /// Removes and returns the next charge.
    pub(super) fn step(&mut self, charging: TokenCharging, is_cached_free: bool) -> Option<Step> {
        let ((at, id), mut flight) = self.flights.pop_first()?;
        let charge = if charging == TokenCharging::Produced {
            let output = flight.output_at(at);
            TokenCharging::for_output(output - std::mem::replace(&mut flight.charged_output, output))
        } else {
            charging.at_end(flight.size, is_cached_free)
        };
        if at < flight.end {
            self.flights.insert((flight.next(at, charging), id), flight);
        }
        Some(Step { at, sent: flight.sent, charge })
    }
}

impl Flight {
    fn next(&self, now: Duration, charging: TokenCharging) -> Duration {
        let has_steps = charging == TokenCharging::Produced && self.size.output > 0;
        if has_steps { (now + STEP).min(self.end) } else { self.end }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn output_at(&self, now: Duration) -> u64 {
        if now >= self.end {
            return self.size.output;
        }
        let (elapsed, total) = (now.saturating_sub(self.first_token), self.end.saturating_sub(self.first_token));
        // A ten-millionth is added, so that a rounding error does not lose a token.
        (self.size.output as f64 * elapsed.div_duration_f64(total) + 1e-7) as u64
    }
}
