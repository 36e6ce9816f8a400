//! The limiter in virtual time, where all times are exact.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::future::join_all;
use ratellmiter_core::{Limiter, Limits, Ramp, Ticket};
use tokio::time::{Instant, sleep, timeout};

fn per_minute(calls: u32) -> Limits {
    Limits::per_minute(calls).no_ramp()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets spawned tasks request their tickets, in the order in which they were spawned.
async fn run_spawned_tasks() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn tickets_are_evenly_spaced_in_request_order() {
    let limiter = Limiter::new(per_minute(300));
    let start = Instant::now();
    let order = Mutex::new(Vec::new());
    join_all((0..6).map(|call| {
        let (limiter, order) = (&limiter, &order);
        async move {
            let ticket = limiter.acquire().await;
            order.lock().unwrap().push((call, start.elapsed().as_millis()));
            ticket.finish();
        }
    }))
    .await;
    assert_eq!(order.into_inner().unwrap(), [(0, 0), (1, 200), (2, 400), (3, 600), (4, 800), (5, 1000)]);
}

#[tokio::test(start_paused = true)]
async fn default_ramp_admits_one_two_two_three_three() {
    let limiter = Limiter::new(per_minute(300).ramp(Ramp::DEFAULT));
    let start = Instant::now();
    let mut admitted = [0; 5];
    loop {
        limiter.acquire().await.finish();
        match admitted.get_mut(usize::try_from(start.elapsed().as_secs()).unwrap()) {
            Some(second) => *second += 1,
            None => break,
        }
    }
    assert_eq!(admitted, [1, 2, 2, 3, 3]);
}

/// A future that counts its polls.
struct CountedPolls<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for CountedPolls<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll(context)
    }
}

#[tokio::test(start_paused = true)]
async fn each_ticket_wakes_a_single_task() {
    let limiter = Limiter::new(per_minute(6000));
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000).map(|_| tokio::spawn(CountedPolls(limiter.acquire(), polls.clone()))).collect();
    for task in tasks {
        task.await.unwrap().finish();
    }
    // The first is served at its first poll, the others at their second.
    assert_eq!(polls.load(Ordering::Relaxed), 1 + 999 * 2);
}

