//! The limiter in virtual time: every time is exact.

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

/// Lets the tasks that were spawned ask, in the order in which they were.
async fn settle() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn tickets_come_evenly_in_the_order_of_asking() {
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
async fn the_default_ramp_is_one_two_two_three_three() {
    let limiter = Limiter::new(per_minute(300).ramp(Ramp::DEFAULT));
    let start = Instant::now();
    let mut carried = [0; 5];
    loop {
        limiter.acquire().await.finish();
        match carried.get_mut(usize::try_from(start.elapsed().as_secs()).unwrap()) {
            Some(second) => *second += 1,
            None => break,
        }
    }
    assert_eq!(carried, [1, 2, 2, 3, 3]);
}

/// Counts how often a future is polled.
struct Counted<F>(F, Arc<AtomicUsize>);

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll(context)
    }
}

#[tokio::test(start_paused = true)]
async fn one_wake_a_ticket_however_many_wait() {
    let limiter = Limiter::new(per_minute(6000));
    let polls = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..1000).map(|_| tokio::spawn(Counted(limiter.acquire(), polls.clone()))).collect();
    for task in tasks {
        task.await.unwrap().finish();
    }
    // The first is served at its first poll, the others at their second.
    assert_eq!(polls.load(Ordering::Relaxed), 1 + 999 * 2);
}

#[tokio::test(start_paused = true)]
async fn half_of_1200_dropped_costs_the_others_nothing() {
    let limiter = Limiter::new(per_minute(6000));
    let start = Instant::now();
    let tasks: Vec<_> = (0..1200)
        .map(|_| {
            let admit = limiter.acquire();
            tokio::spawn(async move { admit.await.finish() })
        })
        .collect();
    settle().await;
    tasks.iter().skip(1).step_by(2).for_each(tokio::task::JoinHandle::abort);
    let served = join_all(tasks).await.iter().filter(|result| result.is_ok()).count();
    assert_eq!(served, 600);
    assert_eq!(start.elapsed(), millis(5990));
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn constant_giving_up_costs_the_others_nothing() {
    let limiter = Limiter::new(per_minute(6000));
    let start = Instant::now();
    let impatient = tokio::spawn({
        let limiter = limiter.clone();
        async move {
            loop {
                // 20 more each 7 ms, and each gives up after 13.
                for _ in 0..20 {
                    let admit = limiter.acquire();
                    tokio::spawn(async move { timeout(millis(13), admit).await.map(Ticket::cancel) });
                }
                sleep(millis(7)).await;
            }
        }
    });
    let patient = (0..500).map(|_| async { limiter.acquire().await.finish() });
    join_all(patient).await;
    impatient.abort();
    assert_eq!(start.elapsed(), millis(4990), "the line of 500 was there first and none of it is overtaken");
}

#[tokio::test(start_paused = true)]
async fn when_the_next_in_line_is_dropped_the_others_do_not_stay_asleep() {
    for seed in 0..64_u32 {
        let limiter = Limiter::new(per_minute(600));
        limiter.acquire().await.finish();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let admit = limiter.acquire();
                tokio::spawn(async move { admit.await.finish() })
            })
            .collect();
        settle().await;
        // The first is about to be issued, or just was; and whichever others.
        sleep(millis(if seed % 2 == 0 { 99 } else { 100 })).await;
        tasks[0].abort();
        let dropped = (1..8).filter(|task| seed >> (task % 6) & 1 == 1).inspect(|&task| tasks[task].abort()).count();
        let served = timeout(Duration::from_secs(5), join_all(tasks)).await.expect("nobody is left asleep");
        assert!(served.iter().filter(|result| result.is_ok()).count() >= 7 - dropped);
        assert_eq!(limiter.snapshot().queued, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ticket_issued_to_one_who_leaves_goes_to_the_next_at_once() {
    let limiter = Limiter::new(per_minute(6));
    limiter.acquire().await.finish();
    let mut first = pin!(limiter.acquire());
    let second = limiter.acquire();
    assert!(timeout(Duration::ZERO, first.as_mut()).await.is_err(), "it waits");
    let second = tokio::spawn(second);
    settle().await;
    let start = Instant::now();
    // Issued after ten seconds, but nobody comes for it.
    sleep(millis(10_500)).await;
    assert_eq!(limiter.snapshot().in_flight, 1);
    first.set(limiter.acquire());
    second.await.unwrap().finish();
    assert_eq!(start.elapsed(), millis(10_500));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_ticket_frees_its_place_in_flight_but_not_its_part_of_the_rate() {
    let limiter = Limiter::new(per_minute(60).max_in_flight(1));
    let start = Instant::now();
    let held = limiter.acquire().await;
    let next = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire().await }
    });
    sleep(millis(300)).await;
    drop(held);
    let next = next.await.unwrap();
    assert_eq!(start.elapsed(), millis(1000));
    next.cancel();
    limiter.acquire().await.finish();
    assert_eq!(start.elapsed(), millis(1000), "given back whole");
}

