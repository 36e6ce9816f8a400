//! What is left of the rate when waiters give up: half of 1,200 dropped at once, constant giving-up, and the next in
//! line dropped when nobody new comes. `cargo bench -p ratellmiter-core --bench dropping`

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

/// Half of 1,200 are dropped while they wait; how fast the others are served, at 200 a second.
#[allow(clippy::cast_precision_loss)]
async fn half_dropped<P: Peer>() -> f64 {
    let peer = P::new(200);
    let served = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1200).map(|_| spawn_call(&peer, &served)).collect();
    sleep(Duration::from_millis(100)).await;
    let before = served.load(Ordering::Relaxed);
    let start = Instant::now();
    tasks.iter().skip(1).step_by(2).for_each(tokio::task::JoinHandle::abort);
    sleep(Duration::from_millis(2500)).await;
    (served.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64() / 200.0
}

/// 500 wait with patience while others come and give up after 13 ms; how fast any are served, at 100 a second.
#[allow(clippy::cast_precision_loss)]
async fn giving_up<P: Peer>() -> f64 {
    let peer = P::new(100);
    let served = Arc::new(AtomicUsize::new(0));
    (0..500).for_each(|_| drop(spawn_call(&peer, &served)));
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

/// Eight wait; the first and some of the rest are dropped in one go, and nobody new comes. In how many of 40 rounds
/// somebody stays asleep.
async fn left_asleep<P: Peer>() -> usize {
    let mut asleep = 0;
    for round in 0..40_usize {
        let peer = P::new(50);
        let served = Arc::new(AtomicUsize::new(0));
        peer.call().await;
        let tasks: Vec<_> = (0..8).map(|_| spawn_call(&peer, &served)).collect();
        sleep(Duration::from_millis(5 + round as u64 / 3)).await;
        let dropped = |task: usize| task == 0 || round >> (task % 5) & 1 == 1;
        tasks.iter().enumerate().filter(|(task, _)| dropped(*task)).for_each(|(_, task)| task.abort());
        let left = tasks.into_iter().enumerate().filter(|(task, _)| !dropped(*task));
        let all = futures::future::join_all(left.map(|(_, task)| task));
        asleep += usize::from(timeout(Duration::from_secs(1), all).await.is_err());
    }
    asleep
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
    let giving_up = runtime().block_on(giving_up::<P>());
    let asleep = runtime().block_on(left_asleep::<P>());
    println!("| {} | {half:.3} | {giving_up:.3} | {asleep} |", P::NAME);
}

fn main() {
    println!("| limiter | rate, half of 1,200 dropped | rate, constant giving-up | left asleep, of 40 |");
    println!("| --- | --: | --: | --: |");
    measure::<Ours>();
    measure::<LeakyBucket>();
    measure::<Governor>();
    measure::<Ticker>();
}
