//! One limiter in several real processes, while their server, the line to it or one of them fails.

#![allow(clippy::cast_precision_loss, clippy::unchecked_time_subtraction)] // Of what a test counts and times.

use std::{
    fs, iter,
    path::Path,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{
    redis::{Proxy, Redis, free_port},
    worker::{Event, Job, Worker, all_tickets as tickets, check, most_within, start},
};

/// How long anything may take at most.
const LONG: Duration = Duration::from_secs(60);
/// How long it may take until those who lost their server share again.
const RETURN: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

/// Most fleets here have 20 calls a second.
const PER_MINUTE: u32 = 1200;
const RATE: usize = 20;

fn job(url: String, calls: u64) -> Job {
    Job { url, per_minute: PER_MINUTE, calls, ..Job::default() }
}

/// As tickets tell it.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Each of its calls went once, and once more for each refusal, and ended.
fn finish(worker: &mut Worker, calls: u64) {
    check(&worker.finish(LONG), &Job { calls, ..Job::default() });
}

fn finish_all(workers: &mut [Worker], calls: u64) {
    workers.iter_mut().for_each(|worker| finish(worker, calls));
}

/// How many went from `since` on, for so long.
fn count(tickets: &[Duration], since: Duration, span: Duration) -> usize {
    tickets.iter().filter(|at| (since..since + span).contains(*at)).count()
}

/// How often it said that it lost the server.
fn losses(worker: &Worker) -> usize {
    worker.warnings().iter().filter(|warning| warning.contains("unreachable")).count()
}

/// Waits until all of so many are members and know it.
fn wait_for_members(workers: &[Worker], count: u64) {
    for worker in workers {
        worker.wait_for(LONG, |events| {
            events.iter().any(|event| matches!(event, Event::Fleet { members, .. } if *members == count))
        });
    }
}

fn wait_for_loss(worker: &Worker, since: Duration) {
    worker.wait_for(RETURN, |events| {
        events.iter().any(|event| matches!(event, Event::Fleet { is_lost: true, at, .. } if *at >= since))
    });
}

/// How long after `since` it shared again.
fn wait_for_return(worker: &Worker, since: Duration) -> Duration {
    let seen = |event: &Event| match event {
        Event::Fleet { members: 1.., is_lost: false, at } if *at >= since => Some(*at - since),
        _ => None,
    };
    worker.wait_for(RETURN, |events| events.iter().any(|event| seen(event).is_some()));
    worker.events().iter().find_map(seen).unwrap()
}

fn wait_for_returns(workers: &[Worker], since: Duration) {
    let returns: Vec<_> = workers.iter().map(|worker| wait_for_return(worker, since)).collect();
    eprintln!("back after {returns:?}");
}

#[test]
fn a_server_that_is_not_there_yet_is_warned_of_once_and_used_once_it_is() {
    let port = free_port();
    let mut workers = start(iter::repeat_n(job(format!("redis://127.0.0.1:{port}"), 90), 2));
    for worker in &workers {
        wait_for_loss(worker, Duration::ZERO);
    }
    let began = now();
    sleep(2 * SECOND);
    let alone: Vec<_> = workers.iter().map(|worker| count(&worker.tickets(), began, 2 * SECOND)).collect();
    let _redis = Redis::at(port);
    wait_for_returns(&workers, now());
    finish_all(&mut workers, 90);
    eprintln!("each with all of the limits: {alone:?} in 2 s");
    // Nobody ever had a share.
    assert!(alone.iter().all(|count| (2 * RATE * 3 / 4..=2 * RATE + 3).contains(count)), "{alone:?}");
    assert!(workers.iter().all(|worker| losses(worker) == 1));
}

#[test]
fn while_the_server_is_dead_each_has_its_share() {
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
    let (while_down, most) = (count(&tickets, killed, down), most_within(SECOND, &tickets));
    eprintln!("{while_down} while it was dead for {down:?}; at most {most} in a second");
    let fair = down.as_secs_f64() * RATE as f64;
    assert!((0.7 * fair..1.1 * fair + 6.0).contains(&(while_down as f64)), "{while_down} of {fair}");
    assert!(most <= RATE * 3 / 2 + 2, "{most}");
    assert!(workers.iter().all(|worker| losses(worker) == 1));
}

#[test]
fn a_server_that_forgets_everything_costs_nothing() {
    let redis = Redis::start();
    let mut workers = start(iter::repeat_n(job(redis.url(), 30), 4));
    wait_for_members(&workers, 4);
    for _ in 0..2 {
        sleep(2 * SECOND);
        redis.ask("FLUSHALL");
    }
    finish_all(&mut workers, 30);
    let most = most_within(SECOND, &tickets(&workers));
    eprintln!("forgotten: at most {most} in a second");
    assert!(most <= RATE * 3 / 2 + 2, "{most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
}

#[test]
fn a_slow_server_does_not_slow_calls() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    proxy.delay(SECOND / 2);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 40), 4));
    finish_all(&mut workers, 40);
    let tickets = tickets(&workers);
    let span = tickets.last().unwrap().saturating_sub(tickets[0]);
    let (rate, most) = (tickets.len() as f64 / span.as_secs_f64(), most_within(SECOND, &tickets));
    eprintln!("500 ms later: {rate:.1} a second in {span:?}, at most {most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    assert!(rate >= 0.85 * RATE as f64, "{rate}");
    assert!(most <= RATE + 4, "{most}");
}