#[tokio::test(start_paused = true)]
async fn limits_change_while_calls_wait() {
    let limiter = Limiter::new(per_minute(1));
    let start = Instant::now();
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(limiter.acquire())).collect();
    sleep(millis(1000)).await;
    limiter.set_limits(per_minute(600));
    for task in waiting {
        task.await.unwrap().finish();
    }
    // 59 sixtieths of a call were still owed, at ten a second; then one each tenth.
    let took = start.elapsed();
    assert!(took >= millis(1298) && took <= millis(1301), "{took:?}");
    assert_eq!(limiter.limits(), per_minute(600));
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_one_canary_then_the_refused_then_the_others() {
    let limiter = Limiter::new(per_minute(600));
    let start = Instant::now();
    let log = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = (0..6)
        .map(|call| {
            let (limiter, log) = (limiter.clone(), log.clone());
            tokio::spawn(async move {
                let mut ticket = limiter.acquire().await;
                // The server refuses for the first half second.
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
    // Call 2 may have gone before the refusal came back at 150 ms; the others only after the pause.
    let order: Vec<_> = log.iter().map(|(call, _)| *call).filter(|call| *call < 2).collect();
    assert_eq!(order, [0, 1], "the refused in order of first asking");
    let canary = log.iter().find(|(call, _)| *call == 0).unwrap().1;
    assert!(canary > millis(2150) && canary < millis(2500), "{log:?}");
    let second = log.iter().find(|(call, _)| *call == 1).unwrap().1;
    assert!(second >= canary + millis(40), "not before the canary has ended: {log:?}");
    let first_new = log.iter().find(|(call, _)| *call >= 2 && log.iter().any(|(_, at)| at > &canary)).unwrap();
    assert!(
        log.iter().filter(|(call, at)| *call > 2 && *at < second).all(|(_, at)| *at < millis(300)),
        "{first_new:?} {log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_asked_until_it_says_that_the_way_is_free() {
    let limiter = Limiter::new(per_minute(600));
    let asked = Arc::new(AtomicUsize::new(0));
    limiter.set_probe({
        let asked = asked.clone();
        move || {
            let asked = asked.clone();
            async move {
                sleep(millis(100)).await;
                match asked.fetch_add(1, Ordering::Relaxed) {
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
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    // A second by the hint, two and three by our own choice, each with up to a tenth on top, and the probes.
    let took = start.elapsed();
    assert!(took > millis(6300) && took < millis(7000), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_tells_the_line_and_the_time_it_takes() {
    let limiter = Limiter::new(per_minute(60));
    let waiting: Vec<_> = (0..11).map(|_| tokio::spawn(limiter.acquire())).collect();
    settle().await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.in_flight, snapshot.paused_until), (10, 1, None));
    assert_eq!(snapshot.estimated_drain, Duration::from_secs(10));
    assert!((snapshot.rate_per_second - 1.0).abs() < 1e-9);
    waiting.into_iter().for_each(|task| task.abort());
    settle().await;
    let snapshot = limiter.snapshot();
    assert_eq!((snapshot.queued, snapshot.estimated_drain), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn an_idle_limiter_has_no_timer() {
    let limiter = Limiter::new(per_minute(1));
    limiter.acquire().await.finish();
    let waiting = tokio::spawn(limiter.acquire());
    settle().await;
    waiting.abort();
    settle().await;
    // With a timer of ours left the clock would stop there first.
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
    settle().await;
    assert!(slept.load(Ordering::Relaxed));
    assert_eq!(start.elapsed(), Duration::from_secs(3600));
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0, "the driver has gone");
}

#[test]
fn futures_may_be_sent() {
    fn send<T: Send + Sync>() {}
    send::<Limiter>();
    send::<Ticket>();
    send::<ratellmiter_core::waiting::Acquire>();
    send::<ratellmiter_core::Monitor>();
}
