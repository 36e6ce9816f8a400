//! Simulated providers in virtual time, to try settings with. An hour takes milliseconds, and equal seeds give equal runs.
//!
//! A [`Provider`] combines features of real ones: rates enforced by buckets and windows, token limits, limits on growth and
//! on concurrency, charges for refusals, times to wait that are exact, rounded, wrong or missing, outages, and other tenants.
//! [`TokenCharging`] selects how tokens are charged, and presets such as [`Provider::anthropic`] follow the documentation of
//! real providers. A [`Workload`] is a list of calls with their arrivals and sizes. [`run`] sends it through one or more
//! [`Client`]s and returns a [`Report`]. [`SchedulerClient`] is the client of this library, with the scheduler that paces
//! real calls; implement [`Client`] to compare a strategy of your own.
//!
//! ```
//! use std::time::Duration;
//! use ratellmiter_core::{Limits, sim::{Provider, SchedulerClient, Workload, run}};
//!
//! // The program is configured for 600 calls a minute, and the server allows 300, enforced over a second.
//! let mut provider = Provider::new(1).bucket(300, Duration::from_secs(1));
//! let mut ours = SchedulerClient::new(Limits::per_minute(600), 1);
//! let report = run(&mut provider, &Workload::burst(500), &mut [&mut ours]);
//! assert_eq!(report.lost(), 0);
//! assert!(report.refusals_per_call() < 0.02);
//! println!("the last call ended after {:?}", report.last_finish());
//! ```
//!
//! All randomness comes from the seeds. Timers are exact, servers decide at the instant of sending, and a refusal takes the
//! configured time.

mod answer;
mod charging;
mod flights;
mod headers;
mod ledger;
mod presets;
mod provider;
mod report;
mod rules;
mod scheduler_client;
mod size;
mod workload;

use std::{collections::BTreeMap, time::Duration};

pub use answer::{Answer, RetryAfter};
pub use charging::{TokenCharging, Unit};
pub use headers::{HeaderFault, HeaderSet};
pub use presets::Quota;
pub use provider::Provider;
pub use report::Report;
pub use scheduler_client::SchedulerClient;
pub use size::Size;
pub use workload::{Arrival, Workload};

/// Strategy that decides when calls are sent. All times count from the start of the run.
pub trait Client {
    /// Receives a call of the program. A client must not use the output of `size`, which is not known before the answer.
    fn request(&mut self, now: Duration, call: usize, size: Size);

    /// Receives the answer to a call. A refused call is lost unless the client sends it again.
    fn answered(&mut self, now: Duration, call: usize, answer: Answer);

    /// Receives the headers of an answer, before [`answered`](Self::answered). Does nothing by default.
    fn headers(&mut self, _now: Duration, _call: usize, _headers: &http::HeaderMap) {}

    /// Adds the calls to send at `now` to `sent`.
    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>);

    /// Returns the time at which to call [`advance`](Self::advance) if there is no event before, or `None` to wait for an
    /// event.
    fn deadline(&self) -> Option<Duration>;
}

/// Sends the calls of the workload through the clients in turn. The run ends when all calls have ended, or two hours after
/// the last arrival; calls without an answer by then are lost.
pub fn run(provider: &mut Provider, workload: &Workload, clients: &mut [&mut dyn Client]) -> Report {
    let mut run =
        Run { provider, report: Report::of(workload), events: BTreeMap::new(), event_count: 0, sent: Vec::new() };
    for (call, arrival) in workload.arrivals().iter().enumerate() {
        run.add(arrival.at, Event::Requested { call });
    }
    let end = workload.arrivals().last().map_or(Duration::ZERO, |arrival| arrival.at) + MAX_DRAIN;
    while let Some(now) = run.next(clients).filter(|now| *now <= end) {
        run.step(now, clients);
    }
    run.provider.advance_to(run.report.last_finish());
    run.report
}

/// Longest time from the last arrival to the end of a run.
pub const MAX_DRAIN: Duration = Duration::from_hours(2);

/// Runs the workload with full knowledge of the provider's state: each call is sent, in order of arrival, at the first
/// millisecond at which it is admitted. Other clients can be faster only by chance, through latencies and other tenants.
pub fn oracle(provider: &mut Provider, workload: &Workload) -> Report {
    let mut report = Report::of(workload);
    let mut now = Duration::ZERO;
    for (call, arrival) in workload.arrivals().iter().enumerate() {
        now = now.max(arrival.at);
        loop {
            let wait = provider.wait(now, arrival.size);
            if !wait.is_zero() {
                now += wait;
                continue;
            }
            report.sent(now, call);
            let answer = provider.call(now, arrival.size);
            report.answered(now + answer.after(), call, answer);
            // A failed call is sent again at once, so that the order of the calls is kept.
            if !matches!(answer, Answer::Failed { .. }) {
                break;
            }
        }
    }
    provider.advance_to(report.last_finish());
    report
}

struct Run<'a> {
    provider: &'a mut Provider,
    report: Report,
    /// Events by time, and for equal times in the order of insertion.
    events: BTreeMap<(Duration, u64), Event>,
    event_count: u64,
    sent: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Requested { call: usize },
    Answered { client: usize, call: usize, answer: Answer },
}

impl Run<'_> {
    fn add(&mut self, at: Duration, event: Event) {
        self.events.insert((at, self.event_count), event);
        self.event_count += 1;
    }

    /// Returns the time of the next event or deadline.
    fn next(&self, clients: &[&mut dyn Client]) -> Option<Duration> {
        let event = self.events.first_key_value().map(|((at, _), _)| *at);
        clients.iter().filter_map(|client| client.deadline()).chain(event).min()
    }

    fn step(&mut self, now: Duration, clients: &mut [&mut dyn Client]) {
        while let Some(event) = self.events.first_entry().filter(|event| event.key().0 <= now) {
            match event.remove() {
                Event::Requested { call } => clients[call % clients.len()].request(now, call, self.report.size(call)),
                Event::Answered { client, call, answer } => {
                    if self.provider.has_headers() {
                        clients[client].headers(now, call, &self.provider.headers_at(now));
                    }
                    clients[client].answered(now, call, answer);
                    self.report.answered(now, call, answer);
                }
            }
        }
        for (index, client) in clients.iter_mut().enumerate() {
            let mut sent = std::mem::take(&mut self.sent);
            client.advance(now, &mut sent);
            for call in sent.drain(..) {
                self.report.sent(now, call);
                let answer = self.provider.call(now, self.report.size(call));
                self.add(now + answer.after(), Event::Answered { client: index, call, answer });
            }
            self.sent = sent;
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
