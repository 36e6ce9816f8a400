//! The library's scheduler as a client of a simulated run.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{Answer, Client, Size};
use crate::{
    engine::{
        call_id::Grant,
        call_state::{CallEnd, Request},
        scheduler::Scheduler,
    },
    limits::{Limits, cost::TokenEstimate},
    log::row::Row,
    providers::{limit_headers::readings, usage::Usage},
};

/// Client that paces calls with the scheduler of this library.
#[derive(Debug)]
pub struct SchedulerClient {
    scheduler: Scheduler<usize>,
    /// Grants of the calls in flight.
    grants: HashMap<usize, Grant>,
    /// Number of refusals by call.
    refusals: HashMap<usize, u32>,
    has_estimates: bool,
    /// Calls can be rejected.
    can_fail: bool,
    /// Number of rejected calls, and the time of the last one.
    rejected: (u64, Duration),
}

impl SchedulerClient {
    /// Creates a process with these limits. `seed` varies the ends of pauses, as between real processes.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        let scheduler = Scheduler::new(limits, Duration::ZERO, seed);
        Self {
            scheduler,
            grants: HashMap::new(),
            refusals: HashMap::new(),
            has_estimates: true,
            can_fail: false,
            rejected: (0, Duration::ZERO),
        }
    }

    /// Makes calls without token estimates. The scheduler estimates their tokens from the usage of earlier calls.
    #[must_use]
    pub fn without_estimates(mut self) -> Self {
        self.has_estimates = false;
        self
    }

    /// Makes calls that are rejected while the limiter is closed, as those of functions whose error is
    /// [`From<Rejected>`](crate::Rejected). A rejected call is lost.
    #[must_use]
    pub fn fallible(mut self) -> Self {
        self.can_fail = true;
        self
    }

    /// Returns the number of calls that were rejected, and the time of the last rejection.
    #[must_use]
    pub fn rejected(&self) -> (u64, Duration) {
        self.rejected
    }

    /// Sets the name of the model, on which the charges of some providers depend.
    #[must_use]
    pub fn model(mut self, name: &str) -> Self {
        self.scheduler.set_model(name);
        self
    }

    /// Records the rows of a log, to be read with [`rows`](Self::rows).
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.scheduler.record(Duration::ZERO, true);
        self
    }

    /// Returns the rows of a log up to `now`, without rows returned before. Their seconds count from the start of the run.
    ///
    /// The result is empty without [`recording`](Self::recording).
    #[must_use]
    pub fn rows<'a>(&mut self, now: Duration, model: &'a str) -> Vec<Row<'a>> {
        self.scheduler.seconds(now, true).iter().map(|second| second.row(model)).collect()
    }
}

impl Client for SchedulerClient {
    fn request(&mut self, now: Duration, call: usize, size: Size) {
        // The output is not known yet, only its maximum.
        let has_estimate = self.has_estimates && size != Size::default();
        let cost = if has_estimate { TokenEstimate::new(size.input, size.max_output) } else { TokenEstimate::UNKNOWN };
        let request = Request { cost, can_fail: self.can_fail, ..Request::PLAIN };
        if self.scheduler.enqueue(now, &request, call).is_err() {
            self.rejected = (self.rejected.0 + 1, now);
        }
    }

    fn answered(&mut self, now: Duration, call: usize, answer: Answer) {
        let Some(grant) = self.grants.remove(&call) else {
            return;
        };
        if let Answer::Failed { .. } = answer {
            let retries = self.scheduler.limits().transient_attempts;
            // A call that is not sent again is lost.
            let _ = self.scheduler.retry_transient(now, grant, CallEnd::Failed, None, retries, call);
            return;
        }
        let Some(verdict) = answer.verdict() else {
            let usage = match answer {
                Answer::Finished { usage, .. } if usage != Usage::default() => Some(usage),
                _ => None,
            };
            self.scheduler.finish(now, grant, CallEnd::Succeeded, usage);
            return;
        };
        if self.scheduler.refused_alone(&grant, &verdict).is_some() {
            // The call fails; it is lost.
            self.scheduler.finish(now, grant, CallEnd::Uncharged, None);
            return;
        }
        let Some(place) = self.scheduler.retry(now, grant, &verdict, call) else { return };
        let refusals = self.refusals.entry(call).or_default();
        *refusals += 1;
        if *refusals >= self.scheduler.limits().max_attempts.get() {
            self.scheduler.leave(now, place);
        }
    }

    fn headers(&mut self, now: Duration, call: usize, headers: &http::HeaderMap) {
        let Some(grant) = self.grants.get(&call) else { return };
        let by_day = self.scheduler.limits().provider.requests_header_is_per_day();
        // Resets given as timestamps count from the start of the run.
        let readings = readings(headers, SystemTime::UNIX_EPOCH + now, by_day);
        self.scheduler.apply_headers(now, grant, &readings);
    }

    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>) {
        // The result concerns the user's probe, which a simulated run does not have.
        let _ = self.scheduler.advance(now, |grant, call| {
            self.grants.insert(call, grant);
            sent.push(call);
        });
        let rejected = &mut self.rejected;
        self.scheduler.expire(now, |_, _, _| *rejected = (rejected.0 + 1, now));
    }

    fn deadline(&self) -> Option<Duration> {
        self.scheduler.deadline()
    }
}