#[test]
fn half_of_them_cut_off_go_on_with_what_they_had() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let urls = [proxy.url(), proxy.url(), redis.url(), redis.url()];
    let mut workers = start(urls.map(|url| job(url, 60)));
    wait_for_members(&workers, 4);
    sleep(2 * SECOND);
    let cut = now();
    proxy.cut(true);
    workers[..2].iter().for_each(|worker| wait_for_loss(worker, cut));
    let began = now();
    sleep(3 * SECOND);
    let theirs = count(&tickets(&workers[..2]), began, 3 * SECOND);
    let mended = now();
    proxy.cut(false);
    wait_for_returns(&workers[..2], mended);
    finish_all(&mut workers, 60);
    let most = most_within(SECOND, &tickets(&workers));
    eprintln!("cut off: {theirs} in 3 s; of all at most {most} in a second");
    // Half of 20 a second.
    assert!((20..=36).contains(&theirs), "{theirs}");
    assert!(most <= RATE * 3 / 2 + 5, "{most}");
    let warned: Vec<_> = workers.iter().map(losses).collect();
    assert_eq!(warned, [1, 1, 0, 0]);
}

#[test]
fn what_a_killed_process_had_is_free_again() {
    let redis = Redis::start();
    let takes = SECOND / 2;
    let job = |calls| Job { max_in_flight: Some(4), takes: 500, ..job(redis.url(), calls) };
    let mut workers = start([job(200), job(50)]);
    wait_for_members(&workers, 2);
    sleep(2 * SECOND);
    workers[0].kill();
    let killed = now();
    finish(&mut workers[1], 50);
    let most = most_within(takes - takes / 50, &tickets(&workers));
    let theirs = workers[1].tickets();
    let free = theirs
        .windows(4)
        .find(|calls| calls[0] >= killed && calls[3] < calls[0] + takes)
        .map(|calls| calls[3] - killed);
    let before = count(&theirs, killed - SECOND, SECOND);
    let after = count(&theirs, killed + 4 * SECOND, SECOND);
    eprintln!("at most {most} out; all 4 places after {free:?}; {before} a second before, {after} after");
    assert!(free.unwrap() <= 4 * SECOND + SECOND / 2);
    assert!(after >= 6, "{after}");
    assert!(most <= 4, "{most}");
    // None of the dead one's calls went twice.
    let told = workers[0].events().into_iter();
    let mut calls: Vec<_> =
        told.filter_map(|event| if let Event::Ticket { call, .. } = event { Some(call) } else { None }).collect();
    let went = calls.len();
    calls.sort_unstable();
    calls.dedup();
    assert_eq!(calls.len(), went);
}

#[test]
fn a_process_that_stood_still_does_not_catch_up() {
    stand_still(8 * SECOND, [60, 150, 150]);
}

#[test]
#[ignore = "real time: ci/nightly"]
fn a_process_that_stood_still_for_long_does_not_catch_up() {
    stand_still(30 * SECOND, [60, 350, 350]);
}

/// Stops the first of three processes, which make `counts` calls, for the time `still`.
fn stand_still(still: Duration, counts: [u64; 3]) {
    let redis = Redis::start();
    let mut workers = start(counts.map(|calls| job(redis.url(), calls)));
    wait_for_members(&workers, 3);
    sleep(2 * SECOND);
    workers[0].signal("STOP");
    let stopped = now();
    sleep(still);
    let woken = now();
    workers[0].signal("CONT");
    workers[1].wait_for(RETURN, |events| {
        events.iter().any(|event| matches!(event, Event::Fleet { members: 3, at, .. } if *at >= woken))
    });
    eprintln!("a member again after {:?}", now() - woken);
    for (worker, calls) in workers.iter_mut().zip(counts) {
        finish(worker, calls);
    }
    let all = tickets(&workers);
    let theirs = workers[0].tickets();
    let while_stopped = count(&theirs, stopped + SECOND / 10, woken - stopped - SECOND / 10);
    let meanwhile = count(&all, stopped + 4 * SECOND, still - 4 * SECOND) as f64 / (still - 4 * SECOND).as_secs_f64();
    let (first, most) = (count(&theirs, woken, SECOND / 10), count(&all, woken, SECOND));
    eprintln!(
        "the others {meanwhile:.1} a second; then {first} in its first 100 ms, {most} of all in the first second"
    );
    assert_eq!(while_stopped, 0);
    assert!(meanwhile > 0.85 * RATE as f64, "{meanwhile}");
    assert!(first <= 3, "{first}");
    assert!(most <= RATE + 4, "{most}");
    assert!(workers.iter().all(|worker| losses(worker) <= 1));
}

