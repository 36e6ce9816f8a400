//! The provider's answers to calls, and the ends of calls.

use std::time::SystemTime;

use super::*;
use crate::{
    engine::call_state::CallEnd,
    limits::request::{RejectReason, Rejected},
    providers::usage::Usage,
};

/// A time in which the server answers every call by `verdict`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    pub(super) from: Duration,
    pub(super) until: Duration,
    pub(super) verdict: Verdict,
}

/// The end of a call without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The call returns the refusal itself.
    Refusal,
    /// The call is rejected. The time is the one at which the limiter opens, as far as it is known.
    Rejection(RejectReason, Option<Duration>),
}

/// A call that has ended without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) at: Duration,
    pub(super) tokens: u64,
    pub(super) end: End,
}

impl Ended {
    pub(super) fn rejected(at: Duration, caller: &Caller, rejected: &Rejected) -> Self {
        // The time counts from the creation of the limiter.
        let resumes_at = rejected.resumes_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self { at, tokens: caller.tokens, end: End::Rejection(rejected.reason, resumes_at) }
    }
}

impl Fleet {
    /// Ends the call in flight that ends first.
    pub(super) fn end_call(&mut self, number: usize) {
        let now = self.now;
        let sent = now.saturating_sub(self.call_time);
        let process = &mut self.processes[number];
        let Some((_, (grant, caller))) = process.in_flight.pop_first() else { return };
        if let Some(spent) = self.spent.filter(|spent| (spent.from..spent.until).contains(&sent)) {
            let opens_at = Some(spent.until).filter(|_| spent.is_end_known);
            process.scheduler.exhaust(now, grant, opens_at, caller);
            return self.exhausted.push((now, number));
        }
        let outage = self.outages.iter().rev().find(|outage| (outage.from..outage.until).contains(&sent));
        match outage {
            Some(outage) => {
                let verdict = outage.verdict;
                self.refuse(number, grant, &verdict, caller);
            }
            None if caller.refusals > 0 => {
                self.refuse(number, grant, &caller.verdict, Caller { refusals: caller.refusals - 1, ..caller });
            }
            None => {
                let usage = Some(Usage::new(caller.tokens, 0));
                assert!(process.scheduler.finish(now, grant, CallEnd::Succeeded, usage));
                if caller.calls > 1 {
                    self.start_caller(number, Caller { calls: caller.calls - 1, ..caller });
                }
            }
        }
    }

    /// Ends an attempt by a refusal or a failure, after which `retry` makes the next one.
    fn refuse(&mut self, number: usize, grant: Grant, verdict: &Verdict, retry: Caller) {
        let (now, scheduler) = (self.now, &mut self.processes[number].scheduler);
        let position = match *verdict {
            Verdict::Transient { retry_after } => {
                scheduler.retry_transient(now, grant, CallEnd::Failed, retry_after, 2, retry)
            }
            Verdict::QuotaExhausted { resumes_at, .. } => {
                let opens_at = resumes_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
                scheduler.exhaust(now, grant, opens_at, retry)
            }
            _ => match retry.attempts {
                None => Some(scheduler.requeue(now, grant, verdict, retry)),
                Some(0 | 1) => {
                    scheduler.finish_refused(now, grant, verdict);
                    None
                }
                Some(left) => scheduler.retry(now, grant, verdict, Caller { attempts: Some(left - 1), ..retry }),
            },
        };
        let pauses = matches!(verdict, Verdict::RateLimited { .. } | Verdict::Overloaded { .. });
        match position {
            None => self.ended.push(Ended { at: now, tokens: retry.tokens, end: End::Refusal }),
            Some(position) if pauses && position.is_refused() => self.refusals.push((now, self.tickets.len())),
            Some(_) => {}
        }
    }
}
