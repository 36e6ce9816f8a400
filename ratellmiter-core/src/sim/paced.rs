//! This library as a client: the scheduler that paces real calls.

use std::{collections::HashMap, time::Duration};

use super::{Answer, Client};
use crate::{
    limits::Limits,
    record::Row,
    scheduler::{Grant, Scheduler},
};

/// Calls paced by this library, with the scheduler that paces real ones.
#[derive(Debug)]
pub struct Paced {
    scheduler: Scheduler<usize>,
    out: HashMap<usize, Grant>,
    attempts: HashMap<usize, u32>,
}

impl Paced {
    /// One process with these limits. The seed spreads the ends of pauses, as it does between real processes.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self { scheduler: Scheduler::new(limits, Duration::ZERO, seed), out: HashMap::new(), attempts: HashMap::new() }
    }

    /// Keeps what a log would say, for [`rows`](Self::rows) to take.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.scheduler.record(Duration::ZERO, true);
        self
    }

    /// The rows that a log of the run up to `now` would have, with seconds counted from its start; what was taken before is
    /// left out. Empty without [`recording`](Self::recording).
    #[must_use]
    pub fn rows<'a>(&mut self, now: Duration, model: &'a str) -> Vec<Row<'a>> {
        self.scheduler.seconds(now, true).iter().map(|second| second.row(model)).collect()
    }
}

impl Client for Paced {
    fn request(&mut self, now: Duration, call: usize) {
        self.scheduler.enqueue(now, call);
    }

    fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        let Some(grant) = self.out.remove(&call) else {
            return;
        };
        let Some(verdict) = answer.verdict() else {
            self.scheduler.finish(now, grant, false);
            return;
        };
        let place = self.scheduler.refuse(now, grant, &verdict, call);
        let attempts = self.attempts.entry(call).or_default();
        *attempts += 1;
        if *attempts >= self.scheduler.limits().attempts.get() {
            self.scheduler.leave(now, place);
        }
    }

    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>) {
        // Without a user's probe there is nothing to ask.
        let _ = self.scheduler.advance(now, |grant, call| {
            self.out.insert(call, grant);
            sent.push(call);
        });
    }

    fn deadline(&self) -> Option<Duration> {
        self.scheduler.deadline()
    }
}