#[test]
fn without_a_server_calls_wait_or_go_as_is_wanted() {
    let mut servers = [Redis::start(), Redis::start()];
    let jobs = |loss: &str, url: String, calls| Job { loss: loss.to_owned(), ..job(url, calls) };
    let mut closed = start(iter::repeat_n(jobs("closed", servers[0].url(), 40), 2));
    let mut open = start(iter::repeat_n(jobs("open", servers[1].url(), 110), 2));
    wait_for_members(&closed, 2);
    wait_for_members(&open, 2);
    sleep(SECOND);
    let killed = now();
    servers.iter_mut().for_each(Redis::kill);
    closed.iter().chain(&open).for_each(|worker| wait_for_loss(worker, killed));
    let began = now();
    sleep(3 * SECOND);
    let restarted = now();
    servers.iter_mut().for_each(Redis::restart);
    wait_for_returns(&closed, restarted);
    wait_for_returns(&open, restarted);
    finish_all(&mut closed, 40);
    finish_all(&mut open, 110);
    let waited = count(&tickets(&closed), began + SECOND / 10, restarted - began - SECOND / 10);
    let went = count(&tickets(&open), began, restarted - began);
    eprintln!("closed: {waited} in 3 s; open: {went}");
    assert_eq!(waited, 0);
    assert!((90..=130).contains(&went), "{went}");
    assert!(closed.iter().chain(&open).all(|worker| losses(worker) == 1));
}

#[test]
fn other_limits_are_told_of_and_not_shared() {
    let redis = Redis::start();
    // Any of the three may be named.
    let mut first = start(iter::repeat_n(Job { per_minute: 600, stays: 1500, ..job(redis.url(), 10) }, 3));
    wait_for_members(&first, 3);
    let mut second = Worker::start(&Job { per_minute: 300, stays: 3000, ..job(redis.url(), 25) });
    finish_all(&mut first, 10);
    let (end, apart) = (now(), second.tickets());
    let back = wait_for_return(&second, end - SECOND / 20);
    finish(&mut second, 25);
    let said = second.warnings();
    eprintln!("{said:?}; {} calls beside the others, joined {back:?} after their end", apart.len());
    // It never had a part, and there are four: 1.25 calls a second, of 5.
    assert!(apart.len() >= 2 && most_within(2 * SECOND, &apart) <= 3, "{apart:?}");
    let told: Vec<_> = said.iter().filter(|line| line.contains("has other limits in process")).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("600") && told[0].contains("300"), "{told:?}");
    assert_eq!(losses(&second), 0);
    for worker in &first {
        assert_eq!(worker.warnings(), [""; 0]);
    }
}

#[test]
fn an_answer_that_is_lost_is_not_given_twice() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 35), 4));
    wait_for_members(&workers, 4);
    for _ in 0..8 {
        proxy.lose_answer();
        sleep(SECOND * 2 / 5);
    }
    // Shorter than anybody's patience.
    proxy.cut(true);
    sleep(SECOND * 7 / 10);
    proxy.cut(false);
    finish_all(&mut workers, 35);
    let tickets = tickets(&workers);
    let span = tickets.last().unwrap().saturating_sub(tickets[0]);
    let (rate, most) = (tickets.len() as f64 / span.as_secs_f64(), most_within(SECOND, &tickets));
    eprintln!("lost answers: {rate:.1} a second, at most {most}");
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    assert!(rate >= 0.8 * RATE as f64, "{rate}");
    assert!(most <= RATE + 4, "{most}");
}

/// An authority of its own, and what it says of 127.0.0.1.
fn certificates(directory: &Path) -> [String; 3] {
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let server = params.signed_by(&server_key, &issuer).unwrap();
    [("ca.pem", certificate.pem()), ("server.pem", server.pem()), ("server.key", server_key.serialize_pem())].map(
        |(name, text)| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        },
    )
}

