//! Fleets in virtual time: real schedulers, and the script on a [server](server) with a virtual clock.

// A negative time fails the test, and counts are small.
#![allow(clippy::unchecked_time_subtraction, clippy::cast_precision_loss)]

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use answers::{Ended, Outage};
use server::Server;

use crate::{
    engine::{
        call_id::{CallId, Grant},
        call_state::Request,
        lease::exchange::{LeaseGrant, LeaseRequest},
        scheduler::Scheduler,
    },
    fleet::connection::{Intent, Message, Reply},
    judge::Verdict,
    limits::{Limits, cost::TokenEstimate, on_disconnect::OnDisconnect, request::Priority},
};

mod adapting;
mod answers;
mod churn;
mod closed;
mod equality;
mod in_flight;
mod large_calls;
mod latency;
mod one_limit;
mod outage;
mod parts;
#[cfg(feature = "sim")]
mod provider;
mod ramp;
mod random;
mod responsible_calls;
mod server;
mod set_limits;

/// A caller that makes its calls one after another.
#[derive(Debug, Clone, Copy)]
struct Caller {
    /// Cost of each call.
    tokens: u64,
    /// Number of remaining calls.
    calls: usize,
    priority: Priority,
    /// Number of times that the next call is still to be refused, with `verdict`.
    refusals: u32,
    verdict: Verdict,
    /// A closed limiter rejects its calls.
    can_fail: bool,
    /// Number of attempts of the next call that are left, after which its refusal ends it. `None` if it is queued again after each refusal, as
    /// by a user of tickets.
    attempts: Option<u32>,
}

impl Caller {
    const PLAIN: Self = Self {
        tokens: 1,
        calls: 1,
        priority: Priority::Normal,
        refusals: 0,
        verdict: Verdict::RATE_LIMITED,
        can_fail: false,
        attempts: None,
    };
}

/// A time in which the server refuses all calls, since a quota is spent.
#[derive(Debug, Clone, Copy)]
struct Spent {
    from: Duration,
    until: Duration,
    /// The server names the end.
    is_end_known: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    at: Duration,
    process: usize,
    tokens: u64,
}

struct Process {
    id: String,
    scheduler: Scheduler<Caller>,
    step: u64,
    is_disconnected: bool,
    has_ended: bool,
    /// The grant that the server has sent, and its arrival.
    pending_grant: Option<(Duration, LeaseGrant)>,
    /// Calls in flight by the time at which they end.
    in_flight: BTreeMap<(Duration, CallId), (Grant, Caller)>,
}

struct Fleet {
    limits: Limits,
    server: Server,
    processes: Vec<Process>,
    now: Duration,
    /// Latency of the calls.
    call_time: Duration,
    /// Latency of the server's replies.
    lag: Duration,
    tickets: Vec<Ticket>,
    /// The tickets of calls that were sent while the limiter was closed.
    probes: Vec<Ticket>,
    /// Times of refusals that concern all calls, with the number of tickets before.
    refusals: Vec<(Duration, usize)>,
    /// Jitter of all reports, from 0 to 1.
    jitter: f64,
    spent: Option<Spent>,
    outages: Vec<Outage>,
    /// Times and processes of the calls that the server has refused since the quota was spent.
    exhausted: Vec<(Duration, usize)>,
    /// Times and processes of the calls that a closed limiter has rejected.
    rejected: Vec<(Duration, usize)>,
    /// The calls that have ended without a response, except those that the quota has ended.
    ended: Vec<Ended>,
}

