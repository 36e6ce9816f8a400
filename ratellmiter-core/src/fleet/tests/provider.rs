//! Fleets with a simulated provider. `tests/process` asserts the same figures for real processes.

use super::{one_limit::max_within, *};
use crate::{
    judge::{LimitKind, Verdict},
    sim::{Provider, RetryAfter, Size},
};

/// Latency of a call whose response is not known yet: longer than any test.
const UNANSWERED: Duration = Duration::from_hours(24);

/// A fleet and its provider, a function of the time, the process and the number of the request. It returns the latency of the response,
/// and a refusal.
struct Simulation<P> {
    fleet: Fleet,
    provider: P,
    requests: usize,
    refusals: BTreeMap<(usize, CallId), Verdict>,
    /// The time and the process of each refusal.
    refused: Vec<(Duration, usize)>,
    last_end: Duration,
}

impl<P: FnMut(Duration, usize, usize) -> (Duration, Option<Verdict>)> Simulation<P> {
    /// Starts `processes`, each of which makes `calls` calls at `begin`.
    fn new(limits: Limits, processes: usize, begin: Duration, calls: usize, provider: P) -> Self {
        let mut fleet = Fleet::new(limits, processes);
        fleet.call_time = UNANSWERED;
        fleet.run(begin);
        (0..processes).for_each(|process| fleet.start_callers(process, calls, 1, 1));
        let (refusals, refused) = (BTreeMap::new(), Vec::new());
        Self { fleet, provider, requests: 0, refusals, refused, last_end: Duration::ZERO }
    }

    fn run(&mut self, end: Duration) {
        // More events than any test needs.
        for _ in 0..10_000_000 {
            let next = |(number, process)| self.fleet.next_event(process).map(|next| (next, number));
            let Some((at, number)) = self.fleet.processes.iter().enumerate().filter_map(next).min() else { break };
            if at > end {
                break;
            }
            self.fleet.now = at;
            self.refuse(number);
            self.fleet.handle_event(number);
            self.send(number);
        }
        self.fleet.now = end;
    }

    /// Refuses a call whose refusal is due.
    fn refuse(&mut self, number: usize) {
        let (now, process) = (self.fleet.now, &mut self.fleet.processes[number]);
        let Some(((at, id), _)) = process.in_flight.first_key_value().filter(|((at, _), _)| *at <= now) else { return };
        self.last_end = *at;
        if let Some(verdict) = self.refusals.remove(&(number, *id)) {
            let (_, (grant, caller)) = process.in_flight.pop_first().unwrap();
            process.scheduler.requeue(now, grant, &verdict, caller);
            self.refused.push((now, number));
        }
    }

    /// Sends the calls with new tickets to the provider.
    fn send(&mut self, number: usize) {
        let now = self.fleet.now;
        let in_flight = &mut self.fleet.processes[number].in_flight;
        for ((at, id), call) in in_flight.split_off(&(UNANSWERED, 0)) {
            assert_eq!(at, now + UNANSWERED);
            let (latency, refusal) = (self.provider)(now, number, self.requests);
            self.requests += 1;
            in_flight.insert((now + latency, id), call);
            if let Some(refusal) = refusal {
                self.refusals.insert((number, id), refusal);
            }
        }
    }
}

/// Wraps a simulated provider, whose clock starts at the first request.
fn simulated(mut provider: Provider) -> impl FnMut(Duration, usize, usize) -> (Duration, Option<Verdict>) {
    let mut first = None;
    move |now, _, _| {
        let response = provider.call(now - *first.get_or_insert(now), Size::default());
        (response.after(), response.verdict())
    }
}

/// Returns the number of refusals per call, after all of `calls` calls have ended.
fn refusals<P>(simulation: &Simulation<P>, calls: usize) -> f64 {
    let done = simulation.requests - simulation.refused.len();
    assert_eq!(done, calls, "each call is answered once");
    simulation.refused.len() as f64 / calls as f64
}

#[test]
fn fleet_uses_the_whole_limit_with_few_refusals() {
    for processes in [4, 8] {
        let provider =
            Provider::new(3).bucket(3000, seconds(1)).latency(millis(200), 0.3, 0.0).retry_after(RetryAfter::Exact);
        let limits = Limits::per_minute(3000).no_ramp();
        let mut simulation = Simulation::new(limits, processes, millis(2500), 1000 / processes, simulated(provider));
        simulation.run(seconds(90));
        let (tickets, refusals) = (&simulation.fleet.tickets, refusals(&simulation, 1000));
        let time = (tickets.last().unwrap().at - tickets[0].at).as_secs_f64();
        let speed = (tickets.len() - 1) as f64 / time;
        let most = max_within(seconds(10), tickets);
        eprintln!(
            "{processes} processes: {speed:.2} of 50 a second, {refusals:.4} refusals a call, {most} within 10 s"
        );
        assert!(speed >= 49.0 && refusals <= 0.02, "{speed} {refusals}");
        assert!(most <= 505, "{most}");
    }
}

/// Scenario G of the league, with one shared limiter instead of four.
#[test]
fn four_processes_are_as_fast_as_one() {
    let provider = Provider::new(7)
        .bucket(300, seconds(1))
        .latency(millis(2500), 0.6, 0.0)
        .refused_after(millis(100))
        .retry_after(RetryAfter::Seconds);
    let limits = Limits::per_minute(300);
    let mut simulation = Simulation::new(limits, 4, Duration::ZERO, 125, simulated(provider));
    simulation.run(seconds(300));
    let refusals = refusals(&simulation, 500);
    let time = simulation.last_end - simulation.fleet.tickets[0].at;
    let minute = max_within(seconds(60), &simulation.fleet.tickets);
    eprintln!("the last call ends after {time:?}; {refusals:.4} refusals a call; {minute} within a minute");
    assert!(time <= seconds(112), "{time:?}");
    assert!(refusals <= 0.02, "{refusals}");
    assert!(minute <= 300, "{minute}");
}

#[test]
fn refused_call_pauses_all_processes_and_is_their_canary() {
    let retry_after = Some(millis(1500));
    let mut sent = 0;
    // The fortieth call of the first process is refused once.
    let provider = |_, process, _| {
        sent += usize::from(process == 0);
        let refused = process == 0 && sent == 40;
        (millis(400), refused.then_some(Verdict::RateLimited { retry_after, limit: LimitKind::Unknown }))
    };
    let limits = Limits::per_minute(3000).no_ramp();
    let mut simulation = Simulation::new(limits, 4, millis(2500), 150, provider);
    simulation.run(seconds(60));
    assert!(refusals(&simulation, 600) > 0.0);
    let (refused, tickets) = (simulation.refused[0].0, &simulation.fleet.tickets);
    let after = |time: Duration| tickets.iter().filter(move |ticket| ticket.at > time);
    let canary = after(refused + seconds(1)).next().unwrap();
    // One period after the refusal, all processes know of it.
    let known = refused + millis(300);
    eprintln!("the canary is sent {:?} after the refusal", canary.at - refused);
    assert!(after(known).next().unwrap().at == canary.at, "no call is sent in the pause");
    assert!((millis(1500)..millis(2300)).contains(&(canary.at - refused)), "{:?}", canary.at - refused);
    assert_eq!(canary.process, 0, "the refused call is the canary");
    let next = after(canary.at).next().unwrap().at;
    assert!(next >= canary.at + millis(400), "it is sent alone until it ends, {:?}", next - canary.at);
    assert_eq!(after(canary.at - millis(1)).filter(|ticket| ticket.at == canary.at).count(), 1);
}
