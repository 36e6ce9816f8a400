//! This library as a client: the scheduler that paces real calls.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{Answer, Client, Size};
use crate::{
    engine::{call_id::Grant, call_state::Request, scheduler::Scheduler},
    limits::{Limits, cost::TokenEstimate},
    log::row::Row,
    providers::{limit_headers::readings, usage::Usage},
};

/// Calls paced by this library, with the scheduler that paces real ones.
#[derive(Debug)]
pub struct Paced {
    scheduler: Scheduler<usize>,
    out: HashMap<usize, Grant>,
    attempts: HashMap<usize, u32>,
    is_told: bool,
}

impl Paced {
    /// One process with these limits. The seed spreads the ends of pauses, as it does between real processes.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let scheduler = Scheduler::new(limits, Duration::ZERO, seed);
        Self { scheduler, out: HashMap::new(), attempts: HashMap::new(), is_told: true }
    }

    /// The program says nothing of what its calls cost: it is estimated from what those before used.
    #[must_use]
    pub fn untold(mut self) -> Self {
        self.is_told = false;
        self
    }

    /// The name of the model, which decides what some providers charge.
    #[must_use]
    pub fn model(mut self, name: &str) -> Self {
        self.scheduler.set_model(name);
        self
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
    fn request(&mut self, now: Duration, call: usize, size: Size) {
        // What comes back is not known yet.
        let is_told = self.is_told && size != Size::default();
        let cost = if is_told { TokenEstimate::new(size.input, size.max_output) } else { TokenEstimate::UNKNOWN };
        let joined = self.scheduler.enqueue(now, &Request { cost, ..Request::PLAIN }, call);
        debug_assert!(joined.is_ok(), "nothing bounds the wait");
    }

    fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        let Some(grant) = self.out.remove(&call) else {
            return;
        };
        let Some(verdict) = answer.verdict() else {
            let usage = match answer {
                Answer::Finished { usage, .. } if usage != Usage::default() => Some(usage),
                _ => None,
            };
            self.scheduler.finish(now, grant, false, usage);
            return;
        };
        let place = self.scheduler.requeue(now, grant, &verdict, call);
        let attempts = self.attempts.entry(call).or_default();
        *attempts += 1;
        if *attempts >= self.scheduler.limits().max_attempts.get() {
            self.scheduler.leave(now, place);
        }
    }

    fn headers(&mut self, now: Duration, call: usize, headers: &http::HeaderMap) {
        let Some(grant) = self.out.get(&call) else { return };
        let by_day = self.scheduler.limits().provider.requests_header_is_per_day();
        // Resets that are points in time count from the start of the run.
        let readings = readings(headers, SystemTime::UNIX_EPOCH + now, by_day);
        self.scheduler.apply_headers(now, grant, &readings);
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
