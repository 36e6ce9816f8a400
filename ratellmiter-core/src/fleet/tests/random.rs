//! Random fleets: each process makes progress, and no limit is exceeded.

use std::thread;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng, seq::IndexedRandom as _};

use super::*;

#[derive(Debug, Clone, Copy)]
struct Callers {
    count: u32,
    tokens: u64,
    priority: Priority,
}

#[derive(Debug)]
struct Mix {
    tokens: u64,
    places: Option<u32>,
    call_time: Duration,
    processes: Vec<Callers>,
}

impl Mix {
    fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tokens = *[6000, 30_000].choose(&mut random).unwrap();
        let places = *[None, Some(1), Some(2), Some(5)].choose(&mut random).unwrap();
        let call_time = *[millis(100), seconds(1), seconds(5)].choose(&mut random).unwrap();
        let processes = (0..random.random_range(2..=5)).map(|_| Callers {
            count: random.random_range(1..=8),
            tokens: *[20, 50, 300, tokens / 7, tokens / 3, tokens / 2, tokens].choose(&mut random).unwrap(),
            priority: *[Priority::High, Priority::Normal, Priority::Normal, Priority::Low].choose(&mut random).unwrap(),
        });
        let processes = processes.collect();
        Self { tokens, places, call_time, processes }
    }

    /// Returns the time in which a single limiter sends one call of each caller, with a margin: a call that does not fit the rest of the
    /// budget waits for up to a minute.
    fn round(&self) -> Duration {
        let calls: u32 = self.processes.iter().map(|callers| callers.count).sum();
        let tokens: u64 = self.processes.iter().map(|callers| u64::from(callers.count) * callers.tokens).sum();
        let places = self.places.map_or(calls, |places| places.min(calls));
        let by_tokens = seconds(60).mul_f64(2.0 * tokens as f64 / self.tokens as f64);
        by_tokens + self.call_time * calls.div_ceil(places) + seconds(180)
    }
}

#[test]
fn random_fleets_progress_within_all_limits() {
    // Longer rounds would take too long to simulate.
    let mixes = (0..60).map(Mix::new).filter(|mix| mix.round() <= seconds(300)).take(10);
    thread::scope(|scope| mixes.for_each(|mix| _ = scope.spawn(move || play(&mix))));
}

fn play(mix: &Mix) {
    let mut limits = per_minute(1200, mix.tokens);
    limits.max_in_flight = mix.places.and_then(NonZeroU32::new);
    let mut fleet = Fleet::new(limits, mix.processes.len());
    fleet.call_time = mix.call_time;
    for (process, callers) in mix.processes.iter().enumerate() {
        let caller = Caller { tokens: callers.tokens, calls: 100_000, priority: callers.priority, ..Caller::PLAIN };
        (0..callers.count).for_each(|_| fleet.start_caller(process, caller));
    }
    fleet.run(mix.round());
    let before = fleet.tickets.len();
    fleet.run(2 * mix.round());
    let got = |process| fleet.tickets[before..].iter().filter(|ticket| ticket.process == process).count();
    let got: Vec<_> = (0..mix.processes.len()).map(got).collect();
    eprintln!("{got:?} in the second round of {mix:?}");
    assert!(got.iter().all(|got| *got > 0), "{got:?} of {mix:?}");
    assert!(fleet.max_tokens_in_a_minute() <= mix.tokens, "{} of {mix:?}", fleet.max_tokens_in_a_minute());
    let max = fleet.max_in_flight_since(Duration::ZERO);
    assert!(mix.places.is_none_or(|places| max <= places as usize), "{max} of {mix:?}");
}
