//! A limiter shared by several real processes, while the server, its connections or one of the processes fails.

#![allow(clippy::cast_precision_loss, clippy::unchecked_time_subtraction)] // Counts are small, and a negative time fails the test.

use std::{
    iter,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    redis::{Proxy, Redis, free_port},
    worker::{Event, Job, Worker, all_tickets as tickets, check_calls, max_within, start},
};

/// Time after which a test has failed.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum time until a process notices a change of the server.
const MAX_REACTION: Duration = Duration::from_secs(5);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Rate of most fleets here: 20 calls a second.
const PER_MINUTE: u32 = 1200;
const RATE: usize = 20;

pub(crate) fn job(url: String, calls: u64) -> Job {
    Job { url, per_minute: PER_MINUTE, calls, ..Job::default() }
}

/// Returns the time since the epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Waits for the end of `worker` and checks its `calls` calls.
pub(crate) fn finish(worker: &mut Worker, calls: u64) {
    check_calls(&worker.finish(TIMEOUT), &Job { calls, ..Job::default() });
}

pub(crate) fn finish_all(workers: &mut [Worker], calls: u64) {
    workers.iter_mut().for_each(|worker| finish(worker, calls));
}

/// Returns the number of tickets from `since` on, within `span`.
fn count(tickets: &[Duration], since: Duration, span: Duration) -> usize {
    tickets.iter().filter(|at| (since..since + span).contains(*at)).count()
}

/// Returns the number of warnings about an unreachable server.
pub(crate) fn losses(worker: &Worker) -> usize {
    worker.warnings().iter().filter(|warning| warning.contains("unreachable")).count()
}

/// Waits until each worker is one of `count` members.
pub(crate) fn wait_for_members(workers: &[Worker], count: u64) {
    for worker in workers {
        worker.wait_for(TIMEOUT, |events| {
            events.iter().any(|event| matches!(event, Event::Fleet { members, .. } if *members == count))
        });
    }
}

pub(crate) fn wait_for_loss(worker: &Worker, since: Duration) {
    worker.wait_for(MAX_REACTION, |events| {
        events.iter().any(|event| matches!(event, Event::Fleet { is_lost: true, at, .. } if *at >= since))
    });
}

/// Waits until `worker` shares its limiter again, and returns the time from `since`.
pub(crate) fn wait_for_return(worker: &Worker, since: Duration) -> Duration {
    let returned = |event: &Event| match event {
        Event::Fleet { members: 1.., is_lost: false, at } if *at >= since => Some(*at - since),
        _ => None,
    };
    worker.wait_for(MAX_REACTION, |events| events.iter().any(|event| returned(event).is_some()));
    worker.events().iter().find_map(returned).unwrap()
}

fn wait_for_returns(workers: &[Worker], since: Duration) {
    let returns: Vec<_> = workers.iter().map(|worker| wait_for_return(worker, since)).collect();
    eprintln!("shared again after {returns:?}");
}

#[test]
fn missing_server_is_warned_of_once_and_used_later() {
    let port = free_port();
    let mut workers = start(iter::repeat_n(job(format!("redis://127.0.0.1:{port}"), 90), 2));
    for worker in &workers {
        wait_for_loss(worker, Duration::ZERO);
    }
    let began = now();
    sleep(2 * SECOND);
    let alone: Vec<_> = workers.iter().map(|worker| count(&worker.tickets(), began, 2 * SECOND)).collect();
    let _redis = Redis::on_port(port);
    wait_for_returns(&workers, now());
    finish_all(&mut workers, 90);
    eprintln!("with the full limits: {alone:?} in 2 s");
    // No process ever had a share.
    assert!(alone.iter().all(|count| (2 * RATE * 3 / 4..=2 * RATE + 3).contains(count)), "{alone:?}");
    assert!(workers.iter().all(|worker| losses(worker) == 1));
}

