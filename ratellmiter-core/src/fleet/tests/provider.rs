//! Fleets whose calls a provider answers, and refuses: the figures are those that `tests/process` asserts of real processes.

use super::{one_limit::most_within, *};
use crate::{
    judge::{LimitKind, Verdict},
    sim::{Provider, RetryAfter, Size},
};

/// Longer than any test: the time of a call that is not answered yet.
const UNANSWERED: Duration = Duration::from_hours(24);

/// A fleet and its provider, which is given the time, the process and the number of the request, and returns the time until
/// its answer and a refusal.
struct Played<P> {
    fleet: Fleet,
    provider: P,
    requests: usize,
    refusals: BTreeMap<(usize, CallId), Verdict>,
    /// The time and the process of each refusal.
    refused: Vec<(Duration, usize)>,
    last_end: Duration,
}

impl<P: FnMut(Duration, usize, usize) -> (Duration, Option<Verdict>)> Played<P> {
    /// Each process makes `calls` calls at `begin`.
    fn new(limits: Limits, processes: usize, begin: Duration, calls: usize, provider: P) -> Self {
        let mut fleet = Fleet::new(limits, processes);
        fleet.call_time = UNANSWERED;
        fleet.run(begin);
        (0..processes).for_each(|process| fleet.calls(process, calls, 1, 1));
        let (refusals, refused) = (BTreeMap::new(), Vec::new());
        Self { fleet, provider, requests: 0, refusals, refused, last_end: Duration::ZERO }
    }

    fn run(&mut self, end: Duration) {
        // More than any test needs.
        for _ in 0..10_000_000 {
            let next = |(number, process)| self.fleet.next(process).map(|next| (next, number));
            let Some((at, number)) = self.fleet.processes.iter().enumerate().filter_map(next).min() else { break };
            if at > end {
                break;
            }
            self.fleet.now = at;
            self.refuse(number);
            self.fleet.happens(number);
            self.answer(number);
        }
        self.fleet.now = end;
    }

    /// Ends a call whose refusal is due.
    fn refuse(&mut self, number: usize) {
        let (now, process) = (self.fleet.now, &mut self.fleet.processes[number]);
        let Some(((at, id), _)) = process.out.first_key_value().filter(|((at, _), _)| *at <= now) else { return };
        self.last_end = *at;
        if let Some(verdict) = self.refusals.remove(&(number, *id)) {
            let (_, (grant, caller)) = process.out.pop_first().unwrap();
            process.scheduler.requeue(now, grant, &verdict, caller);
            self.refused.push((now, number));
        }
    }

    /// Sends the calls that have just got their tickets.
    fn answer(&mut self, number: usize) {
        let now = self.fleet.now;
        let out = &mut self.fleet.processes[number].out;
        for ((at, id), call) in out.split_off(&(UNANSWERED, 0)) {
            assert_eq!(at, now + UNANSWERED);
            let (after, refusal) = (self.provider)(now, number, self.requests);
            self.requests += 1;
            out.insert((now + after, id), call);
            if let Some(refusal) = refusal {
                self.refusals.insert((number, id), refusal);
            }
        }
    }
}

/// A simulated provider; its time begins with the first request.
fn simulated(mut provider: Provider) -> impl FnMut(Duration, usize, usize) -> (Duration, Option<Verdict>) {
    let mut first = None;
    move |now, _, _| {
        let answer = provider.call(now - *first.get_or_insert(now), Size::default());
        (answer.after(), answer.verdict())
    }
}

/// Returns the refusals a call, after each of `processes` has made `calls` calls.
fn refusals<P>(played: &Played<P>, calls: usize) -> f64 {
    let done = played.requests - played.refused.len();
    assert_eq!(done, calls, "each call is answered once");
    played.refused.len() as f64 / calls as f64
}

#[test]
fn provider_accepts_the_whole_limit_from_a_fleet_and_refuses_hardly_any() {
    for processes in [4, 8] {
        let provider =
            Provider::new(3).bucket(3000, seconds(1)).latency(millis(200), 0.3, 0.0).retry_after(RetryAfter::Exact);
        let limits = Limits::per_minute(3000).no_ramp();
        let mut played = Played::new(limits, processes, millis(2500), 1000 / processes, simulated(provider));
        played.run(seconds(90));
        let (tickets, refusals) = (&played.fleet.tickets, refusals(&played, 1000));
        let time = (tickets.last().unwrap().at - tickets[0].at).as_secs_f64();
        let speed = (tickets.len() - 1) as f64 / time;
        let most = most_within(seconds(10), tickets);
        eprintln!(
            "{processes} processes: {speed:.2} of 50 a second, {refusals:.4} refusals a call, {most} within 10 s"
        );
        assert!(speed >= 49.0 && refusals <= 0.02, "{speed} {refusals}");
        assert!(most <= 505, "{most}");
    }
}

/// Scenario G of the league, with one shared limiter in place of four.
#[test]
fn four_sharing_processes_are_as_quick_as_one_and_hardly_refused() {
    let provider = Provider::new(7)
        .bucket(300, seconds(1))
        .latency(millis(2500), 0.6, 0.0)
        .refused_after(millis(100))
        .retry_after(RetryAfter::Seconds);
    let limits = Limits::per_minute(300);
    let mut played = Played::new(limits, 4, Duration::ZERO, 125, simulated(provider));
    played.run(seconds(300));
    let refusals = refusals(&played, 500);
    let time = played.last_end - played.fleet.tickets[0].at;
    let minute = most_within(seconds(60), &played.fleet.tickets);
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
    let mut played = Played::new(limits, 4, millis(2500), 150, provider);
    played.run(seconds(60));
    assert!(refusals(&played, 600) > 0.0);
    let (refused, tickets) = (played.refused[0].0, &played.fleet.tickets);
    let after = |time: Duration| tickets.iter().filter(move |ticket| ticket.at > time);
    let canary = after(refused + seconds(1)).next().unwrap();
    // A period after the refusal all of them know.
    let known = refused + millis(300);
    eprintln!("the canary goes {:?} after the refusal", canary.at - refused);
    assert!(after(known).next().unwrap().at == canary.at, "no call is sent in the pause");
    assert!((millis(1500)..millis(2300)).contains(&(canary.at - refused)), "{:?}", canary.at - refused);
    assert_eq!(canary.process, 0, "the refused call is the canary");
    let next = after(canary.at).next().unwrap().at;
    assert!(next >= canary.at + millis(400), "it is sent alone until it ends, {:?}", next - canary.at);
    assert_eq!(after(canary.at - millis(1)).filter(|ticket| ticket.at == canary.at).count(), 1);
}
