//! The rate that remains when waiters are dropped: half of 1,200 at once, others constantly, and the next waiter in the queue
//! when no new calls arrive. `cargo bench -p ratellmiter-core --bench dropping`

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use support::{Governor, LeakyBucket, Ours, Peer, Ticker, runtime};
use tokio::time::{sleep, timeout};

/// Drops half of 1,200 waiters at 200 calls a second and returns the achieved fraction of the rate for the others.
#[allow(clippy::cast_precision_loss)]
async fn half_dropped<P: Peer>() -> f64 {
    let peer = P::new(200);
    let served = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1200).map(|_| spawn_call(&peer, &served)).collect();
    sleep(Duration::from_millis(100)).await;
    let before = served.load(Ordering::Relaxed);
    let start = Instant::now();
    for task in tasks.iter().skip(1).step_by(2) {
        task.abort();
    }
    sleep(Duration::from_millis(2500)).await;
    (served.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64() / 200.0
}

/// Queues 500 calls at 100 a second, with further calls that give up after 13 ms, and returns the achieved fraction of the rate.
#[allow(clippy::cast_precision_loss)]
async fn constant_timeouts<P: Peer>() -> f64 {
    let peer = P::new(100);
    let served = Arc::new(AtomicUsize::new(0));
    for _ in 0..500 {
        spawn_call(&peer, &served);
    }
    let impatient = tokio::spawn({
        let (peer, served) = (peer.clone(), served.clone());
        async move {
            loop {
                for _ in 0..20 {
                    let (peer, served) = (peer.clone(), served.clone());
                    tokio::spawn(async move {
                        if timeout(Duration::from_millis(13), peer.call()).await.is_ok() {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
                sleep(Duration::from_millis(7)).await;
            }
        }
    });
    sleep(Duration::from_millis(100)).await;
    let (before, start) = (served.load(Ordering::Relaxed), Instant::now());
    sleep(Duration::from_secs(4)).await;
    impatient.abort();
    (served.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64() / 100.0
}

/// Drops the first of eight waiters together with some of the others, without new arrivals, and returns the number of rounds
/// out of 40 in which a remaining waiter is never woken.
async fn stalled_rounds<P: Peer>() -> usize {
    let mut stalled = 0;
    for round in 0..40_usize {
        let peer = P::new(50);
        let served = Arc::new(AtomicUsize::new(0));
        peer.call().await;
        let tasks: Vec<_> = (0..8).map(|_| spawn_call(&peer, &served)).collect();
        sleep(Duration::from_millis(5 + round as u64 / 3)).await;
        let dropped = |task: usize| task == 0 || round >> (task % 5) & 1 == 1;
        for (_, task) in tasks.iter().enumerate().filter(|(task, _)| dropped(*task)) {
            task.abort();
        }
        let remaining = tasks.into_iter().enumerate().filter(|(task, _)| !dropped(*task));
        let all = futures::future::join_all(remaining.map(|(_, task)| task));
        stalled += usize::from(timeout(Duration::from_secs(1), all).await.is_err());
    }
    stalled
}

fn spawn_call<P: Peer>(peer: &P, served: &Arc<AtomicUsize>) -> tokio::task::JoinHandle<()> {
    let (peer, served) = (peer.clone(), served.clone());
    tokio::spawn(async move {
        peer.call().await;
        served.fetch_add(1, Ordering::Relaxed);
    })
}

fn measure<P: Peer>() {
    let half = runtime().block_on(half_dropped::<P>());
    let timeouts = runtime().block_on(constant_timeouts::<P>());
    let stalled = runtime().block_on(stalled_rounds::<P>());
    println!("| {} | {half:.3} | {timeouts:.3} | {stalled} |", P::NAME);
}

fn main() {
    println!("| limiter | rate, half of 1,200 dropped | rate, constant timeouts | stalled, of 40 |");
    println!("| --- | --: | --: | --: |");
    measure::<Ours>();
    measure::<LeakyBucket>();
    measure::<Governor>();
    measure::<Ticker>();
}
