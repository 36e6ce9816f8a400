//! Fleets of any kind: nobody stands still, and no limit is broken.

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

    /// How long it takes until all have had a turn, one call each, as one limiter alone may need it: what is larger than what is
    /// left waits for a minute.
    fn turn(&self) -> Duration {
        let calls: u32 = self.processes.iter().map(|callers| callers.count).sum();
        let tokens: u64 = self.processes.iter().map(|callers| u64::from(callers.count) * callers.tokens).sum();
        let places = self.places.map_or(calls, |places| places.min(calls));
        let by_tokens = seconds(60).mul_f64(2.0 * tokens as f64 / self.tokens as f64);
        by_tokens + self.call_time * calls.div_ceil(places) + seconds(180)
    }
}

#[test]
fn nobody_stands_still_and_no_limit_is_broken() {
    // Longer ones take longer here, too.
    let mixes = (0..60).map(Mix::new).filter(|mix| mix.turn() <= seconds(300)).take(10);
    thread::scope(|scope| mixes.for_each(|mix| _ = scope.spawn(move || play(&mix))));
}

fn play(mix: &Mix) {
    let mut limits = per_minute(1200, mix.tokens);
    limits.max_in_flight = mix.places.and_then(NonZeroU32::new);
    let mut fleet = Fleet::new(limits, mix.processes.len());
    fleet.call_time = mix.call_time;
    for (process, callers) in mix.processes.iter().enumerate() {
        let caller = Caller { tokens: callers.tokens, calls: 100_000, priority: callers.priority, ..Caller::PLAIN };
        (0..callers.count).for_each(|_| fleet.asks(process, caller));
    }
    fleet.run(mix.turn());
    let before = fleet.tickets.len();
    fleet.run(2 * mix.turn());
    let got = |process| fleet.tickets[before..].iter().filter(|ticket| ticket.process == process).count();
    let got: Vec<_> = (0..mix.processes.len()).map(got).collect();
    eprintln!("{got:?} in the second turn of {mix:?}");
    assert!(got.iter().all(|got| *got > 0), "{got:?} of {mix:?}");
    assert!(fleet.most_in_a_minute() <= mix.tokens, "{} of {mix:?}", fleet.most_in_a_minute());
    let most = fleet.most_out(Duration::ZERO);
    assert!(mix.places.is_none_or(|places| most <= places as usize), "{most} of {mix:?}");
}
