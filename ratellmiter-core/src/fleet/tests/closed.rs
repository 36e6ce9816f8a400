//! Closed limiters: a spent quota in one process closes the whole fleet.

use super::*;
use crate::{engine::lease::PERIOD, limits::on_exhausted::OnExhausted, log::row::ClosedReason};

const CAN_FAIL: Caller = Caller { can_fail: true, ..Caller::PLAIN };
const TWO_HOURS: Duration = Duration::from_hours(2);

impl Fleet {
    /// Returns the reason and the end of the closed state of each process, or `None` for an open one.
    fn closed(&self) -> Vec<Option<(ClosedReason, Option<Duration>)>> {
        let closed = |process: &Process| process.scheduler.closed().map(|closed| (closed.reason, closed.opens_at));
        self.processes.iter().map(closed).collect()
    }

    /// Runs until `end`, and starts a call in each of `processes` once every `gap`.
    fn run_with_calls(&mut self, end: Duration, gap: Duration, processes: &[usize], caller: Caller) {
        while self.now < end {
            self.run(self.now + gap);
            for &process in processes {
                self.start_caller(process, caller);
                self.advance(process);
            }
        }
    }

    /// Runs until `is_reached`, and returns the time.
    fn run_until(&mut self, is_reached: impl Fn(&Self) -> bool) -> Duration {
        for _ in 0..100_000 {
            if is_reached(self) {
                break;
            }
            self.run(self.now + millis(1));
        }
        assert!(is_reached(self), "not reached until {:?}", self.now);
        self.now
    }

    fn sent_between(&self, begin: Duration, end: Duration) -> Vec<Ticket> {
        self.tickets.iter().filter(|ticket| ticket.at >= begin && ticket.at < end).copied().collect()
    }
}

fn all_are_open(fleet: &Fleet) -> bool {
    fleet.closed().iter().all(Option::is_none)
}

fn all_are_closed(fleet: &Fleet) -> bool {
    fleet.closed().iter().all(Option::is_some)
}

/// Returns three processes whose quota is spent at ten seconds, at the time at which all are closed.
fn closed_fleet(limits: Limits, caller: Caller, spent_for: Duration, is_end_known: bool) -> Fleet {
    let mut fleet = Fleet::new(limits, 3);
    let from = seconds(10);
    fleet.spent = Some(Spent { from, until: from + spent_for, is_end_known });
    for process in 0..3 {
        (0..5).for_each(|_| fleet.start_caller(process, Caller { calls: 1000, ..caller }));
    }
    fleet.run(from);
    fleet.run_until(all_are_closed);
    fleet
}

#[test]
fn spent_quota_closes_all_processes_within_a_period() {
    let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), CAN_FAIL, TWO_HOURS, true);
    let first = fleet.exhausted[0].0;
    let late = fleet.now - first;
    let after = fleet.tickets.iter().filter(|ticket| ticket.at > first).count();
    eprintln!("closed {late:?} after the first refusal; {after} calls sent after it");
    assert!(late <= PERIOD + millis(5), "{late:?}");
    assert!(after <= 3, "{after}");
    let ends: Vec<Duration> = fleet
        .closed()
        .iter()
        .map(|closed| {
            let (reason, end) = closed.unwrap();
            assert_eq!(reason, ClosedReason::Quota);
            end.unwrap()
        })
        .collect();
    let end = seconds(10) + TWO_HOURS;
    assert!(ends.iter().all(|at| at.abs_diff(end) <= millis(5)), "{ends:?}");
    assert!(fleet.processes.iter().all(|process| process.scheduler.queue_length() == 0), "all were rejected");
    let (sent, rejected) = (fleet.tickets.len(), fleet.rejected.len());
    fleet.run_with_calls(fleet.now + seconds(60), millis(100), &[0, 1, 2], CAN_FAIL);
    assert_eq!(fleet.tickets.len(), sent);
    assert!(fleet.rejected.len() >= rejected + 1800, "{}", fleet.rejected.len());
}

