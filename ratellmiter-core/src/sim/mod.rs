//! A provider to try settings against, in virtual time: an hour takes milliseconds, and the same seeds give the same run.
//!
//! A [`Provider`] is put together from what real ones do: rates that are enforced by buckets and windows, tokens, limits on
//! growth and on concurrency, refusals that cost, hints that are exact, rounded, wrong or missing, outages, and other
//! tenants. [`Charging`] says what tokens are charged, and presets such as
//! [`Provider::anthropic`] follow documentation. A [`Workload`] says when calls are made and how large they are. [`run`] brings both together with one or more [`Client`]s and tells
//! what came of it. [`Paced`] is this library's client, with the scheduler that paces real calls; implement
//! [`Client`] to set your own strategy beside it.
//!
//! ```
//! use std::{num::NonZeroU32, time::Duration};
//! use ratellmiter_core::{Limits, sim::{Paced, Provider, Workload, run}};
//!
//! // The program believes in 600 calls a minute, and the server allows 300, by the second.
//! let mut provider = Provider::new(1).bucket(300, Duration::from_secs(1));
//! let mut ours = Paced::new(Limits::per_minute(600), 1);
//! let report = run(&mut provider, &Workload::burst(500), &mut [&mut ours]);
//! assert_eq!(report.lost(), 0);
//! assert!(report.refusals_per_call() < 0.02);
//! println!("the last call ended after {:?}", report.last());
//! ```
//!
//! Nothing here is random but for the seeds, and no time passes but what is simulated. Timers are exact, servers judge at
//! the instant of sending, and a refusal takes no longer than it is told to.

mod answer;
mod charging;
mod flights;
mod headers;
mod ledger;
mod paced;
mod presets;
mod provider;
mod report;
mod rules;
mod size;
mod workload;

use std::{collections::BTreeMap, time::Duration};

pub use answer::{Answer, Hint};
pub use charging::{Charging, Unit};
pub use headers::{HeaderSet, Lie};
pub use paced::Paced;
pub use presets::Quota;
pub use provider::Provider;
pub use report::Report;
pub use size::Size;
pub use workload::{Arrival, Workload};

/// Decides when calls are sent. All times are since the start of the run.
pub trait Client {
    /// The program makes a call. What it will produce is not for the client to know.
    fn request(&mut self, now: Duration, call: usize, size: Size);

    /// A call that was sent has been answered. Unless a refused one is sent again, it is lost.
    fn answered(&mut self, now: Duration, call: usize, answer: Answer);

    /// What the headers of an answer tell of limits, before [`answered`](Self::answered). Clients that do not look do nothing.
    fn headers(&mut self, _now: Duration, _call: usize, _headers: &http::HeaderMap) {}

    /// Adds the calls that go now to `sent`.
    fn advance(&mut self, now: Duration, sent: &mut Vec<usize>);

    /// When to call [`advance`](Self::advance) again if nothing else happens. `None`: not before something does.
    fn deadline(&self) -> Option<Duration>;
}

/// Has the clients make the calls of the workload in turn. It is over when all have ended, or two hours after the last call
/// was made: what has not been answered by then is lost.
pub fn run(provider: &mut Provider, workload: &Workload, clients: &mut [&mut dyn Client]) -> Report {
    let mut run =
        Run { provider, report: Report::of(workload), events: BTreeMap::new(), events_so_far: 0, sent: Vec::new() };
    for (call, arrival) in workload.arrivals().iter().enumerate() {
        run.add(arrival.at, Event::Requested { call });
    }
    let end = workload.arrivals().last().map_or(Duration::ZERO, |arrival| arrival.at) + LONGEST;
    while let Some(now) = run.next(clients).filter(|now| *now <= end) {
        run.step(now, clients);
    }
    run.provider.come_to(run.report.last());
    run.report
}

/// What has not ended by then will not.
const LONGEST: Duration = Duration::from_hours(2);

/// What one who knows the provider's state would reach: each call goes, in the order in which they are made, at the first
/// millisecond at which it is taken. No client can do better, but for luck with latencies and with other tenants.
pub fn oracle(provider: &mut Provider, workload: &Workload) -> Report {
    let mut report = Report::of(workload);
    let mut now = Duration::ZERO;
    for (call, arrival) in workload.arrivals().iter().enumerate() {
        now = now.max(arrival.at);
        loop {
            let wait = provider.wait(now, arrival.size);
            if wait.is_zero() {
                break;
            }
            now += wait;
        }
        report.sent(now, call);
        let answer = provider.call(now, arrival.size);
        report.answered(now + answer.after(), call, answer);
    }
    provider.come_to(report.last());
    report
}

struct Run<'a> {
    provider: &'a mut Provider,
    report: Report,
    /// The next first; what happens at the same time happens in the order in which it was added.
    events: BTreeMap<(Duration, u64), Event>,
    events_so_far: u64,
    sent: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Requested { call: usize },
    Answered { client: usize, call: usize, answer: Answer },
}

impl Run<'_> {
    fn add(&mut self, at: Duration, event: Event) {
        self.events.insert((at, self.events_so_far), event);
        self.events_so_far += 1;
    }

    /// When something happens next.
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
        for (client, paced) in clients.iter_mut().enumerate() {
            let mut sent = std::mem::take(&mut self.sent);
            paced.advance(now, &mut sent);
            for call in sent.drain(..) {
                self.report.sent(now, call);
                let answer = self.provider.call(now, self.report.size(call));
                self.add(now + answer.after(), Event::Answered { client, call, answer });
            }
            self.sent = sent;
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod token_tests;