#[test]
fn processes_keep_their_shares_while_the_server_is_down() {
    let mut redis = Redis::start();
    let mut workers = start(iter::repeat_n(job(redis.url(), 45), 4));
    wait_for_members(&workers, 4);
    sleep(2 * SECOND);
    let killed = now();
    redis.kill();
    workers.iter().for_each(|worker| wait_for_loss(worker, killed));
    sleep(3 * SECOND);
    redis.restart();
    let restarted = now();
    wait_for_returns(&workers, restarted);
    finish_all(&mut workers, 45);
    let tickets = tickets(&workers);
    let down = restarted.saturating_sub(killed);
    let (while_down, most) = (count(&tickets, killed, down), max_within(SECOND, &tickets));
    eprintln!("{while_down} while the server was down for {down:?}; at most {most} in a second");
    let fair = down.as_secs_f64() * RATE as f64;
    assert!((0.7 * fair..1.1 * fair + 6.0).contains(&(while_down as f64)), "{while_down} of {fair}");
    assert!(most <= RATE * 3 / 2 + 2, "{most}");
    assert!(workers.iter().all(|worker| losses(worker) == 1));
}

#[test]
fn flushed_server_changes_no_rate() {
    let redis = Redis::start();
    let mut workers = start(iter::repeat_n(job(redis.url(), 30), 4));
    wait_for_members(&workers, 4);
    for _ in 0..2 {
        sleep(2 * SECOND);
        redis.command("FLUSHALL");
    }
    finish_all(&mut workers, 30);
    let most = max_within(SECOND, &tickets(&workers));
    eprintln!("flushed: at most {most} in a second");
    assert!(most <= RATE * 3 / 2 + 2, "{most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
}

#[test]
fn slow_server_does_not_slow_calls() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    proxy.set_delay(SECOND / 2);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 40), 4));
    finish_all(&mut workers, 40);
    let tickets = tickets(&workers);
    let span = tickets.last().unwrap().saturating_sub(tickets[0]);
    let (rate, most) = (tickets.len() as f64 / span.as_secs_f64(), max_within(SECOND, &tickets));
    eprintln!("with 500 ms: {rate:.1} a second in {span:?}, at most {most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    assert!(rate >= 0.85 * RATE as f64, "{rate}");
    assert!(most <= RATE + 4, "{most}");
}

#[test]
fn disconnected_processes_keep_their_shares() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let urls = [proxy.url(), proxy.url(), redis.url(), redis.url()];
    let mut workers = start(urls.map(|url| job(url, 60)));
    wait_for_members(&workers, 4);
    sleep(2 * SECOND);
    let cut = now();
    proxy.set_cut(true);
    workers[..2].iter().for_each(|worker| wait_for_loss(worker, cut));
    let began = now();
    sleep(3 * SECOND);
    let theirs = count(&tickets(&workers[..2]), began, 3 * SECOND);
    let restored = now();
    proxy.set_cut(false);
    wait_for_returns(&workers[..2], restored);
    finish_all(&mut workers, 60);
    let most = max_within(SECOND, &tickets(&workers));
    eprintln!("disconnected: {theirs} in 3 s; all at most {most} in a second");
    // Half of 20 a second.
    assert!((20..=36).contains(&theirs), "{theirs}");
    assert!(most <= RATE * 3 / 2 + 5, "{most}");
    let warned: Vec<_> = workers.iter().map(losses).collect();
    assert_eq!(warned, [1, 1, 0, 0]);
}

#[test]
fn capacity_of_a_killed_process_is_reused() {
    let redis = Redis::start();
    let latency = SECOND / 2;
    let job = |calls| Job { max_in_flight: Some(4), latency_ms: 500, ..job(redis.url(), calls) };
    let mut workers = start([job(200), job(50)]);
    wait_for_members(&workers, 2);
    sleep(2 * SECOND);
    workers[0].kill();
    let killed = now();
    finish(&mut workers[1], 50);
    let most = max_within(latency - latency / 50, &tickets(&workers));
    let theirs = workers[1].tickets();
    let free = theirs
        .windows(4)
        .find(|calls| calls[0] >= killed && calls[3] < calls[0] + latency)
        .map(|calls| calls[3] - killed);
    let before = count(&theirs, killed - SECOND, SECOND);
    let after = count(&theirs, killed + 4 * SECOND, SECOND);
    eprintln!("at most {most} in flight; the whole limit after {free:?}; {before} a second before, {after} after");
    assert!(free.unwrap() <= 4 * SECOND + SECOND / 2);
    assert!(after >= 6, "{after}");
    assert!(most <= 4, "{most}");
    // No call of the killed process was sent twice.
    let events = workers[0].events().into_iter();
    let mut calls: Vec<_> =
        events.filter_map(|event| if let Event::Ticket { call, .. } = event { Some(call) } else { None }).collect();
    let sent = calls.len();
    calls.sort_unstable();
    calls.dedup();
    assert_eq!(calls.len(), sent);
}