#[test]
fn one_accepted_probe_opens_all_processes() {
    let spent = seconds(200);
    for (kills_prober, active) in [(false, &[0, 1, 2][..]), (true, &[0, 1, 2]), (false, &[0]), (false, &[2])] {
        let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), CAN_FAIL, spent, false);
        // Calls that were sent before end.
        fleet.run(fleet.now + seconds(1));
        fleet.call_time = seconds(2);
        let (closed, mut active) = (fleet.now, active.to_vec());
        if kills_prober {
            let prober = fleet.exhausted[0].1;
            fleet.kill(prober);
            active.retain(|process| *process != prober);
            fleet.run(fleet.now + seconds(4));
        }
        let open = seconds(10) + spent;
        fleet.run_with_calls(open + seconds(10), millis(100), &active, CAN_FAIL);
        let probes = fleet.sent_between(closed, open + seconds(90));
        assert!(probes.windows(2).all(|pair| pair[1].at - pair[0].at >= seconds(60)), "{probes:?}");
        assert!((2..=3).contains(&probes.len()), "{probes:?}");
        fleet.run_with_calls(open + seconds(90), millis(100), &active, CAN_FAIL);
        let probes = fleet.sent_between(closed, open + seconds(90));
        let accepted = probes.iter().find(|ticket| ticket.at >= open).unwrap().at + fleet.call_time;
        let before = probes.iter().filter(|ticket| ticket.at < accepted).count();
        eprintln!("{before} probes, the last accepted at {accepted:?}, active {active:?}");
        assert!(probes[..before].windows(2).all(|pair| pair[1].at - pair[0].at >= seconds(60)), "{probes:?}");
        let canary = &probes[before];
        let delay = canary.at - accepted;
        assert!(delay <= millis(150) && active.contains(&canary.process), "{delay:?}");
        let next = probes[before + 1].at;
        // It counts as accepted after a second.
        assert!(next >= canary.at + seconds(1), "the canary is sent alone");
        assert!(fleet.processes.iter().all(|process| process.has_ended || process.scheduler.closed().is_none()));
    }
}

#[test]
fn accepted_probe_opens_the_others_within_a_period() {
    let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), CAN_FAIL, seconds(30), false);
    while !fleet.processes.iter().any(|process| process.scheduler.closed().is_none()) {
        fleet.run_with_calls(fleet.now + millis(20), millis(20), &[0, 1, 2], CAN_FAIL);
    }
    let first = fleet.now;
    fleet.run_with_calls(first + PERIOD + millis(10), millis(20), &[0, 1, 2], CAN_FAIL);
    assert!(all_are_open(fleet), "{:?}", fleet.closed());
}

#[test]
fn calls_that_cannot_fail_are_sent_one_at_a_time_in_the_fleet() {
    for (lag, call_time, min_gap) in [(1, 200, 995), (150, 200, 995), (20, 2500, 2500)] {
        let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), Caller::PLAIN, TWO_HOURS, true);
        fleet.run(fleet.now + seconds(2));
        (fleet.lag, fleet.call_time) = (millis(lag), millis(call_time));
        let begin = fleet.now;
        // A refused call ends, so others are needed.
        fleet.run_with_calls(begin + seconds(60), seconds(1), &[0, 1, 2], Caller::PLAIN);
        let sent = fleet.sent_between(begin + seconds(3), begin + seconds(60));
        let by_process: [usize; 3] =
            std::array::from_fn(|process| sent.iter().filter(|ticket| ticket.process == process).count());
        eprintln!("{} calls in 57 s of {call_time} ms, by process {by_process:?}, lag {lag} ms", sent.len());
        assert!(sent.windows(2).all(|pair| pair[1].at - pair[0].at >= millis(min_gap)), "{sent:?}");
        assert!(by_process.iter().all(|calls| *calls >= sent.len() / 4), "{by_process:?}");
        assert!(sent.len() >= 15, "{}", sent.len());
    }
}

#[test]
fn all_processes_open_at_the_known_end() {
    let limits = Limits::per_minute(600).no_ramp().on_exhausted(OnExhausted::Wait);
    let fleet = &mut closed_fleet(limits, CAN_FAIL, seconds(300), true);
    fleet.run(fleet.now + seconds(1));
    let (closed, end) = (fleet.now, seconds(310));
    fleet.run(end - seconds(1));
    let opened = fleet.run_until(all_are_open);
    assert!(opened.abs_diff(end) <= millis(5), "{opened:?}");
    fleet.run(end + seconds(60));
    let sent = fleet.sent_between(closed, end + seconds(60));
    let (canary, next) = (sent[0], sent[1]);
    eprintln!("canary {:?} after the end, {} calls in a minute", canary.at - end, sent.len());
    assert!(canary.at >= end && canary.at <= end + millis(50), "{canary:?}");
    assert!(next.at >= canary.at + fleet.call_time, "the canary is sent alone");
    assert!(sent.len() >= 550, "{}", sent.len());
}

