//! The cost of many waiters at 100 tickets a second: heap beyond the task, CPU time, polls, order, and the achieved rate.
//! `cargo bench -p ratellmiter-core --bench waiting`

mod support;

use std::{
    alloc::System,
    future::pending,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{Governor, LeakyBucket, Ours, Peer, Ticker, cpu_time, runtime};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PER_SECOND: u32 = 100;
const RUN_TIME: Duration = Duration::from_secs(10);

/// Returns the number of bytes currently allocated.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// A future that counts its polls.
struct CountedPolls<F>(Pin<Box<F>>, Arc<AtomicU64>);

impl<F: Future> Future for CountedPolls<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(context)
    }
}

/// Returns the heap of a task that only waits, in bytes.
#[allow(clippy::cast_precision_loss)] // Bytes of one task.
fn bare_task(tasks: usize) -> f64 {
    let runtime = runtime();
    let before = heap();
    for _ in 0..tasks {
        runtime.spawn(pending::<()>());
    }
    (heap() - before) as f64 / tasks as f64
}

/// Returns the heap of a waiter with its task, in bytes.
#[allow(clippy::cast_precision_loss)]
fn bytes<P: Peer>(tasks: usize) -> f64 {
    let runtime = runtime();
    let peer = runtime.block_on(async { P::new(1) });
    let started = Arc::new(AtomicU64::new(0));
    let before = heap();
    for _ in 0..tasks {
        let (peer, started) = (peer.clone(), started.clone());
        runtime.spawn(async move {
            // Counted just before the wait, so that at the full count nearly all calls are queued.
            started.fetch_add(1, Ordering::Relaxed);
            peer.call().await;
        });
    }
    while started.load(Ordering::Relaxed) < tasks as u64 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    let bytes = (heap() - before) as f64 / tasks as f64;
    drop(runtime);
    bytes
}

#[allow(clippy::cast_precision_loss)]
fn measure<P: Peer>(tasks: usize, bare: f64) {
    let heap = bytes::<P>(tasks) - bare;
    let runtime = runtime();
    let peer = runtime.block_on(async { P::new(PER_SECOND) });
    let polls = Arc::new(AtomicU64::new(0));
    let served = Arc::new(Mutex::new(Vec::new()));
    // A single thread polls the calls for the first time one after the other, so their order is known.
    runtime.block_on(async {
        for number in 0..tasks {
            let (peer, served) = (peer.clone(), served.clone());
            let mut call = CountedPolls(
                Box::pin(async move {
                    peer.call().await;
                    served.lock().expect("the lock is not poisoned").push(number);
                }),
                polls.clone(),
            );
            // Requests its ticket here and waits for it in a task.
            if futures::poll!(&mut call).is_pending() {
                tokio::spawn(call);
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    });
    polls.store(0, Ordering::Relaxed);
    let (before, cpu_before, start) =
        (served.lock().expect("the lock is not poisoned").len(), cpu_time(), Instant::now());
    runtime.block_on(async { tokio::time::sleep(RUN_TIME).await });
    let cpu_used = cpu_time().saturating_sub(cpu_before);
    let served = std::mem::take(&mut *served.lock().expect("the lock is not poisoned"));
    let count = served.len() - before;
    let out_of_order = served.windows(2).filter(|pair| pair[0] > pair[1]).count();
    let rate = count as f64 / start.elapsed().as_secs_f64() / f64::from(PER_SECOND);
    let polled = polls.load(Ordering::Relaxed) as f64 / count.max(1) as f64;
    println!(
        "| {tasks} | {} | {heap:.0} | {:.1} | {polled:.1} | {out_of_order} | {rate:.3} |",
        P::NAME,
        cpu_used.as_secs_f64() * 1e3 / RUN_TIME.as_secs_f64(),
    );
    drop(runtime);
}

fn main() {
    let bare = bare_task(100_000);
    println!("A task that only waits uses {bare:.0} bytes of heap.\n");
    println!(
        "| waiting | limiter | heap beyond the task, bytes | CPU, ms a second | polls per ticket | out of order | achieved rate |"
    );
    println!("| --: | --- | --: | --: | --: | --: | --: |");
    for tasks in [100_000, 1_000_000] {
        measure::<Ours>(tasks, bare);
        measure::<LeakyBucket>(tasks, bare);
        measure::<Ticker>(tasks, bare);
    }
    measure::<Governor>(100_000, bare);
}
