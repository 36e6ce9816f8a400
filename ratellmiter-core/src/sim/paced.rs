//! This library as a client: the scheduler that paces real calls.

use std::{collections::HashMap, time::Duration};

use super::{Answer, Client};
use crate::{
    limits::Limits,
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
