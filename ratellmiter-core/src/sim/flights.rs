//! Calls that are out: what is produced, and when they end.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Size,
    charging::{Charge, Charging},
};

/// The output is counted ten times a second, and at the end.
const STEP: Duration = Duration::from_millis(100);

/// Calls that are out, by the time at which something is charged next.
#[derive(Debug, Default)]
pub(super) struct Flights {
    flights: BTreeMap<(Duration, u64), Flight>,
    so_far: u64,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    sent: Duration,
    first: Duration,
    end: Duration,
    size: Size,
    produced: u64,
}

/// What a call that is out is charged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) at: Duration,
    /// When the call was sent.
    pub(super) sent: Duration,
    pub(super) charge: Charge,
}

impl Flights {
    /// A call goes out; its first token comes after `first`.
    pub(super) fn add(&mut self, now: Duration, first: Duration, after: Duration, size: Size, charging: Charging) {
        let flight = Flight { sent: now, first: now + first, end: now + after, size, produced: 0 };
        self.so_far += 1;
        self.flights.insert((flight.next(flight.first, charging), self.so_far), flight);
    }

    pub(super) fn len(&self) -> usize {
        self.flights.len()
    }

    /// When something is charged next, or a call ends.
    pub(super) fn next(&self) -> Option<Duration> {
        self.flights.first_key_value().map(|((at, _), _)| *at)
    }

    /// When the next call ends.
    pub(super) fn next_end(&self) -> Option<Duration> {
        self.flights.values().map(|flight| flight.end).min()
    }

    /// Takes the next step.
    pub(super) fn step(&mut self, charging: Charging, free: bool) -> Option<Step> {
        let ((at, number), mut flight) = self.flights.pop_first()?;
        let charge = if charging == Charging::Produced {
            let produced = flight.produced_at(at);
            Charging::produced(produced - std::mem::replace(&mut flight.produced, produced))
        } else {
            charging.end(flight.size, free)
        };
        if at < flight.end {
            self.flights.insert((flight.next(at, charging), number), flight);
        }
        Some(Step { at, sent: flight.sent, charge })
    }
}

impl Flight {
    fn next(&self, now: Duration, charging: Charging) -> Duration {
        let steps = charging == Charging::Produced && self.size.output > 0;
        if steps { (now + STEP).min(self.end) } else { self.end }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn produced_at(&self, now: Duration) -> u64 {
        if now >= self.end {
            return self.size.output;
        }
        let (since, takes) = (now.saturating_sub(self.first), self.end.saturating_sub(self.first));
        // A ten-millionth more, lest a rounding error takes a token.
        (self.size.output as f64 * since.div_duration_f64(takes) + 1e-7) as u64
    }
}
