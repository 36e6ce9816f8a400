//! The time of an uncontended call, from requesting a ticket to finishing it: `cargo bench -p ratellmiter-core --bench cost`.

mod support;

use std::{num::NonZeroU32, time::Instant};

use ratellmiter_core::{Limiter, Limits};
use support::{Governor, LeakyBucket, Ours, Peer, Ticker, runtime};

const CALLS: u32 = 200_000;
const ROUNDS: usize = 9;

/// Returns the nanoseconds per call, at a rate that is never reached.
fn measure<P: Peer>() -> f64 {
    let runtime = runtime();
    runtime.block_on(async {
        let peer = P::new(50_000_000);
        let start = Instant::now();
        for _ in 0..CALLS {
            peer.call().await;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

/// Returns a limiter of requests, input tokens and output tokens a minute.
fn limiter_with_three_budgets() -> Limiter {
    let tokens = u64::MAX;
    let limits = Limits::per_minute(3_000_000_000).no_ramp();
    Limiter::new(limits.input_tokens_per_minute(tokens).output_tokens_per_minute(tokens))
}

/// Returns the nanoseconds per call with an estimate and, at its end, the usage.
fn measure_budgets() -> f64 {
    let limiter = limiter_with_three_budgets();
    runtime().block_on(async {
        let start = Instant::now();
        for _ in 0..CALLS {
            limiter.acquire_tokens(1000, 500).await.finish_with_usage((900, 100));
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

/// Returns the nanoseconds per admission with an estimate. Finishing is not counted.
fn measure_admission() -> f64 {
    const BATCH: u32 = 1000;
    let limiter = limiter_with_three_budgets();
    runtime().block_on(async {
        let mut time = std::time::Duration::ZERO;
        let mut tickets = Vec::with_capacity(BATCH as usize);
        for _ in 0..CALLS / BATCH {
            let start = Instant::now();
            for _ in 0..BATCH {
                tickets.push(limiter.acquire_tokens(1000, 500).await);
            }
            time += start.elapsed();
            for ticket in tickets.drain(..) {
                ticket.finish_with_usage((900, 100));
            }
        }
        time.as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

/// Returns the nanoseconds per permit of a semaphore with enough permits, so that its ticker is not measured.
fn measure_semaphore() -> f64 {
    let permits = tokio::sync::Semaphore::new(CALLS as usize);
    runtime().block_on(async {
        let start = Instant::now();
        for _ in 0..CALLS {
            permits.acquire().await.expect("the semaphore is never closed").forget();
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

/// Returns the nanoseconds per call of governor with a large burst, because with a burst of 1 it would sleep.
fn measure_governor() -> f64 {
    let limiter = governor::RateLimiter::direct(governor::Quota::per_second(NonZeroU32::MAX));
    runtime().block_on(async {
        let start = Instant::now();
        for _ in 0..CALLS {
            limiter.until_ready().await;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
    })
}

fn main() {
    type Row = (&'static str, fn() -> f64);
    let rows: [Row; 6] = [
        (Ours::NAME, measure::<Ours>),
        ("ratellmiter, three budgets, settled", measure_budgets),
        ("ratellmiter, three budgets, admission only", measure_admission),
        (LeakyBucket::NAME, measure::<LeakyBucket>),
        (Governor::NAME, measure_governor),
        (Ticker::NAME, measure_semaphore),
    ];
    let mut times = rows.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (times, (_, measure)) in times.iter_mut().zip(rows) {
            times.push(measure());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    });
    println!("| one uncontended call | ns | ratio to ratellmiter |\n| --- | --: | --: |");
    for (median, (name, _)) in medians.iter().zip(rows) {
        println!("| {name} | {median:.0} | {:.2} |", median / medians[0]);
    }
}