#[tokio::test(start_paused = true)]
async fn dropped_waiters_do_not_delay_the_others() {
    let limiter = Limiter::new(per_minute(6000));
    let start = Instant::now();
    let tasks: Vec<_> = (0..1200)
        .map(|_| {
            let acquire = limiter.acquire();
            tokio::spawn(async move { acquire.await.finish() })
        })
        .collect();
    run_spawned_tasks().await;
    tasks.iter().skip(1).step_by(2).for_each(tokio::task::JoinHandle::abort);
    let served = join_all(tasks).await.iter().filter(|result| result.is_ok()).count();
    assert_eq!(served, 600);
    assert_eq!(start.elapsed(), millis(5990));
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn waiters_giving_up_do_not_delay_the_others() {
    let limiter = Limiter::new(per_minute(6000));
    let start = Instant::now();
    let impatient = tokio::spawn({
        let limiter = limiter.clone();
        async move {
            loop {
                // Every 7 ms, 20 new calls, each of which gives up after 13 ms.
                for _ in 0..20 {
                    let acquire = limiter.acquire();
                    tokio::spawn(async move { timeout(millis(13), acquire).await.map(Ticket::cancel) });
                }
                sleep(millis(7)).await;
            }
        }
    });
    let patient = (0..500).map(|_| async { limiter.acquire().await.finish() });
    join_all(patient).await;
    impatient.abort();
    assert_eq!(start.elapsed(), millis(4990), "none of the 500 calls queued first is overtaken");
}

#[tokio::test(start_paused = true)]
async fn dropped_next_waiter_does_not_stall_the_queue() {
    for seed in 0..64_u32 {
        let limiter = Limiter::new(per_minute(600));
        limiter.acquire().await.finish();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let acquire = limiter.acquire();
                tokio::spawn(async move { acquire.await.finish() })
            })
            .collect();
        run_spawned_tasks().await;
        // Just before or just after the first waiter's ticket is issued, it is dropped with some of the others.
        sleep(millis(if seed % 2 == 0 { 99 } else { 100 })).await;
        tasks[0].abort();
        let dropped = (1..8).filter(|task| seed >> (task % 6) & 1 == 1).inspect(|&task| tasks[task].abort()).count();
        let served = timeout(Duration::from_secs(5), join_all(tasks)).await.expect("no waiter is left asleep");
        assert!(served.iter().filter(|result| result.is_ok()).count() >= 7 - dropped);
        assert_eq!(limiter.snapshot().queued, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn unclaimed_ticket_passes_to_the_next_waiter() {
    let limiter = Limiter::new(per_minute(6));
    limiter.acquire().await.finish();
    let mut first = pin!(limiter.acquire());
    let second = limiter.acquire();
    assert!(timeout(Duration::ZERO, first.as_mut()).await.is_err(), "the first call is queued");
    let second = tokio::spawn(second);
    run_spawned_tasks().await;
    let start = Instant::now();
    // The ticket is issued after ten seconds, but its future is not polled.
    sleep(millis(10_500)).await;
    assert_eq!(limiter.snapshot().in_flight, 1);
    first.set(limiter.acquire());
    second.await.unwrap().finish();
    assert_eq!(start.elapsed(), millis(10_500));
}

#[tokio::test(start_paused = true)]
async fn dropped_ticket_frees_in_flight_slot_not_rate() {
    let limiter = Limiter::new(per_minute(60).max_in_flight(1));
    let start = Instant::now();
    let ticket = limiter.acquire().await;
    let next = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire().await }
    });
    sleep(millis(300)).await;
    drop(ticket);
    let next = next.await.unwrap();
    assert_eq!(start.elapsed(), millis(1000));
    next.cancel();
    limiter.acquire().await.finish();
    assert_eq!(start.elapsed(), millis(1000), "a cancelled ticket is refunded");
}

#[tokio::test(start_paused = true)]
async fn new_limits_apply_to_queued_calls() {
    let limiter = Limiter::new(per_minute(1));
    let start = Instant::now();
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(limiter.acquire())).collect();
    sleep(millis(1000)).await;
    limiter.set_limits(per_minute(600));
    for task in waiting {
        task.await.unwrap().finish();
    }
    // The next call is 59/60 of an interval away, which at ten a second is 98 ms; the others follow every 100 ms.
    let elapsed = start.elapsed();
    assert!(elapsed >= millis(1298) && elapsed <= millis(1301), "{elapsed:?}");
    assert_eq!(limiter.limits(), per_minute(600));
}

