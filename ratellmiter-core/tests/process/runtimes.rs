//! Without a runtime, under several, and when one ends: real threads, real time, and no assertion on how long it takes
//! but a bound that only a hang exceeds.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use futures::future::join_all;
use ratellmiter_core::{Limiter, Limits};
use tokio::runtime::{Builder, Runtime};

/// Fast enough that no test takes long, slow enough that everybody but the first waits.
fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(6000).no_ramp())
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs `body` on a thread and fails if it hangs.
fn within<T: Send + 'static>(time: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(body()));
    match receiver.recv_timeout(time) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("somebody was left asleep"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn plain_threads_are_paced_in_order() {
    within(LONG, || {
        // A tenth of a second apart, so that a busy machine does not mix them up after their tickets.
        let limiter = Limiter::new(Limits::per_minute(600).no_ramp());
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (theirs, served) = (limiter.clone(), order.clone());
                let thread = thread::spawn(move || {
                    let ticket = theirs.blocking_acquire();
                    served.lock().unwrap().push(number);
                    ticket.finish();
                });
                // Each is in the line, or served, before the next begins.
                while limiter.snapshot().queued + order.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
                thread
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(start.elapsed() >= Duration::from_millis(699), "never early");
        assert!(order.lock().unwrap().iter().copied().eq(0..8), "first come, first served");
    });
}

#[test]
fn one_limiter_under_one_runtime_after_another() {
    within(LONG, || {
        let limiter = limiter();
        for _ in 0..5 {
            let runtime = one_thread();
            runtime.block_on(join_all((0..3).map(|_| async { limiter.acquire().await.finish() })));
            // Somebody waits when the runtime ends.
            runtime.spawn(limiter.acquire());
            runtime.block_on(tokio::task::yield_now());
        }
        assert_eq!(limiter.snapshot().queued, 0);
    });
}

#[test]
fn one_limiter_under_several_runtimes_and_threads_at_once() {
    within(LONG, || {
        let limiter = limiter();
        let served = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let (limiter, served) = (limiter.clone(), served.clone());
                thread::spawn(move || {
                    let admit = || async {
                        limiter.acquire().await.finish();
                        served.fetch_add(1, Ordering::Relaxed);
                    };
                    match number % 3 {
                        0 => drop(one_thread().block_on(join_all((0..10).map(|_| admit())))),
                        1 => drop(two_threads().block_on(join_all((0..10).map(|_| admit())))),
                        _ => (0..10).for_each(|_| {
                            limiter.blocking_acquire().finish();
                            served.fetch_add(1, Ordering::Relaxed);
                        }),
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(served.load(Ordering::Relaxed), 60);
        assert_eq!((limiter.snapshot().queued, limiter.snapshot().in_flight), (0, 0));
    });
}

#[test]
fn when_the_drivers_runtime_ends_another_takes_over() {
    within(LONG, || {
        // One call each 300 ms, so that the driver sleeps when its runtime ends.
        let limiter = Limiter::new(Limits::per_minute(200).no_ramp());
        limiter.try_acquire().unwrap().finish();
        let first = one_thread();
        first.spawn(limiter.acquire());
        first.block_on(tokio::task::yield_now());
        let other = two_threads();
        let waiting = other.spawn(limiter.acquire());
        while limiter.snapshot().queued < 2 {
            thread::yield_now();
        }
        drop(first);
        other.block_on(waiting).unwrap().finish();
    });
}

#[test]
fn a_runtime_with_many_waiters_ends_soon() {
    within(LONG, || {
        let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
        let runtime = two_threads();
        (0..100_000).for_each(|_| drop(runtime.spawn(limiter.acquire())));
        while limiter.snapshot().queued < 99_990 {
            thread::sleep(Duration::from_millis(5));
        }
        // Each that is dropped leaves the line; none of them makes all others look.
        drop(runtime);
        assert_eq!(limiter.snapshot().queued, 0);
    });
}

#[test]
fn a_blocked_thread_is_not_left_to_a_task_that_it_blocks() {
    within(LONG, || {
        let limiter = limiter();
        let runtime = one_thread();
        limiter.try_acquire().unwrap().finish();
        let waiting = runtime.spawn(limiter.acquire());
        runtime.block_on(async {
            tokio::task::yield_now().await;
            // The driver is a task on this thread, which is blocked now.
            (0..3).for_each(|_| limiter.blocking_acquire().finish());
        });
        runtime.block_on(waiting).unwrap().finish();
    });
}

#[test]
fn without_any_runtime_futures_are_paced_too() {
    within(LONG, || {
        let limiter = limiter();
        futures::executor::block_on(join_all((0..10).map(|_| async { limiter.acquire().await.finish() })));
    });
}

#[test]
fn a_runtime_without_timers_will_do() {
    within(LONG, || {
        let limiter = limiter();
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(join_all((0..10).map(|_| async { limiter.acquire().await.finish() })));
    });
}

#[test]
fn a_probe_without_a_runtime_gets_one() {
    within(LONG, || {
        let limiter = limiter();
        limiter.set_probe(|| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            false
        });
        limiter.blocking_acquire().requeue_after(Some(Duration::from_millis(5))).wait().finish();
    });
}

#[test]
fn a_storm_of_cancellations_leaves_nothing_behind() {
    within(LONG, || {
        let limiter = limiter();
        let runtime = two_threads();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..400_u64)
                .map(|number| {
                    let limiter = limiter.clone();
                    tokio::spawn(async move {
                        let call = async {
                            let ticket = limiter.acquire().await;
                            tokio::time::sleep(Duration::from_micros(number * 37 % 3000)).await;
                            if number % 7 == 0 {
                                drop(ticket.requeue_after(Some(Duration::from_millis(3))).await);
                            } else {
                                ticket.finish();
                            }
                        };
                        let _ = tokio::time::timeout(Duration::from_micros(number * 7919 % 300_000), call).await;
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                if number % 3 == 0 {
                    task.abort();
                }
                let _ = task.await;
            }
            let snapshot = limiter.snapshot();
            assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
            join_all((0..20).map(|_| async { limiter.acquire().await.finish() })).await;
        });
    });
}