#[test]
fn stopped_process_does_not_catch_up() {
    stop_and_continue(8 * SECOND, [60, 150, 150]);
}

#[test]
#[ignore = "real time: ci/nightly"]
fn process_stopped_for_long_does_not_catch_up() {
    stop_and_continue(30 * SECOND, [60, 350, 350]);
}

/// Stops the first of three processes, which make `counts` calls, for `pause`.
fn stop_and_continue(pause: Duration, counts: [u64; 3]) {
    let redis = Redis::start();
    let mut workers = start(counts.map(|calls| job(redis.url(), calls)));
    wait_for_members(&workers, 3);
    sleep(2 * SECOND);
    workers[0].signal("STOP");
    let stopped = now();
    sleep(pause);
    let continued = now();
    workers[0].signal("CONT");
    workers[1].wait_for(MAX_REACTION, |events| {
        events.iter().any(|event| matches!(event, Event::Fleet { members: 3, at, .. } if *at >= continued))
    });
    eprintln!("a member again after {:?}", now() - continued);
    for (worker, calls) in workers.iter_mut().zip(counts) {
        finish(worker, calls);
    }
    let all = tickets(&workers);
    let theirs = workers[0].tickets();
    let while_stopped = count(&theirs, stopped + SECOND / 10, continued - stopped - SECOND / 10);
    let meanwhile = count(&all, stopped + 4 * SECOND, pause - 4 * SECOND) as f64 / (pause - 4 * SECOND).as_secs_f64();
    let (first, most) = (count(&theirs, continued, SECOND / 10), count(&all, continued, SECOND));
    eprintln!("the others {meanwhile:.1} a second; then {first} in its first 100 ms, all {most} in the first second");
    assert_eq!(while_stopped, 0);
    assert!(meanwhile > 0.85 * RATE as f64, "{meanwhile}");
    assert!(first <= 3, "{first}");
    assert!(most <= RATE + 4, "{most}");
    assert!(workers.iter().all(|worker| losses(worker) <= 1));
}

#[test]
fn policy_decides_if_calls_wait_without_a_server() {
    let mut servers = [Redis::start(), Redis::start()];
    let jobs = |policy: &str, url: String, calls| Job { on_disconnect: policy.to_owned(), ..job(url, calls) };
    let mut waiting = start(iter::repeat_n(jobs("wait", servers[0].url(), 40), 2));
    let mut full = start(iter::repeat_n(jobs("full_limits", servers[1].url(), 110), 2));
    wait_for_members(&waiting, 2);
    wait_for_members(&full, 2);
    sleep(SECOND);
    let killed = now();
    servers.iter_mut().for_each(Redis::kill);
    waiting.iter().chain(&full).for_each(|worker| wait_for_loss(worker, killed));
    let began = now();
    sleep(3 * SECOND);
    let restarted = now();
    servers.iter_mut().for_each(Redis::restart);
    wait_for_returns(&waiting, restarted);
    wait_for_returns(&full, restarted);
    finish_all(&mut waiting, 40);
    finish_all(&mut full, 110);
    let waited = count(&tickets(&waiting), began + SECOND / 10, restarted - began - SECOND / 10);
    let sent = count(&tickets(&full), began, restarted - began);
    eprintln!("in 3 s: {waited} with `wait`, {sent} with `full_limits`");
    assert_eq!(waited, 0);
    assert!((90..=130).contains(&sent), "{sent}");
    assert!(waiting.iter().chain(&full).all(|worker| losses(worker) == 1));
}

