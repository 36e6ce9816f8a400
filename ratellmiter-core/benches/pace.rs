//! How much of the rate is used, and how full the fullest second is: 50 tasks that always want more, for ten seconds.
//! `cargo bench -p ratellmiter-core --bench pace`

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use support::{Governor, LeakyBucket, Ours, Peer, Ticker, fullest_second, runtime};

const TIME: Duration = Duration::from_secs(10);

fn measure<P: Peer>(per_second: u32) {
    let runtime = runtime();
    let times = runtime.block_on(async {
        let peer = P::new(per_second);
        let times = Arc::new(Mutex::new(Vec::new()));
        let end = Instant::now() + TIME;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (peer, times) = (peer.clone(), times.clone());
                tokio::spawn(async move {
                    while Instant::now() < end {
                        peer.call().await;
                        times.lock().expect("nothing panics under it").push(Instant::now());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        std::mem::take(&mut *times.lock().expect("nothing panics under it"))
    });
    let mut times = times;
    times.sort_unstable();
    let took = (*times.last().expect("calls") - times[0]).as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // Thousands.
    let achieved = (times.len() - 1) as f64 / took / f64::from(per_second);
    let fullest = fullest_second(&times);
    println!("| {per_second} | {} | {achieved:.4} | {fullest} |", P::NAME);
}

fn main() {
    println!(
        "| calls a second | limiter | achieved / configured | fullest sliding second |\n| --: | --- | --: | --: |"
    );
    for per_second in [100, 1000] {
        measure::<Ours>(per_second);
        measure::<LeakyBucket>(per_second);
        measure::<Governor>(per_second);
        measure::<Ticker>(per_second);
    }
}
