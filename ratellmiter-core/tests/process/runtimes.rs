//! A limiter without a runtime, under several runtimes, and after a runtime ended, with real threads and time. The tests
//! assert no durations except a timeout that only a hang exceeds.

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

/// Returns a limiter fast enough for quick tests and slow enough that all calls but the first wait.
fn limiter() -> Limiter {
    Limiter::new(Limits::per_minute(6000).no_ramp())
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs `body` on a thread and panics if it takes longer than `timeout`.
fn within<T: Send + 'static>(timeout: Duration, body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || sender.send(body()));
    match receiver.recv_timeout(timeout) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a waiter was never woken"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

const HANG_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn threads_are_paced_in_order() {
    within(HANG_TIMEOUT, || {
        // Tickets are 100 ms apart, so that a busy machine does not reorder the threads after their tickets.
        let limiter = Limiter::new(Limits::per_minute(600).no_ramp());
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (thread_limiter, served) = (limiter.clone(), order.clone());
                let thread = thread::spawn(move || {
                    let ticket = thread_limiter.blocking_acquire();
                    served.lock().unwrap().push(number);
                    ticket.finish();
                });
                // Each thread is queued or served before the next one starts.
                while limiter.snapshot().queued + order.lock().unwrap().len() <= number {
                    thread::yield_now();
                }
                thread
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(start.elapsed() >= Duration::from_millis(699), "never early");
        assert!(order.lock().unwrap().iter().copied().eq(0..8), "first in, first out");
    });
}

#[test]
fn limiter_works_under_successive_runtimes() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        for _ in 0..5 {
            let runtime = one_thread();
            runtime.block_on(join_all((0..3).map(|_| async { limiter.acquire().await.finish() })));
            // A call is still queued when the runtime ends.
            runtime.spawn(limiter.acquire());
            runtime.block_on(tokio::task::yield_now());
        }
        assert_eq!(limiter.snapshot().queued, 0);
    });
}

#[test]
fn limiter_serves_runtimes_and_threads_at_once() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        let served = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let (limiter, served) = (limiter.clone(), served.clone());
                thread::spawn(move || {
                    let acquire = || async {
                        limiter.acquire().await.finish();
                        served.fetch_add(1, Ordering::Relaxed);
                    };
                    match number % 3 {
                        0 => drop(one_thread().block_on(join_all((0..10).map(|_| acquire())))),
                        1 => drop(two_threads().block_on(join_all((0..10).map(|_| acquire())))),
                        _ => {
                            for _ in 0..10 {
                                limiter.blocking_acquire().finish();
                                served.fetch_add(1, Ordering::Relaxed);
                            }
                        }
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
fn another_runtime_takes_over_an_ended_driver() {
    within(HANG_TIMEOUT, || {
        // One call every 300 ms, so that the driver is asleep when its runtime ends.
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
fn runtime_with_many_waiters_shuts_down_quickly() {
    within(HANG_TIMEOUT, || {
        let limiter = Limiter::new(Limits::per_minute(60).no_ramp());
        let runtime = two_threads();
        for _ in 0..100_000 {
            runtime.spawn(limiter.acquire());
        }
        while limiter.snapshot().queued < 99_990 {
            thread::sleep(Duration::from_millis(5));
        }
        // Each dropped waiter leaves the queue without waking the others.
        drop(runtime);
        assert_eq!(limiter.snapshot().queued, 0);
    });
}

#[test]
fn blocked_thread_does_not_rely_on_its_task() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        let runtime = one_thread();
        limiter.try_acquire().unwrap().finish();
        let waiting = runtime.spawn(limiter.acquire());
        runtime.block_on(async {
            tokio::task::yield_now().await;
            // The driver is a task on this thread, which is blocked now.
            for _ in 0..3 {
                limiter.blocking_acquire().finish();
            }
        });
        runtime.block_on(waiting).unwrap().finish();
    });
}

#[test]
fn futures_are_paced_without_a_runtime() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        futures::executor::block_on(join_all((0..10).map(|_| async { limiter.acquire().await.finish() })));
    });
}

#[test]
fn futures_are_paced_without_tokio_timers() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(join_all((0..10).map(|_| async { limiter.acquire().await.finish() })));
    });
}

#[test]
fn probe_without_a_runtime_can_sleep() {
    within(HANG_TIMEOUT, || {
        let limiter = limiter();
        limiter.set_probe(|| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            false
        });
        limiter.blocking_acquire().requeue_after(Some(Duration::from_millis(5))).wait().finish();
    });
}

#[test]
fn random_cancellations_leave_limiter_empty() {
    within(HANG_TIMEOUT, || {
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
