//! The achieved rate and the largest number of calls in any second, with 50 tasks that make calls continuously for ten seconds.
//! A ticket's time is that of its task's wake-up; the task itself runs when a thread is free.
//! `cargo bench -p ratellmiter-core --bench pace`

mod support;

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use support::{Governor, LeakyBucket, Ours, Peer, Ticker, fullest_second, runtime};

const RUN_TIME: Duration = Duration::from_secs(10);

/// A waker that wakes `task` and records the time.
struct TimedWaker {
    task: Waker,
    woken_at: Mutex<Option<Instant>>,
}

impl Wake for TimedWaker {
    fn wake(self: Arc<Self>) {
        *self.woken_at.lock().expect("the lock is not poisoned") = Some(Instant::now());
        self.task.wake_by_ref();
    }
}

/// A future that returns the time of its last wake-up.
struct Timed<'a, F>(Pin<&'a mut F>, Option<Arc<TimedWaker>>);

impl<F: Future<Output = ()>> Future for Timed<'_, F> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        let timed_waker = self
            .1
            .get_or_insert_with(|| Arc::new(TimedWaker { task: context.waker().clone(), woken_at: Mutex::new(None) }))
            .clone();
        let waker = Waker::from(timed_waker.clone());
        let woken_at = || timed_waker.woken_at.lock().expect("the lock is not poisoned").unwrap_or_else(Instant::now);
        self.0.as_mut().poll(&mut Context::from_waker(&waker)).map(|()| woken_at())
    }
}

fn measure<P: Peer>(per_second: u32) {
    let runtime = runtime();
    let times = runtime.block_on(async {
        let peer = P::new(per_second);
        let times = Arc::new(Mutex::new(Vec::new()));
        let end = Instant::now() + RUN_TIME;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (peer, times) = (peer.clone(), times.clone());
                tokio::spawn(async move {
                    while Instant::now() < end {
                        let ticket = Timed(pin!(peer.call()), None).await;
                        times.lock().expect("the lock is not poisoned").push((ticket, Instant::now()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        std::mem::take(&mut *times.lock().expect("the lock is not poisoned"))
    });
    let (mut tickets, mut tasks): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    tickets.sort_unstable();
    tasks.sort_unstable();
    let elapsed = (*tickets.last().expect("at least one call") - tickets[0]).as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // Only thousands of calls.
    let achieved = (tickets.len() - 1) as f64 / elapsed / f64::from(per_second);
    let (fullest_of_tickets, fullest_of_tasks) = (fullest_second(&tickets), fullest_second(&tasks));
    println!("| {per_second} | {} | {achieved:.4} | {fullest_of_tickets} | {fullest_of_tasks} |", P::NAME);
}

fn main() {
    println!("| calls a second | limiter | achieved / configured | fullest second, tickets | fullest second, tasks |");
    println!("| --: | --- | --: | --: | --: |");
    for per_second in [100, 1000] {
        measure::<Ours>(per_second);
        measure::<LeakyBucket>(per_second);
        measure::<Governor>(per_second);
        measure::<Ticker>(per_second);
    }
}
