//! Shared limiters in a program: with and without a runtime, at its end, and with a server that refuses.

use std::{
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::{
    AcquireOptions, Config, LimitKind, Limiter, Limits, Monitor, Ticket, Verdict,
    fleet::{FleetConfig, FleetError},
};

use crate::redis::{Redis, programs};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Returns a monitor that acts as a separate process.
fn sharing(redis: &Redis) -> Monitor {
    let monitor = Monitor::new();
    monitor.share_over(FleetConfig::redis(redis.url()).unwrap());
    monitor
}

fn limits() -> Limits {
    Limits::per_minute(6000).no_ramp()
}

fn wait_until(state: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < TIMEOUT, "not {state}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn processes(limiter: &Limiter) -> u64 {
    limiter.snapshot().fleet.map_or(0, |fleet| fleet.processes)
}

#[test]
fn program_without_a_runtime_shares_its_limiter() {
    let redis = Redis::start();
    let monitor = sharing(&redis);
    let limiter = monitor.limiter("m");
    (0..3).for_each(|_| limiter.blocking_acquire().finish());
    assert_eq!((processes(&limiter), limiter.snapshot().in_flight), (1, 0));
}

#[test]
fn repeated_try_acquire_gets_slots() {
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
async fn stopped_monitor_returns_its_lease_until_the_next_call() {
    let redis = Redis::start();
    let logs = tempfile::tempdir().unwrap();
    let limits = limits().max_in_flight(1);
    let (one, other) = (sharing(&redis), sharing(&redis));
    [&one, &other].into_iter().for_each(|monitor| monitor.set_limits("m", limits));
    let log = one.start(Config::new().log_directory(logs.path())).unwrap();
    one.limiter("m").acquire().await.finish();
    let other = other.limiter("m");
    wait_until("two", || processes(&other) == 2);
    one.stop().await.unwrap();
    let began = Instant::now();
    other.acquire().await.finish();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    wait_until("alone", || processes(&other) == 1);
    one.limiter("m").acquire().await.finish();
    wait_until("two again", || processes(&other) == 2);
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains(r#""namespace":"default""#) && text.contains(r#""members":"#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flushed_server_keeps_the_in_flight_limit() {
    let redis = Redis::start();
    let monitors = [sharing(&redis), sharing(&redis), sharing(&redis)];
    let limiters = monitors.each_ref().map(|monitor| {
        monitor.set_limits("m", limits().max_in_flight(2));
        monitor.limiter("m")
    });
    let in_flight = || limiters.iter().map(|limiter| limiter.snapshot().in_flight).sum::<u64>();
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
        assert!(began.elapsed() < TIMEOUT * 3, "calls do not end");
        if flushed < 3 && began.elapsed() > Duration::from_millis(700 + 1900 * flushed) {
            redis.command("FLUSHALL");
            flushed += 1;
        }
        assert!(in_flight() <= 2, "{} in flight", in_flight());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(flushed, 3);
}

#[test]
fn limiter_has_one_key_that_is_all_hash_tag() {
    for program in programs() {
        let redis = Redis::with_arguments(program, &[]);
        let monitor = sharing(&redis);
        monitor.limiter("m").blocking_acquire().finish();
        assert_eq!(redis.command("KEYS *").lines().nth(2), Some("{ratellmiter:default:m}"), "{program}");
        assert_eq!(redis.command("DBSIZE"), ":1\r\n", "{program}");
    }
}

#[tokio::test]
async fn colons_in_names_do_not_collide_and_foreign_keys_are_reported() {
    let redis = Redis::start();
    let [one, other] = [("a:b", "c"), ("a", "b:c")].map(|(namespace, model)| {
        let monitor = Monitor::new();
        monitor.share_over(FleetConfig::redis(redis.url()).unwrap().namespace(namespace));
        let limiter = monitor.limiter(model);
        (monitor, limiter)
    });
    one.1.acquire().await.finish();
    other.1.acquire().await.finish();
    assert_eq!((processes(&one.1), processes(&other.1)), (1, 1));
    redis.command("LPUSH {ratellmiter:default:m} x");
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
    redis.command("DEL {ratellmiter:default:m}");
    wait_until("shared", || limiter.snapshot().fleet.is_some_and(|fleet| !fleet.is_disconnected));
}

#[test]
fn limiter_moves_to_another_server() {
    let (here, there) = (Redis::start(), Redis::start());
    let monitor = sharing(&here);
    let limiter = monitor.limiter("m");
    limiter.blocking_acquire().finish();
    monitor.share_over(FleetConfig::redis(there.url()).unwrap());
    limiter.blocking_acquire().finish();
    assert!(there.script_calls() > 0);
    let error = FleetConfig::redis("http://:hunter2@host").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    limiter.blocking_acquire().finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn adapted_rate_is_known_to_all_processes() {
    let redis = Redis::start();
    let monitors = [sharing(&redis), sharing(&redis), sharing(&redis)];
    let join = |monitor: &Monitor| {
        monitor.set_limits("m", Limits::per_minute(3000).no_ramp());
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
    wait_until("adapted in both", || learned(&one).is_some() && learned(&other).is_some());
    let later = join(&monitors[2]);
    later.acquire().await.finish();
    let all = [&one, &other, &later].map(|limiter| learned(limiter).unwrap());
    // 50 a second were sent. A refusal leaves 85 % of it, and the limit grows again.
    assert!(all.iter().all(|rate| (35.0..50.0).contains(rate)), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_budget_spent_by_another_process_rejects_at_once() {
    let redis = Redis::start();
    let day = limits().requests_per_day(5);
    {
        let one = sharing(&redis);
        one.set_limits("m", day);
        for _ in 0..5 {
            one.limiter("m").acquire().await.finish();
        }
        // The first process has ended.
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

/// Each limiter is on the node that owns its key, for the URL of any node.
#[tokio::test(flavor = "multi_thread")]
async fn cluster_is_used_through_any_node() {
    let nodes = [Redis::node(&[]), Redis::node(&[])];
    for (node, slots) in nodes.iter().zip(["0 8191", "8192 16383"]) {
        assert_eq!(node.command(&format!("CLUSTER ADDSLOTSRANGE {slots}")), "+OK\r\n");
    }
    assert_eq!(nodes[0].command(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port)), "+OK\r\n");
    wait_until("a cluster", || nodes.iter().all(|node| node.command("CLUSTER INFO").contains("cluster_state:ok")));
    let models = ["one", "two", "three", "four", "five", "six"];
    for node in &nodes {
        let monitor = sharing(node);
        for model in models {
            let limiter = monitor.limiter(model);
            limiter.wait_until_shared().await.unwrap();
            limiter.acquire().await.finish();
        }
    }
    let keys =
        nodes.each_ref().map(|node| node.command("DBSIZE").trim().trim_start_matches(':').parse::<usize>().unwrap());
    assert!(keys.iter().sum::<usize>() == models.len() && keys.iter().all(|count| *count > 0), "{keys:?}");
}

/// Grants only the permissions listed in the README.
#[tokio::test]
async fn documented_permissions_are_sufficient() {
    let redis = Redis::start();
    let commands = "+evalsha +eval +time +hmget +hget +hset +hdel +expire";
    let allowed = format!("ACL SETUSER worker on >hunter2 resetkeys ~{{ratellmiter:* nocommands {commands}");
    assert_eq!(redis.command(&allowed), "+OK\r\n");
    let monitor = Monitor::new();
    monitor.share_over(FleetConfig::redis(format!("redis://worker:hunter2@127.0.0.1:{}", redis.port)).unwrap());
    let limiter = monitor.limiter("m");
    limiter.wait_until_shared().await.unwrap();
    limiter.acquire().await.finish();
    assert_eq!(processes(&limiter), 1);
}

/// An adapted limit grows with the time in which calls are queued, in any number of processes.
#[tokio::test(flavor = "multi_thread")]
async fn adapted_limit_grows_once_for_all_processes() {
    let redis = Redis::start();
    let tokens = 60_000;
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
                let mut ticket = limiter.acquire_tokens(100, 0).await;
                if number == 5 {
                    let retry_after = Some(Duration::from_millis(300));
                    ticket = ticket.requeue(Verdict::RateLimited { retry_after, limit: LimitKind::Tokens }).await;
                }
                ticket.finish_with_usage((100, 0));
            })
        })
        .collect();
    let learned = || limiters.each_ref().map(|limiter| limiter.snapshot().budgets().next()?.learned);
    wait_until("learned", || learned().iter().all(Option::is_some));
    let low = learned()[0].unwrap();
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now = learned()[0].unwrap();
    // The growth from 85 % of the throughput back to all of it takes six seconds with queued calls.
    let ceiling = low / 0.85;
    eprintln!("from {low:.0} to {now:.0} of {ceiling:.0} in {:?}", began.elapsed());
    assert!(now > low * 1.02 && now < ceiling, "{low} {now}");
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_waits_get_tickets_of_an_idle_fleet() {
    let redis = Redis::start();
    let monitor = sharing(&redis);
    monitor.set_limits("m", Limits::per_minute(300).no_ramp());
    let limiter = monitor.limiter("m");
    limiter.wait_until_shared().await.unwrap();
    let mut sent = 0;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let result = limiter.acquire_with(AcquireOptions::new().max_wait(Duration::from_millis(150))).await;
        sent += result.map(Ticket::finish).map_or(0, |()| 1);
    }
    assert_eq!(sent, 5, "calls that wait for less than an interval");
    let mut sent = 0;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        sent += limiter.acquire_with(AcquireOptions::new().max_queue(0)).await.map(Ticket::finish).map_or(0, |()| 1);
    }
    assert!(sent >= 4, "{sent} calls that do not wait at all");
}