#[tokio::test(start_paused = true)]
async fn refusal_admits_canary_then_refused_then_new_calls() {
    let limiter = Limiter::new(per_minute(600));
    let start = Instant::now();
    let log = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..6)
        .map(|call| {
            let (limiter, log) = (limiter.clone(), log.clone());
            tokio::spawn(async move {
                let mut ticket = limiter.acquire().await;
                // The server refuses calls 0 and 1 during the first 500 ms.
                while start.elapsed() < millis(500) && call < 2 {
                    sleep(millis(150)).await;
                    ticket = ticket.requeue_after(Some(Duration::from_secs(2))).await;
                }
                log.lock().unwrap().push((call, start.elapsed()));
                sleep(millis(40)).await;
                ticket.finish();
            })
        })
        .collect();
    sleep(millis(500)).await;
    let snapshot = limiter.snapshot();
    assert!(snapshot.paused_until.is_some() && snapshot.rate_per_second.abs() < f64::EPSILON);
    for task in tasks {
        task.await.unwrap();
    }
    let log = log.lock().unwrap();
    // Call 2 may be sent before the refusal arrives at 150 ms; the later calls only after the pause.
    let order: Vec<_> = log.iter().map(|(call, _)| *call).filter(|call| *call < 2).collect();
    assert_eq!(order, [0, 1], "refused calls are retried in order of their first request");
    let canary = log.iter().find(|(call, _)| *call == 0).unwrap().1;
    assert!(canary > millis(2150) && canary < millis(2500), "{log:?}");
    let second = log.iter().find(|(call, _)| *call == 1).unwrap().1;
    assert!(second >= canary + millis(40), "only after the canary has finished: {log:?}");
    let first_new = log.iter().find(|(call, _)| *call >= 2 && log.iter().any(|(_, at)| at > &canary)).unwrap();
    assert!(
        log.iter().filter(|(call, at)| *call > 2 && *at < second).all(|(_, at)| *at < millis(300)),
        "{first_new:?} {log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn probe_repeats_until_it_reports_unblocked() {
    let limiter = Limiter::new(per_minute(600));
    let probes = Arc::new(AtomicUsize::new(0));
    limiter.set_probe({
        let probes = probes.clone();
        move || {
            let probes = probes.clone();
            async move {
                sleep(millis(100)).await;
                match probes.fetch_add(1, Ordering::Relaxed) {
                    0 => true,
                    1 => panic!("a probe that panics counts as blocked"),
                    _ => false,
                }
            }
        }
    });
    let start = Instant::now();
    let refused = limiter.acquire().await.requeue_after(Some(Duration::from_secs(1)));
    refused.await.finish();
    assert_eq!(probes.load(Ordering::Relaxed), 3);
    // Pauses of one second (`Retry-After`), two and three (backoff), each with up to 10 % of jitter, and the probes.
    let elapsed = start.elapsed();
    assert!(elapsed > millis(6300) && elapsed < millis(7000), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn snapshot_reports_queue_and_estimated_drain() {
    let limiter = Limiter::new(per_minute(60));
    let waiting: Vec<_> = (0..11).map(|_| tokio::spawn(limiter.acquire())).collect();
    run_spawned_tasks().await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight, snapshot.paused_until), (10, 1, None));
    assert_eq!(snapshot.estimated_drain, Duration::from_secs(10));
    assert!((snapshot.rate_per_second - 1.0).abs() < 1e-9);
    for task in waiting {
        task.abort();
    }
    run_spawned_tasks().await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.estimated_drain), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn end_of_pause_in_snapshot_is_never_past() {
    let limiter = Limiter::new(per_minute(600));
    let refused = limiter.acquire().await.requeue_after(Some(Duration::from_secs(2)));
    let until = limiter.snapshot().paused_until.unwrap();
    let left = until.saturating_duration_since(Instant::now().into_std());
    assert!((millis(2000)..millis(2600)).contains(&left), "by the clock of the runtime: {left:?}");
    drop(refused);
    for _ in 0..40 {
        sleep(millis(100)).await;
        let snapshot = limiter.snapshot();
        assert!(snapshot.paused_until.is_none_or(|until| until >= Instant::now().into_std()), "{snapshot:?}");
    }
    assert_eq!(limiter.snapshot().paused_until, None, "the next call is sent at once");
}

#[tokio::test(start_paused = true)]
async fn idle_limiter_keeps_no_timer() {
    let limiter = Limiter::new(per_minute(1));
    limiter.acquire().await.finish();
    let waiting = tokio::spawn(limiter.acquire());
    run_spawned_tasks().await;
    waiting.abort();
    run_spawned_tasks().await;
    // A remaining timer of the limiter would stop the paused clock early.
    let start = Instant::now();
    let slept = Arc::new(AtomicBool::new(false));
    tokio::spawn({
        let slept = slept.clone();
        async move {
            sleep(Duration::from_secs(3600)).await;
            slept.store(true, Ordering::Relaxed);
        }
    });
    sleep(Duration::from_secs(3600)).await;
    run_spawned_tasks().await;
    assert!(slept.load(Ordering::Relaxed));
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "the driver has ended");
}

#[test]
fn public_types_are_send_and_sync() {
    fn assert_send_sync<T: Send + Sync>() {}
    assert_send_sync::<Limiter>();
    assert_send_sync::<Ticket>();
    assert_send_sync::<ratellmiter_core::waiting::Acquire>();
    assert_send_sync::<ratellmiter_core::Monitor>();
}
