//! How much of the rate is used, and how full the fullest second is: 50 tasks that always want more, for ten seconds. A
//! ticket's time is when its task was woken; the task itself runs when a thread is free.
//! `cargo bench -p ratellmiter-core --bench pace`

mod support;

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use support::{Governor, LeakyBucket, Ours, Peer, Ticker, fullest_second, runtime};

const TIME: Duration = Duration::from_secs(10);

/// Wakes a task, and notes when.
struct Stamp {
    task: Waker,
    at: Mutex<Option<Instant>>,
}

impl Wake for Stamp {
    fn wake(self: Arc<Self>) {
        *self.at.lock().expect("nothing panics under it") = Some(Instant::now());
        self.task.wake_by_ref();
    }
}

/// A future that tells when it was last woken.
struct Stamped<'a, F>(Pin<&'a mut F>, Option<Arc<Stamp>>);

impl<F: Future<Output = ()>> Future for Stamped<'_, F> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        let stamp = self
            .1
            .get_or_insert_with(|| Arc::new(Stamp { task: context.waker().clone(), at: Mutex::new(None) }))
            .clone();
        let waker = Waker::from(stamp.clone());
        let at = || stamp.at.lock().expect("nothing panics under it").unwrap_or_else(Instant::now);
        self.0.as_mut().poll(&mut Context::from_waker(&waker)).map(|()| at())
    }
}

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
                        let ticket = Stamped(pin!(peer.call()), None).await;
                        times.lock().expect("nothing panics under it").push((ticket, Instant::now()));
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no task panics");
        }
        std::mem::take(&mut *times.lock().expect("nothing panics under it"))
    });
    let (mut tickets, mut tasks): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    tickets.sort_unstable();
    tasks.sort_unstable();
    let took = (*tickets.last().expect("calls") - tickets[0]).as_secs_f64();
    #[allow(clippy::cast_precision_loss)] // Thousands.
    let achieved = (tickets.len() - 1) as f64 / took / f64::from(per_second);
    let (fullest, of_tasks) = (fullest_second(&tickets), fullest_second(&tasks));
    println!("| {per_second} | {} | {achieved:.4} | {fullest} | {of_tasks} |", P::NAME);
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