#[test]
fn a_line_is_encrypted_and_a_password_is_never_shown() {
    let directory = tempfile::tempdir().unwrap();
    let [authority, certificate, key] = certificates(directory.path());
    let port = free_port();
    let encrypted = port.to_string();
    #[rustfmt::skip]
    let _redis = Redis::on("redis-server", port, &[
        "--port", "0", "--tls-port", &encrypted, "--tls-cert-file", &certificate, "--tls-key-file", &key,
        "--tls-ca-cert-file", &authority, "--tls-auth-clients", "no", "--requirepass", "hunter2",
    ]);
    let trusted = [("SSL_CERT_FILE", Path::new(&authority))];
    let url = |password| format!("rediss://:{password}@127.0.0.1:{port}/");
    let mut workers: Vec<_> = (0..2).map(|_| Worker::start_with(&job(url("hunter2"), 30), &trusted)).collect();
    wait_for_members(&workers, 2);
    let mut wrong = Worker::start_with(&job(url("swordfish"), 20), &trusted);
    // It trusts none who has signed this.
    let mut doubting = Worker::start(&job(url("hunter2"), 20));
    finish_all(&mut workers, 30);
    finish(&mut wrong, 20);
    finish(&mut doubting, 20);
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    for worker in [&wrong, &doubting] {
        let said = worker.warnings();
        eprintln!("{said:?}");
        assert_eq!((said.len(), losses(worker)), (1, 1));
        assert!(said[0].contains(&format!("127.0.0.1:{port}")), "{said:?}");
        assert!(!said[0].contains("swordfish") && !said[0].contains("hunter2"));
    }
    assert!(wrong.warnings()[0].contains("it rejects the user name or the password"), "{:?}", wrong.warnings());
}

/// As a router does that has forgotten them: no end of the connections is told.
#[test]
fn connections_that_hang_for_ever_are_given_up() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.port);
    let mut workers = start(iter::repeat_n(job(proxy.url(), 60), 2));
    wait_for_members(&workers, 2);
    sleep(SECOND);
    let forgotten = now();
    proxy.forget_open();
    let tickets_after = |span| count(&tickets(&workers), forgotten, span);
    sleep(RETURN);
    let meanwhile = tickets_after(RETURN);
    finish_all(&mut workers, 60);
    eprintln!("{meanwhile} in the {RETURN:?} after");
    // One second, in which nothing answers, is bridged by what was leased before or lost.
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

#[test]
fn a_server_that_does_not_speak_tls_is_told_of_as_asked_over_it() {
    let redis = Redis::start();
    let mut worker = Worker::start(&job(format!("rediss://127.0.0.1:{}", redis.port), 20));
    finish(&mut worker, 20);
    let said = worker.warnings();
    assert!(said.len() == 1 && said[0].contains("the connection uses TLS"), "{said:?}");
}

#[test]
fn a_password_that_is_put_right_is_taken_at_once() {
    let redis = Redis::of("redis-server", &["--requirepass", "hunter2"]);
    let url = format!("redis://:swordfish@127.0.0.1:{}", redis.port);
    let mut worker = Worker::start(&job(url, 80));
    wait_for_loss(&worker, Duration::ZERO);
    sleep(SECOND);
    let answers = redis.ask("AUTH hunter2\r\nCONFIG SET requirepass swordfish");
    assert_eq!(answers.matches("+OK").count(), 2, "{answers}");
    let back = wait_for_return(&worker, now());
    finish(&mut worker, 80);
    eprintln!("shared {back:?} after");
    assert_eq!(losses(&worker), 1, "{:?}", worker.warnings());
}

/// As a server does that was made a replica.
#[test]
fn a_server_that_answers_but_keeps_nothing_is_as_good_as_none() {
    let redis = Redis::start();
    // More than they can make while it keeps nothing.
    let mut workers = start(iter::repeat_n(job(redis.url(), 80), 2));
    wait_for_members(&workers, 2);
    sleep(SECOND);
    let began = now();
    assert_eq!(redis.ask("REPLICAOF 127.0.0.1 1"), "+OK\r\n");
    workers.iter().for_each(|worker| wait_for_loss(worker, began));
    sleep(3 * SECOND);
    let mended = now();
    assert_eq!(redis.ask("REPLICAOF NO ONE"), "+OK\r\n");
    wait_for_returns(&workers, mended);
    finish_all(&mut workers, 80);
    let meanwhile = count(&tickets(&workers), began + SECOND, 2 * SECOND);
    eprintln!("{meanwhile} in 2 s while it kept nothing");
    assert!((2 * RATE * 3 / 4..=2 * RATE + 4).contains(&meanwhile), "{meanwhile}");
    for worker in &workers {
        let said = worker.warnings();
        let [lost, again] = &said[..] else { panic!("{said:?}") };
        assert!(lost.contains("READONLY") && again.contains("reachable again"), "{said:?}");
    }
}
