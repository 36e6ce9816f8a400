//! Whole fleets in virtual time: the limiters themselves, and the script on a [server](server) that is given the time.

// A time that would be negative fails the test, as it should; the counts are small.
#![allow(clippy::unchecked_time_subtraction, clippy::cast_precision_loss)]

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use server::Server;

use crate::{
    engine::{
        lease::{LeaseGrant, LeaseRequest},
        scheduler::{CallId, Grant, Request, Scheduler},
    },
    fleet::connection::{Intent, Message, Reply},
    judge::Verdict,
    limits::{Limits, cost::TokenEstimate, on_disconnect::OnDisconnect, request::Priority},
    providers::usage::Usage,
};

mod adapting;
mod any_mix;
mod churn;
mod equality;
mod large_calls;
mod one_limit;
mod outage;
mod parts;
mod places;
#[cfg(feature = "sim")]
mod provider;
mod ramp;
mod retuned;
mod server;
mod slow;

/// Makes one call after the other.
#[derive(Debug, Clone, Copy)]
struct Caller {
    /// What each of its calls costs, and how many it has still to make.
    tokens: u64,
    calls: usize,
    priority: Priority,
    /// How many times its next call is still to be refused, and with which verdict.
    refusals: u32,
    verdict: Verdict,
}

impl Caller {
    const PLAIN: Self =
        Self { tokens: 1, calls: 1, priority: Priority::Normal, refusals: 0, verdict: Verdict::RATE_LIMITED };
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
    /// It does not reach the server.
    is_lost: bool,
    has_ended: bool,
    /// On its way.
    answer: Option<(Duration, LeaseGrant)>,
    out: BTreeMap<(Duration, CallId), (Grant, Caller)>,
}

struct Fleet {
    limits: Limits,
    server: Server,
    processes: Vec<Process>,
    now: Duration,
    /// Calls are out for so long.
    call_time: Duration,
    /// An answer takes so long.
    lag: Duration,
    tickets: Vec<Ticket>,
    /// Times at which calls were refused.
    refusals: Vec<Duration>,
    /// From 0 to 1, in all reports.
    jitter: f64,
}

