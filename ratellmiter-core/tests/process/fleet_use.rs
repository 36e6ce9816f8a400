//! What a program meets that shares its limiters: with and without a runtime, at its end, and where the server will not do it.

use std::{
    num::{NonZeroU32, NonZeroU64},
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{
    AcquireOptions, Config, FleetConfig, FleetError, LimitKind, Limiter, Limits, Monitor, Ticket, Verdict,
};

use crate::redis::{Redis, programs};

const LONG: Duration = Duration::from_secs(20);

/// A monitor that stands for a process of its own.
fn sharing(redis: &Redis) -> Monitor {
    let monitor = Monitor::new();
    monitor.share_over(FleetConfig::new(redis.url()).unwrap());
    monitor
}

fn limits() -> Limits {
    Limits::per_minute(NonZeroU32::new(6000).unwrap()).no_ramp()
}

fn until(what: &str, is: impl Fn() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < LONG, "not {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn members(limiter: &Limiter) -> u64 {
    limiter.snapshot().fleet.map_or(0, |fleet| fleet.processes)
}

#[test]
fn a_program_without_a_runtime_shares_as_any_other() {
    let redis = Redis::start();
    let monitor = sharing(&redis);
    let limiter = monitor.limiter("m");
    (0..3).for_each(|_| limiter.blocking_acquire().finish());
    assert_eq!((members(&limiter), limiter.snapshot().in_flight), (1, 0));
}

#[test]
fn who_does_not_wait_gets_a_slot_as_long_as_one_comes_again() {
    let redis = Redis::start();
    let monitor = sharing(&redis);
    let limiter = monitor.limiter("m");
    let tries: Vec<_> = (0..8)
        .map(|_| {
            thread::sleep(Duration::from_millis(600));
            limiter.try_acquire().is_some_and(|ticket| {
                ticket.finish();
                true
            })
        })
        .collect();
    assert!(tries.iter().filter(|is_issued| **is_issued).count() >= 6, "{tries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_stops_leaves_its_places_at_once_and_takes_part_again_when_it_calls() {
    let redis = Redis::start();
    let logs = tempfile::tempdir().unwrap();
    let limits = limits().max_in_flight(NonZeroU32::MIN);
    let (one, other) = (sharing(&redis), sharing(&redis));
    [&one, &other].into_iter().for_each(|monitor| monitor.set_limits("m", limits));
    let log = one.start(Config { log_directory: logs.path().into(), ..Config::default() }).unwrap();
    one.limiter("m").acquire().await.finish();
    let other = other.limiter("m");
    until("two", || members(&other) == 2);
    one.stop().await.unwrap();
    let began = Instant::now();
    other.acquire().await.finish();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    until("alone", || members(&other) == 1);
    one.limiter("m").acquire().await.finish();
    until("two again", || members(&other) == 2);
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains(r#""namespace":"default""#) && text.contains(r#""members":"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_breaks_no_cap_of_calls_in_flight() {
    let redis = Redis::start();
    let monitors = [sharing(&redis), sharing(&redis), sharing(&redis)];
    let limiters = monitors.each_ref().map(|monitor| {
        monitor.set_limits("m", limits().max_in_flight(NonZeroU32::new(2).unwrap()));
        monitor.limiter("m")
    });
    let out = || limiters.iter().map(|limiter| limiter.snapshot().in_flight).sum::<u64>();
    let calls = limiters.iter().flat_map(|limiter| std::iter::repeat_n(limiter, 8)).map(|limiter| {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            let ticket = limiter.acquire().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            ticket.finish();
        })
    });
    let calls: Vec<_> = calls.collect();
    let began = Instant::now();
    let mut flushed = 0;
    while calls.iter().any(|call| !call.is_finished()) {
        assert!(began.elapsed() < LONG * 3, "calls do not end");
        if flushed < 3 && began.elapsed() > Duration::from_millis(700 + 1900 * flushed) {
            redis.ask("FLUSHALL");
            flushed += 1;
        }
        assert!(out() <= 2, "{} are out", out());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(flushed, 3);
}

#[test]
fn limiter_has_one_key_which_is_all_hash_tag() {
    for program in programs() {
        let redis = Redis::of(program, &[]);
        let monitor = sharing(&redis);
        monitor.limiter("m").blocking_acquire().finish();
        assert_eq!(redis.ask("KEYS *").lines().nth(2), Some("{ratellmiter:default:m}"), "{program}");
        assert_eq!(redis.ask("DBSIZE"), ":1\r\n", "{program}");
    }
}

#[tokio::test]
async fn names_do_not_run_into_one_another_and_a_key_that_is_none_of_ours_is_told() {
    let redis = Redis::start();
    let [one, other] = [("a:b", "c"), ("a", "b:c")].map(|(namespace, model)| {
        let monitor = Monitor::new();
        monitor.share_over(FleetConfig::new(redis.url()).unwrap().namespace(namespace));
        let limiter = monitor.limiter(model);
        (monitor, limiter)
    });
    one.1.acquire().await.finish();
    other.1.acquire().await.finish();
    assert_eq!((members(&one.1), members(&other.1)), (1, 1));
    redis.ask("LPUSH {ratellmiter:default:m} x");
    let monitor = sharing(&redis);
    let limiter = monitor.limiter("m");
    let error = limiter.wait_until_shared().await.unwrap_err();
    assert!(matches!(error, FleetError::Refused { .. }), "{error}");
    let expected = format!(
        "m cannot be shared on 127.0.0.1:{}: the value of {{ratellmiter:default:m}} is damaged or was written by another program",
        redis.port
    );
    assert_eq!(error.to_string(), expected);
    limiter.acquire().await.finish();
    assert!(limiter.snapshot().fleet.is_some_and(|fleet| fleet.is_disconnected));
    redis.ask("DEL {ratellmiter:default:m}");
    until("shared", || limiter.snapshot().fleet.is_some_and(|fleet| !fleet.is_disconnected));
}

#[test]
fn one_that_is_shared_elsewhere_leaves_where_it_was() {
    let (here, there) = (Redis::start(), Redis::start());
    let monitor = sharing(&here);
    let limiter = monitor.limiter("m");
    limiter.blocking_acquire().finish();
    monitor.share_over(FleetConfig::new(there.url()).unwrap());
    limiter.blocking_acquire().finish();
    assert!(there.steps() > 0);
    let error = FleetConfig::new("http://:hunter2@host").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    limiter.blocking_acquire().finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refusal_taught_one_all_know_and_so_does_who_comes_later() {
    let redis = Redis::start();
    let monitors = [sharing(&redis), sharing(&redis), sharing(&redis)];
    let join = |monitor: &Monitor| {
        monitor.set_limits("m", Limits::per_minute(NonZeroU32::new(3000).unwrap()).no_ramp());
        monitor.limiter("m")
    };
    let (one, other) = (join(&monitors[0]), join(&monitors[1]));
    let calls: Vec<_> = (0..150)
        .map(|call| {
            let limiter = [&one, &other][call % 2].clone();
            tokio::spawn(async move {
                let mut ticket = limiter.acquire().await;
                if call == 120 {
                    ticket = ticket.requeue_after(Some(Duration::from_millis(300))).await;
                }
                ticket.finish();
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let learned = |limiter: &Limiter| limiter.snapshot().adapted_rate_per_second;
    until("told to both", || learned(&one).is_some() && learned(&other).is_some());
    let later = join(&monitors[2]);
    later.acquire().await.finish();
    let all = [&one, &other, &later].map(|limiter| learned(limiter).unwrap());
    // 50 a second went, of which it leaves 85 % and goes back up.
    assert!(all.iter().all(|rate| (35.0..50.0).contains(rate)), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_others_spent_is_told_at_once() {
    let redis = Redis::start();
    let day = limits().requests_per_day(NonZeroU64::new(5).unwrap());
    {
        let one = sharing(&redis);
        one.set_limits("m", day);
        for _ in 0..5 {
            one.limiter("m").acquire().await.finish();
        }
        // It has ended.
    }
    let other = sharing(&redis);
    other.set_limits("m", day);
    let limiter = other.limiter("m");
    let began = Instant::now();
    let rejected = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_secs(10))).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(rejected.estimated_wait > Duration::from_hours(22), "{rejected:?}");
    assert_eq!(limiter.snapshot().budgets().next().unwrap().others, 5);
}

/// Each limiter is on the node that the cluster keeps its key on, whichever node the URL names.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_shared_on_as_one_server_is() {
    let nodes = [Redis::node(&[]), Redis::node(&[])];
    for (node, slots) in nodes.iter().zip(["0 8191", "8192 16383"]) {
        assert_eq!(node.ask(&format!("CLUSTER ADDSLOTSRANGE {slots}")), "+OK\r\n");
    }
    assert_eq!(nodes[0].ask(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port)), "+OK\r\n");
    until("a cluster", || nodes.iter().all(|node| node.ask("CLUSTER INFO").contains("cluster_state:ok")));
    let models = ["one", "two", "three", "four", "five", "six"];
    for node in &nodes {
        let monitor = sharing(node);
        for model in models {
            let limiter = monitor.limiter(model);
            limiter.wait_until_shared().await.unwrap();
            limiter.acquire().await.finish();
        }
    }
    let keys = nodes.each_ref().map(|node| node.ask("DBSIZE").trim().trim_start_matches(':').parse::<usize>().unwrap());
    assert!(keys.iter().sum::<usize>() == models.len() && keys.iter().all(|count| *count > 0), "{keys:?}");
}

/// What the README says that a user must be allowed, and nothing else.
#[tokio::test]
async fn a_user_needs_few_commands() {
    let redis = Redis::start();
    let commands = "+evalsha +eval +time +hmget +hget +hset +hdel +expire";
    let allowed = format!("ACL SETUSER worker on >hunter2 resetkeys ~{{ratellmiter:* nocommands {commands}");
    assert_eq!(redis.ask(&allowed), "+OK\r\n");
    let monitor = Monitor::new();
    monitor.share_over(FleetConfig::new(format!("redis://worker:hunter2@127.0.0.1:{}", redis.port)).unwrap());
    let limiter = monitor.limiter("m");
    limiter.wait_until_shared().await.unwrap();
    limiter.acquire().await.finish();
    assert_eq!(members(&limiter), 1);
}

/// What was learned grows back with the time that calls wait for it, in however many processes.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_in_which_many_wait_is_a_second() {
    let redis = Redis::start();
    let tokens = NonZeroU64::new(60_000).unwrap();
    let monitors = [sharing(&redis), sharing(&redis), sharing(&redis), sharing(&redis)];
    let limiters = monitors.each_ref().map(|monitor| {
        monitor.set_limits("m", limits().tokens_per_minute(tokens));
        monitor.limiter("m")
    });
    let calls = limiters.iter().flat_map(|limiter| std::iter::repeat_n(limiter, 60)).enumerate();
    let calls: Vec<_> = calls
        .map(|(number, limiter)| {
            let limiter = limiter.clone();
            tokio::spawn(async move {
                let mut ticket = limiter.acquire_tokens((100, 0)).await;
                if number == 5 {
                    let retry_after = Some(Duration::from_millis(300));
                    ticket = ticket.requeue(Verdict::RateLimited { retry_after, scope: LimitKind::Tokens }).await;
                }
                ticket.finish_with_usage((100, 0));
            })
        })
        .collect();
    let learned = || limiters.each_ref().map(|limiter| limiter.snapshot().budgets().next()?.learned);
    until("learned", || learned().iter().all(Option::is_some));
    let low = learned()[0].unwrap();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now = learned()[0].unwrap();
    // It takes six seconds of waiting to come back from 0.85 of what went.
    let ceiling = low / 0.85;
    eprintln!("from {low:.0} to {now:.0} of {ceiling:.0} in {:?}", began.elapsed());
    assert!(now > low * 1.02 && now < ceiling, "{low} {now}");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_little_gets_a_ticket_of_an_idle_fleet() {
    let redis = Redis::start();
    let monitor = sharing(&redis);
    monitor.set_limits("m", Limits::per_minute(NonZeroU32::new(300).unwrap()).no_ramp());
    let limiter = monitor.limiter("m");
    limiter.wait_until_shared().await.unwrap();
    let mut went = 0;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let asked = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_millis(150))).await;
        went += asked.map(Ticket::finish).map_or(0, |()| 1);
    }
    assert_eq!(went, 5, "of calls that wait for less than an interval");
    let mut went = 0;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        went += limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.map(Ticket::finish).map_or(0, |()| 1);
    }
    assert!(went >= 4, "{went} of calls that do not wait at all");
}