#[test]
fn conflicting_limits_are_reported_and_not_shared() {
    let redis = Redis::start();
    // The warning may name any of the three.
    let mut first = start(iter::repeat_n(Job { per_minute: 600, linger_ms: 1500, ..job(redis.url(), 10) }, 3));
    wait_for_members(&first, 3);
    let mut second = Worker::start(&Job { per_minute: 300, linger_ms: 3000, ..job(redis.url(), 25) });
    finish_all(&mut first, 10);
    let (end, apart) = (now(), second.tickets());
    let back = wait_for_return(&second, end - SECOND / 20);
    finish(&mut second, 25);
    let warnings = second.warnings();
    eprintln!("{warnings:?}; {} calls beside the others, joined {back:?} after their end", apart.len());
    // Without a share, one of four processes uses a quarter of 5 calls a second.
    assert!(apart.len() >= 2 && max_within(2 * SECOND, &apart) <= 3, "{apart:?}");
    let conflicts: Vec<_> = warnings.iter().filter(|line| line.contains("has other limits in process")).collect();
    assert_eq!(conflicts.len(), 1);
    assert!(conflicts[0].contains("600") && conflicts[0].contains("300"), "{conflicts:?}");
    assert_eq!(losses(&second), 0);
    for worker in &first {
        assert_eq!(worker.warnings(), [""; 0]);
    }
}

#[test]
fn report_with_a_lost_reply_counts_once() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 35), 4));
    wait_for_members(&workers, 4);
    for _ in 0..8 {
        proxy.lose_next_reply();
        sleep(SECOND * 2 / 5);
    }
    // Shorter than the timeout of a report.
    proxy.set_cut(true);
    sleep(SECOND * 7 / 10);
    proxy.set_cut(false);
    finish_all(&mut workers, 35);
    let tickets = tickets(&workers);
    let span = tickets.last().unwrap().saturating_sub(tickets[0]);
    let (rate, most) = (tickets.len() as f64 / span.as_secs_f64(), max_within(SECOND, &tickets));
    eprintln!("lost replies: {rate:.1} a second, at most {most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    assert!(rate >= 0.8 * RATE as f64, "{rate}");
    assert!(most <= RATE + 4, "{most}");
}

/// The connections hang as after the restart of a router, without being closed.
#[test]
fn hanging_connections_are_replaced() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 60), 2));
    wait_for_members(&workers, 2);
    sleep(SECOND);
    let hung_at = now();
    proxy.hang_open_connections();
    let tickets_after = |span| count(&tickets(&workers), hung_at, span);
    sleep(MAX_REACTION);
    let meanwhile = tickets_after(MAX_REACTION);
    finish_all(&mut workers, 60);
    eprintln!("{meanwhile} in the {MAX_REACTION:?} after");
    // For the second without a reply, calls use the slots leased before, or are not sent.
    assert!(meanwhile >= RATE * 7 / 2, "{meanwhile}");
    assert!(workers.iter().all(|worker| losses(worker) <= 1));
    let shared = |worker: &Worker| {
        worker.events().into_iter().rev().find_map(|event| match event {
            Event::Fleet { is_lost, .. } => Some(!is_lost),
            _ => None,
        })
    };
    assert!(workers.iter().all(|worker| shared(worker) == Some(true)));
}

/// The server is a replica for a while.
#[test]
fn read_only_server_counts_as_unreachable() {
    let redis = Redis::start();
    // More calls than they can make while the server is read-only.
    let mut workers = start(iter::repeat_n(job(redis.url(), 80), 2));
    wait_for_members(&workers, 2);
    sleep(SECOND);
    let began = now();
    assert_eq!(redis.command("REPLICAOF 127.0.0.1 1"), "+OK\r\n");
    workers.iter().for_each(|worker| wait_for_loss(worker, began));
    sleep(3 * SECOND);
    let restored = now();
    assert_eq!(redis.command("REPLICAOF NO ONE"), "+OK\r\n");
    wait_for_returns(&workers, restored);
    finish_all(&mut workers, 80);
    let meanwhile = count(&tickets(&workers), began + SECOND, 2 * SECOND);
    eprintln!("{meanwhile} in 2 s while the server was read-only");
    assert!((2 * RATE * 3 / 4..=2 * RATE + 4).contains(&meanwhile), "{meanwhile}");
    for worker in &workers {
        let warnings = worker.warnings();
        let [lost, back] = &warnings[..] else { panic!("{warnings:?}") };
        assert!(lost.contains("READONLY") && back.contains("reachable again"), "{warnings:?}");
    }
}