impl Process {
    /// Returns when the next report is due.
    fn report_at(&self) -> Option<Duration> {
        if self.pending_grant.is_some() || self.is_disconnected { None } else { self.scheduler.asks_at() }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Limits of `calls` and `tokens` a minute, without a ramp.
fn per_minute(calls: u32, tokens: u64) -> Limits {
    let limits = Limits::per_minute(calls).no_ramp();
    limits.tokens_per_minute(tokens)
}

impl Fleet {
    fn new(limits: Limits, processes: usize) -> Self {
        let mut fleet = Self::empty(limits);
        (0..processes).for_each(|_| fleet.start_process());
        fleet
    }

    /// Creates a single process that does not share its limiter.
    fn alone(limits: Limits) -> Self {
        let mut fleet = Self::empty(limits);
        fleet.start_unshared_process();
        fleet
    }

    fn empty(limits: Limits) -> Self {
        Self {
            limits,
            server: Server::start(),
            processes: Vec::new(),
            now: Duration::ZERO,
            call_time: millis(200),
            lag: millis(1),
            tickets: Vec::new(),
            probes: Vec::new(),
            refusals: Vec::new(),
            jitter: 0.0,
            spent: None,
            outages: Vec::new(),
            exhausted: Vec::new(),
            rejected: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn start_process(&mut self) {
        self.start_unshared_process();
        self.processes.last_mut().unwrap().scheduler.join_fleet(self.now);
    }

    fn start_unshared_process(&mut self) {
        let number = self.processes.len();
        let mut scheduler = Scheduler::new(self.limits, Duration::ZERO, 1);
        scheduler.disable_jitter();
        let process = Process {
            id: format!("{number}"),
            scheduler,
            step: 0,
            is_disconnected: false,
            has_ended: false,
            pending_grant: None,
            in_flight: BTreeMap::new(),
        };
        self.processes.push(process);
    }

    /// Ends a process after its final report.
    fn leave(&mut self, number: usize) {
        let report = self.processes[number].scheduler.report(self.now).unwrap();
        let reply = self.send(number, Intent::Leaves, report);
        assert!(matches!(reply, Reply::Welcome { welcome: false }), "{reply:?}");
        self.kill(number);
    }

    /// Ends a process without a final report. Its queued calls are never sent.
    fn kill(&mut self, number: usize) {
        self.processes[number].has_ended = true;
    }

    /// Disconnects a process, which applies `policy` at once.
    fn disconnect(&mut self, number: usize, policy: OnDisconnect) {
        self.cut_connection(number);
        self.processes[number].scheduler.lose_fleet(self.now, policy);
    }

    /// Disconnects a process, which does not notice yet.
    fn cut_connection(&mut self, number: usize) {
        self.processes[number].pending_grant = None;
        self.processes[number].is_disconnected = true;
    }

    fn reconnect(&mut self, number: usize) {
        self.processes[number].is_disconnected = false;
        self.processes[number].scheduler.join_fleet(self.now);
    }

    /// Starts `callers` callers, which make `calls` calls of `tokens` tokens each.
    fn start_callers(&mut self, process: usize, callers: usize, tokens: u64, calls: usize) {
        (0..callers).for_each(|_| self.start_caller(process, Caller { tokens, calls, ..Caller::PLAIN }));
    }

    fn start_caller(&mut self, process: usize, caller: Caller) {
        let request = Request {
            cost: TokenEstimate::new(caller.tokens, 0),
            priority: caller.priority,
            can_fail: caller.can_fail,
            ..Request::PLAIN
        };
        if let Err(rejected) = self.processes[process].scheduler.enqueue(self.now, &request, caller) {
            assert!(caller.can_fail, "there is no wait limit");
            self.rejected.push((self.now, process));
            self.ended.push(Ended::rejected(self.now, &caller, &rejected));
        }
    }

    fn try_acquire(&mut self, number: usize, tokens: u64) {
        let process = &mut self.processes[number];
        let request = Request { cost: TokenEstimate::new(tokens, 0), ..Request::PLAIN };
        if let Some(grant) = process.scheduler.try_request(self.now, &request) {
            self.tickets.push(Ticket { at: self.now, process: number, tokens });
            let caller = Caller { tokens, ..Caller::PLAIN };
            process.in_flight.insert((self.now + self.call_time, grant.id), (grant, caller));
        } else {
            process.scheduler.missed_try(self.now);
        }
    }

    /// Returns the time of the next event of a process.
    fn next_event(&self, process: &Process) -> Option<Duration> {
        if process.has_ended {
            return None;
        }
        let call_end = process.in_flight.keys().next().map(|(at, _)| *at);
        let grant = process.pending_grant.as_ref().map(|(at, _)| *at);
        let next = [process.scheduler.deadline(), process.report_at(), call_end, grant].into_iter().flatten().min();
        next.map(|next| next.max(self.now))
    }

    /// Handles all events until `end`.
    fn run(&mut self, end: Duration) {
        // More events than any test needs.
        for _ in 0..10_000_000 {
            let next = |(number, process)| self.next_event(process).map(|next| (next, number));
            let Some((at, number)) = self.processes.iter().enumerate().filter_map(next).min() else { break };
            if at > end {
                break;
            }
            self.now = at;
            self.handle_event(number);
        }
        self.now = end;
    }

    fn handle_event(&mut self, number: usize) {
        let now = self.now;
        let process = &mut self.processes[number];
        if let Some((_, grant)) = process.pending_grant.take_if(|(at, _)| *at <= now) {
            process.scheduler.renew(now, &grant);
        } else if process.in_flight.keys().next().is_some_and(|(at, _)| *at <= now) {
            self.end_call(number);
        } else if process.report_at().is_some_and(|at| at <= now) {
            let report = process.scheduler.report(now).unwrap();
            let reply = self.send(number, Intent::Shares, report);
            let Reply::Grant(grant) = reply else { panic!("{reply:?}") };
            self.processes[number].pending_grant = Some((now + self.lag, *grant));
        }
        self.advance(number);
    }

    /// Sends the calls of a process that are due, as the driver of a limiter does.
    fn advance(&mut self, number: usize) {
        let (now, call_end) = (self.now, self.now + self.call_time);
        loop {
            let Process { scheduler, in_flight, .. } = &mut self.processes[number];
            scheduler.advance_to(now);
            let is_closed = scheduler.closed().is_some();
            let issued = |grant: Grant, caller: Caller| {
                let ticket = Ticket { at: now, process: number, tokens: caller.tokens };
                self.tickets.push(ticket);
                self.probes.extend(is_closed.then_some(ticket));
                in_flight.insert((call_end, grant.id), (grant, caller));
            };
            assert!(!scheduler.advance(now, issued), "no probe is set");
            let before = self.rejected.len();
            scheduler.expire(now, |_, rejected, caller| {
                self.rejected.push((now, number));
                self.ended.push(Ended::rejected(now, &caller, &rejected));
            });
            if self.rejected.len() == before {
                break;
            }
        }
    }

    /// Sends a report of a process and applies the grant at once.
    fn refresh(&mut self, number: usize) {
        let now = self.now;
        if let Some((_, grant)) = self.processes[number].pending_grant.take() {
            self.processes[number].scheduler.renew(now, &grant);
        }
        let Some(report) = self.processes[number].scheduler.report(now) else { return };
        let Reply::Grant(grant) = self.send(number, Intent::Shares, report) else { panic!("no other process") };
        self.processes[number].scheduler.renew(now, &grant);
        self.advance(number);
    }

    /// Runs the script for a report of a process and returns its reply.
    fn send(&mut self, number: usize, intent: Intent, mut report: LeaseRequest) -> Reply {
        report.jitter = self.jitter;
        let process = &mut self.processes[number];
        process.step += 1;
        let message = Message { id: &process.id, name: &process.id, step: process.step, intent, report };
        let text = serde_json::to_string(&message).unwrap();
        serde_json::from_str(&self.server.step(self.now, &text)).unwrap()
    }

    /// Returns the number of calls that each process has sent.
    fn calls_by_process<const N: usize>(&self) -> [usize; N] {
        std::array::from_fn(|process| self.tickets.iter().filter(|ticket| ticket.process == process).count())
    }

    /// Returns the maximum number of tokens sent in any minute.
    fn max_tokens_in_a_minute(&self) -> u64 {
        let from = |first: &Ticket| {
            let inside =
                self.tickets.iter().filter(|ticket| ticket.at >= first.at && ticket.at < first.at + seconds(60));
            inside.map(|ticket| ticket.tokens).sum()
        };
        self.tickets.iter().map(from).max().unwrap_or_default()
    }

    /// Returns the maximum number of calls in flight from `begin` on.
    fn max_in_flight_since(&self, begin: Duration) -> usize {
        let in_flight = |at: Duration| {
            self.tickets.iter().filter(|ticket| ticket.at <= at && at < ticket.at + self.call_time).count()
        };
        let tickets = self.tickets.iter().filter(|ticket| ticket.at >= begin);
        tickets.map(|ticket| in_flight(ticket.at)).max().unwrap_or_default()
    }
}
