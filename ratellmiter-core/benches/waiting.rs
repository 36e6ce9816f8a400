//! What it costs that many wait: heap beyond the task, processor time, wakes, order, and the rate that is kept, at 100
//! tickets a second. `cargo bench -p ratellmiter-core --bench waiting`

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
use support::{Governor, LeakyBucket, Ours, Peer, Ticker, cpu, runtime};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PER_SECOND: u32 = 100;
const TIME: Duration = Duration::from_secs(10);

fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// Counts the polls of a future.
struct Counted<F>(Pin<Box<F>>, Arc<AtomicU64>);

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.as_mut().poll(context)
    }
}

/// What a task costs that only waits.
#[allow(clippy::cast_precision_loss)] // Bytes of one task.
fn bare_task(tasks: usize) -> f64 {
    let runtime = runtime();
    let before = heap();
    (0..tasks).for_each(|_| drop(runtime.spawn(pending::<()>())));
    (heap() - before) as f64 / tasks as f64
}

/// Heap of each waiter, the task included.
#[allow(clippy::cast_precision_loss)]
fn bytes<P: Peer>(tasks: usize) -> f64 {
    let runtime = runtime();
    let peer = runtime.block_on(async { P::new(1) });
    let asked = Arc::new(AtomicU64::new(0));
    let before = heap();
    for _ in 0..tasks {
        let (peer, asked) = (peer.clone(), asked.clone());
        runtime.spawn(async move {
            // Counted before the wait: all are in the line, or nearly, when the count is full.
            asked.fetch_add(1, Ordering::Relaxed);
            peer.call().await;
        });
    }
    while asked.load(Ordering::Relaxed) < tasks as u64 {
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
    // One thread spawns, in order, and one at a time asks: the order of asking is known.
    runtime.block_on(async {
        for number in 0..tasks {
            let (peer, served) = (peer.clone(), served.clone());
            let mut call = Counted(
                Box::pin(async move {
                    peer.call().await;
                    served.lock().expect("nothing panics under it").push(number);
                }),
                polls.clone(),
            );
            // Asks here and now, and waits in its task.
            if futures::poll!(&mut call).is_pending() {
                tokio::spawn(call);
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    });
    polls.store(0, Ordering::Relaxed);
    let (before, cpu_before, start) = (served.lock().expect("nobody panics").len(), cpu(), Instant::now());
    runtime.block_on(async { tokio::time::sleep(TIME).await });
    let used = cpu().saturating_sub(cpu_before);
    let served = std::mem::take(&mut *served.lock().expect("nobody panics"));
    let count = served.len() - before;
    let out_of_order = served.windows(2).filter(|pair| pair[0] > pair[1]).count();
    let rate = count as f64 / start.elapsed().as_secs_f64() / f64::from(PER_SECOND);
    let polled = polls.load(Ordering::Relaxed) as f64 / count.max(1) as f64;
    println!(
        "| {tasks} | {} | {heap:.0} | {:.1} | {polled:.1} | {out_of_order} | {rate:.3} |",
        P::NAME,
        used.as_secs_f64() * 1e3 / TIME.as_secs_f64(),
    );
    drop(runtime);
}

fn main() {
    let bare = bare_task(100_000);
    println!("A task that only waits has {bare:.0} bytes of heap.\n");
    println!(
        "| waiting | limiter | heap beyond the task, bytes | CPU, ms a second | polls a ticket | out of order | rate kept |"
    );
    println!("| --: | --- | --: | --: | --: | --: | --: |");
    for tasks in [100_000, 1_000_000] {
        measure::<Ours>(tasks, bare);
        measure::<LeakyBucket>(tasks, bare);
        measure::<Ticker>(tasks, bare);
    }
    measure::<Governor>(100_000, bare);
}