#[test]
fn unavailable_server_closes_all_processes() {
    let mut fleet = Fleet::new(Limits::per_minute(600).no_ramp().give_up_after(seconds(20)), 3);
    for process in 0..3 {
        (0..3).for_each(|_| fleet.start_caller(process, Caller { refusals: 1000, ..CAN_FAIL }));
    }
    let closed = fleet.run_until(all_are_closed);
    eprintln!("closed after {closed:?}");
    let reasons: Vec<_> = fleet.closed().iter().map(|closed| closed.unwrap().0).collect();
    assert_eq!(reasons, [ClosedReason::Unavailable; 3]);
}

#[test]
fn fleet_that_never_accepts_is_given_up_after_two_minutes() {
    let mut fleet = Fleet::new(Limits::per_minute(600).no_ramp(), 3);
    for process in 0..3 {
        (0..3).for_each(|_| fleet.start_caller(process, Caller { refusals: 1000, ..CAN_FAIL }));
    }
    fleet.run(seconds(119));
    assert!(all_are_open(&fleet));
    fleet.run(seconds(150));
    let reasons: Vec<_> = fleet.closed().iter().map(|closed| closed.unwrap().0).collect();
    assert_eq!(reasons, [ClosedReason::Unavailable; 3]);
}

#[test]
fn accepted_call_of_another_process_delays_giving_up() {
    let mut fleet = Fleet::new(Limits::per_minute(600).no_ramp(), 3);
    fleet.run(seconds(1));
    fleet.start_callers(0, 1, 1, 1);
    fleet.run(seconds(3));
    for process in 1..3 {
        (0..3).for_each(|_| fleet.start_caller(process, Caller { refusals: 1000, ..CAN_FAIL }));
    }
    fleet.run(seconds(890));
    assert!(all_are_open(&fleet), "{:?}", fleet.closed());
    fleet.run(seconds(1000));
    assert!(all_are_closed(&fleet), "{:?}", fleet.closed());
}

#[test]
fn disconnected_process_probes_alone() {
    let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), CAN_FAIL, seconds(100), false);
    let other = (fleet.exhausted[0].1 + 1) % 3;
    fleet.run(fleet.now + seconds(1));
    fleet.disconnect(other, OnDisconnect::Degrade);
    fleet.run_with_calls(seconds(180), millis(100), &[other], CAN_FAIL);
    assert!(fleet.processes[other].scheduler.closed().is_none());
    assert_eq!(fleet.closed().iter().filter(|closed| closed.is_some()).count(), 2);
    // Its acceptance opens the fleet once it is back.
    fleet.reconnect(other);
    fleet.run(fleet.now + seconds(3));
    assert!(all_are_open(fleet), "{:?}", fleet.closed());
}

#[test]
fn lost_document_is_closed_again() {
    let fleet = &mut closed_fleet(Limits::per_minute(600).no_ramp(), CAN_FAIL, TWO_HOURS, true);
    fleet.run(fleet.now + seconds(1));
    fleet.server.clear();
    let sent = fleet.tickets.len();
    fleet.run_with_calls(fleet.now + seconds(30), millis(100), &[0, 1, 2], CAN_FAIL);
    assert_eq!(fleet.tickets.len(), sent);
    let ends: Vec<_> = fleet.closed().iter().map(|closed| closed.unwrap().1.unwrap()).collect();
    assert!(ends.iter().all(|end| end.abs_diff(seconds(10) + TWO_HOURS) <= millis(20)), "{ends:?}");
}

#[test]
fn accepted_calls_are_known_in_other_processes() {
    let mut fleet = Fleet::new(Limits::per_minute(600).no_ramp(), 2);
    fleet.run(seconds(1));
    fleet.start_callers(0, 1, 1, 1);
    fleet.run(seconds(4));
    let accepted = |fleet: &mut Fleet, process: usize| {
        let report = fleet.processes[process].scheduler.report(fleet.now).unwrap();
        let Reply::Grant(grant) = fleet.send(process, Intent::Shares, report) else { panic!("no other limits") };
        grant.accepted.map(|age| fleet.now - Duration::from_secs_f64(age / 1e6))
    };
    let end = fleet.tickets[0].at + fleet.call_time;
    assert!(accepted(&mut fleet, 1).unwrap().abs_diff(end) <= millis(1));
    assert_eq!(accepted(&mut fleet, 0), None, "its own");
}