impl Process {
    /// When it asks the server.
    fn asks_at(&self) -> Option<Duration> {
        if self.answer.is_some() || self.is_lost { None } else { self.scheduler.asks_at() }
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many calls and tokens a minute, and no ramp.
fn per_minute(calls: u32, tokens: u64) -> Limits {
    let limits = Limits::per_minute(NonZeroU32::new(calls).unwrap()).no_ramp();
    limits.tokens_per_minute(NonZeroU64::new(tokens).unwrap())
}

impl Fleet {
    fn new(limits: Limits, processes: usize) -> Self {
        let mut fleet = Self::empty(limits);
        (0..processes).for_each(|_| fleet.starts());
        fleet
    }

    /// One process that shares its limiter with no other.
    fn alone(limits: Limits) -> Self {
        let mut fleet = Self::empty(limits);
        fleet.starts_alone();
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
            refusals: Vec::new(),
            jitter: 0.0,
        }
    }

    /// One more process.
    fn starts(&mut self) {
        self.starts_alone();
        self.processes.last_mut().unwrap().scheduler.join_fleet(self.now);
    }

    fn starts_alone(&mut self) {
        let number = self.processes.len();
        let mut scheduler = Scheduler::new(self.limits, Duration::ZERO, 1);
        scheduler.disable_jitter();
        let process = Process {
            id: format!("{number}"),
            scheduler,
            step: 0,
            is_lost: false,
            has_ended: false,
            answer: None,
            out: BTreeMap::new(),
        };
        self.processes.push(process);
    }

    /// A process ends, and says so.
    fn leaves(&mut self, number: usize) {
        let report = self.processes[number].scheduler.report(self.now).unwrap();
        let reply = self.tells(number, Intent::Leaves, report);
        assert!(matches!(reply, Reply::Welcome { welcome: false }), "{reply:?}");
        self.ends(number);
    }

    /// A process is no more, and nobody is told; its calls that wait are none any more.
    fn ends(&mut self, number: usize) {
        self.processes[number].has_ended = true;
    }

    /// A process sees that the server is out of reach.
    fn loses(&mut self, number: usize, policy: OnDisconnect) {
        let process = &mut self.processes[number];
        process.answer = None;
        process.is_lost = true;
        process.scheduler.lose_fleet(self.now, policy);
    }

    /// The server is out of reach, and nobody sees it yet.
    fn hears_nothing(&mut self, number: usize) {
        self.processes[number].answer = None;
        self.processes[number].is_lost = true;
    }

    /// It sees that the server is back.
    fn rejoins(&mut self, number: usize) {
        self.processes[number].is_lost = false;
        self.processes[number].scheduler.join_fleet(self.now);
    }

    /// The server is empty.
    fn forgets(&mut self) {
        self.server.clear();
    }

    /// So many at once begin to make so many calls each.
    fn calls(&mut self, process: usize, callers: usize, tokens: u64, calls: usize) {
        (0..callers).for_each(|_| self.asks(process, Caller { tokens, calls, ..Caller::PLAIN }));
    }

    fn asks(&mut self, process: usize, caller: Caller) {
        let wish = Request { cost: TokenEstimate::new(caller.tokens, 0), priority: caller.priority, ..Request::PLAIN };
        self.processes[process].scheduler.enqueue(self.now, &wish, caller).expect("nothing bounds its wait");
    }

    /// A call goes at once, or not at all.
    fn tries(&mut self, number: usize, tokens: u64) {
        let process = &mut self.processes[number];
        let wish = Request { cost: TokenEstimate::new(tokens, 0), ..Request::PLAIN };
        if let Some(grant) = process.scheduler.try_request(self.now, &wish) {
            self.tickets.push(Ticket { at: self.now, process: number, tokens });
            process.out.insert((self.now + self.call_time, grant.id), (grant, Caller { tokens, ..Caller::PLAIN }));
        } else {
            process.scheduler.missed_try(self.now);
        }
    }

    /// When something happens next in a process.
    fn next(&self, process: &Process) -> Option<Duration> {
        if process.has_ended {
            return None;
        }
        let asks = process.asks_at();
        let ends = process.out.keys().next().map(|(at, _)| *at);
        let answer = process.answer.as_ref().map(|(at, _)| *at);
        let next = [process.scheduler.deadline(), asks, ends, answer].into_iter().flatten().min();
        next.map(|next| next.max(self.now))
    }

    /// Until then, or until nothing happens any more.
    fn run(&mut self, end: Duration) {
        // More than any test needs.
        for _ in 0..10_000_000 {
            let next = |(number, process)| self.next(process).map(|next| (next, number));
            let Some((at, number)) = self.processes.iter().enumerate().filter_map(next).min() else { break };
            if at > end {
                break;
            }
            self.now = at;
            self.happens(number);
        }
        self.now = end;
    }

    fn happens(&mut self, number: usize) {
        let now = self.now;
        let process = &mut self.processes[number];
        if let Some((_, answer)) = process.answer.take_if(|(at, _)| *at <= now) {
            process.scheduler.renew(now, &answer);
        } else if process.out.keys().next().is_some_and(|(at, _)| *at <= now) {
            let (_, (grant, caller)) = process.out.pop_first().unwrap();
            if caller.refusals > 0 {
                let again = Caller { refusals: caller.refusals - 1, ..caller };
                process.scheduler.requeue(now, grant, &caller.verdict, again);
                self.refusals.push(now);
                return self.advances(number);
            }
            assert!(process.scheduler.finish(now, grant, false, Some(Usage::new(caller.tokens, 0))));
            if caller.calls > 1 {
                self.asks(number, Caller { calls: caller.calls - 1, ..caller });
            }
        } else if process.asks_at().is_some_and(|at| at <= now) {
            let report = process.scheduler.report(now).unwrap();
            let answer = self.tells(number, Intent::Shares, report);
            let Reply::Grant(answer) = answer else { panic!("{answer:?}") };
            self.processes[number].answer = Some((now + self.lag, *answer));
        }
        self.advances(number);
    }

    fn advances(&mut self, number: usize) {
        let (now, ends) = (self.now, self.now + self.call_time);
        let Process { scheduler, out, .. } = &mut self.processes[number];
        let issued = |grant: Grant, caller: Caller| {
            self.tickets.push(Ticket { at: now, process: number, tokens: caller.tokens });
            out.insert((ends, grant.id), (grant, caller));
        };
        assert!(!scheduler.advance(now, issued), "no probe is set");
    }

    /// A process asks the server once more and takes over its answer.
    fn refreshes(&mut self, number: usize) {
        let now = self.now;
        if let Some((_, answer)) = self.processes[number].answer.take() {
            self.processes[number].scheduler.renew(now, &answer);
        }
        let Some(report) = self.processes[number].scheduler.report(now) else { return };
        let Reply::Grant(answer) = self.tells(number, Intent::Shares, report) else { panic!("no other process") };
        self.processes[number].scheduler.renew(now, &answer);
        self.advances(number);
    }

    fn tells(&mut self, number: usize, intent: Intent, mut report: LeaseRequest) -> Reply {
        report.jitter = self.jitter;
        let process = &mut self.processes[number];
        process.step += 1;
        let message = Message { id: &process.id, name: &process.id, step: process.step, intent, report };
        let text = serde_json::to_string(&message).unwrap();
        serde_json::from_str(&self.server.step(self.now, &text)).unwrap()
    }

    /// How many calls each process got.
    fn calls_of_each<const N: usize>(&self) -> [usize; N] {
        std::array::from_fn(|process| self.tickets.iter().filter(|ticket| ticket.process == process).count())
    }

    /// The most that went within any minute, in tokens.
    fn most_in_a_minute(&self) -> u64 {
        let from = |first: &Ticket| {
            let inside =
                self.tickets.iter().filter(|ticket| ticket.at >= first.at && ticket.at < first.at + seconds(60));
            inside.map(|ticket| ticket.tokens).sum()
        };
        self.tickets.iter().map(from).max().unwrap_or_default()
    }

    /// The most calls that were out at once when one went, from then on.
    fn most_out(&self, begin: Duration) -> usize {
        let out = |at: Duration| {
            self.tickets.iter().filter(|ticket| ticket.at <= at && at < ticket.at + self.call_time).count()
        };
        let tickets = self.tickets.iter().filter(|ticket| ticket.at >= begin);
        tickets.map(|ticket| out(ticket.at)).max().unwrap_or_default()
    }
}
