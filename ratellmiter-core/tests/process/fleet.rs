//! A limiter shared by several real processes over a real server. `src/fleet/tests` asserts most of these guarantees in virtual time, and
//! `ci/nightly` asserts them here.

#[path = "../../../examples/server.rs"]
mod server;

use std::{
    iter::repeat_n,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use ratellmiter_core::sim::{Provider, RetryAfter};

use crate::{
    redis::{Redis, programs},
    worker::{Event, Job, Worker, all_tickets, check_calls, finish_all, max_within, soon, span, speed, start},
};

const SECOND: Duration = Duration::from_secs(1);
/// Time after which a worker is broken.
const TIMEOUT: Duration = Duration::from_secs(150);

/// Serialises the tests that keep the machine busy.
fn run_alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
#[ignore = "real time: ci/nightly"]
fn four_processes_share_one_even_rate_on_every_server() {
    let _guard = run_alone();
    for program in programs() {
        let redis = Redis::with_arguments(program, &[]);
        let job = Job { url: redis.url(), per_minute: 6000, calls: 250, start_at_ms: soon(), ..Job::default() };
        let mut workers = start(repeat_n(job.clone(), 4));
        finish_all(&mut workers, &job, TIMEOUT);
        let tickets = all_tickets(&workers);
        eprintln!("{program}: {:.1} of 100 a second, {} at most", speed(&tickets), max_within(SECOND, &tickets));
        assert!(speed(&tickets) >= 98.0 && max_within(SECOND, &tickets) <= 103);
        assert_eq!(
            redis.command("KEYS *").lines().nth(2),
            Some("{ratellmiter:test:model}"),
            "one key, which is all hash tag"
        );
    }
}

#[test]
#[ignore = "real time: ci/nightly"]
#[allow(clippy::cast_precision_loss)]
fn eight_processes_get_fair_parts_with_few_reports() {
    let _guard = run_alone();
    let redis = Redis::start();
    let job = Job { url: redis.url(), per_minute: 60_000, calls: 1000, start_at_ms: soon(), ..Job::default() };
    let mut workers = start(repeat_n(job.clone(), 8));
    finish_all(&mut workers, &job, TIMEOUT);
    let tickets = all_tickets(&workers);
    let steps = redis.script_calls() as f64 / span(&tickets).as_secs_f64();
    // While all processes have queued calls.
    let end = workers.iter().map(|worker| *worker.tickets().last().unwrap()).min().unwrap();
    let begin = workers.iter().map(|worker| worker.tickets()[0]).max().unwrap();
    let parts = workers.iter().map(|worker| worker.tickets().iter().filter(|at| (begin..end).contains(*at)).count());
    let parts: Vec<f64> = parts.map(|part| part as f64).collect();
    let sum: f64 = parts.iter().sum();
    let jain = sum * sum / (8.0 * parts.iter().map(|part| part * part).sum::<f64>());
    eprintln!("{:.1} of 1000 a second; {steps:.1} reports a second; Jain {jain:.4}; {parts:?}", speed(&tickets));
    assert!(steps < 50.0, "{steps}");
    assert!(jain >= 0.98, "{jain}: {parts:?}");
    assert!(speed(&tickets) >= 970.0, "{}", speed(&tickets));
    assert!(max_within(SECOND, &tickets) <= 1050, "{}", max_within(SECOND, &tickets));
}

#[test]
#[ignore = "real time: ci/nightly"]
fn first_ticket_of_an_idle_fleet_takes_one_report() {
    let _guard = run_alone();
    let redis = Redis::start();
    let job = Job { url: redis.url(), calls: 1, delay_ms: 2500, linger_ms: 500, ..Job::default() };
    let worker = Worker::start(&job);
    worker.wait_for(TIMEOUT, |events| events.iter().any(|event| matches!(event, Event::Fleet { members: 1, .. })));
    let mut before = redis.script_calls();
    // One of the reports of an idle process may also be in this interval.
    let ticket = loop {
        let steps = redis.script_calls();
        match worker.tickets().first() {
            Some(_) => break steps,
            None => before = steps,
        }
        thread::sleep(Duration::from_millis(2));
    };
    assert!(ticket - before <= 2, "{} reports", ticket - before);
}

#[test]
fn slow_rate_is_shared_by_four_processes() {
    let redis = Redis::start();
    let job = Job { url: redis.url(), per_minute: 60, calls: 3, ..Job::default() };
    let mut workers = start(repeat_n(job.clone(), 4));
    finish_all(&mut workers, &job, TIMEOUT);
    let tickets = all_tickets(&workers);
    eprintln!("{:.3} of 1 a second", speed(&tickets));
    assert!(max_within(SECOND, &tickets) <= 2 && max_within(4 * SECOND, &tickets) <= 5);
    assert!(speed(&tickets) >= 0.93, "{}", speed(&tickets));
}

#[test]
#[ignore = "real time: ci/nightly"]
fn single_process_uses_its_whole_rate() {
    let _guard = run_alone();
    let rates = [300, 470, 900];
    let servers = rates.map(|_| Redis::start());
    let jobs = rates.into_iter().zip(&servers).map(|(per_minute, redis)| {
        let calls = u64::from(per_minute) * 9 / 60;
        Job { url: redis.url(), per_minute, calls, start_at_ms: soon(), ..Job::default() }
    });
    let jobs: Vec<_> = jobs.collect();
    let mut workers = start(jobs.clone());
    for (worker, job) in workers.iter_mut().zip(&jobs) {
        check_calls(&worker.finish(TIMEOUT), job);
        let part = speed(&worker.tickets()) * 60.0 / f64::from(job.per_minute);
        eprintln!("alone: {part:.3} of {} a minute", job.per_minute);
        assert!(part >= 0.98, "{part} of {}", job.per_minute);
    }
}

#[test]
#[ignore = "real time: ci/nightly"]
fn jump_in_demand_is_ramped_once_for_all_processes() {
    let _guard = run_alone();
    let redis = Redis::start();
    let job = Job { url: redis.url(), per_minute: 6000, ramp: true, calls: 100, ..Job::default() };
    let mut workers = start(repeat_n(job.clone(), 4));
    finish_all(&mut workers, &job, TIMEOUT);
    let tickets = all_tickets(&workers);
    let by_second: Vec<_> = (0..5_u32)
        .map(|second| {
            let from = tickets[0] + SECOND * second;
            tickets.iter().filter(|at| (from..from + SECOND).contains(*at)).count()
        })
        .collect();
    eprintln!("{by_second:?}");
    for (second, count) in by_second.iter().enumerate() {
        let allowed = 25 + 10 * second;
        assert!(*count <= allowed + 3, "{by_second:?}");
        assert!(*count + 8 >= allowed, "{by_second:?}");
    }
}

#[test]
fn refused_call_pauses_all_processes_and_is_their_canary() {
    let redis = Redis::start();
    let job = Job { url: redis.url(), per_minute: 3000, calls: 150, latency_ms: 400, hint_ms: 1500, ..Job::default() };
    let one = Job { refused: vec![40], ..job.clone() };
    let mut workers = start([one, job.clone(), job.clone(), job.clone()]);
    finish_all(&mut workers, &job, TIMEOUT);
    let refused = workers[0].events().iter().find_map(|event| match event {
        Event::Refused { at, .. } => Some(*at),
        _ => None,
    });
    let refused = refused.unwrap();
    let tickets = all_tickets(&workers);
    let canary = *workers[0].tickets().iter().find(|at| **at > refused + SECOND).unwrap();
    let in_pause = tickets.iter().filter(|at| (refused + Duration::from_millis(450)..canary).contains(*at)).count();
    assert_eq!(in_pause, 0, "one period after the refusal, all processes know of it");
    let hint = canary.saturating_sub(refused);
    assert!((1500..2300).contains(&hint.as_millis()), "{hint:?}");
    let events = workers[0].events();
    assert!(events.contains(&Event::Ticket { call: 40, at: canary }), "the refused call is the canary");
    let next = *tickets.iter().find(|at| **at > canary).unwrap();
    assert!(next.saturating_sub(canary) >= Duration::from_millis(350), "it is in flight alone until it ends");
}

#[test]
#[ignore = "real time: ci/nightly"]
fn calls_in_flight_are_bounded_for_all_processes_together() {
    let _guard = run_alone();
    for (limit, min_usage) in [(4, 0.6), (1, 0.4)] {
        let redis = Redis::start();
        let job = Job {
            url: redis.url(),
            per_minute: 6000,
            max_in_flight: Some(limit),
            calls: 10,
            latency_ms: 150,
            ..Job::default()
        };
        let mut workers = start(repeat_n(job.clone(), 4));
        finish_all(&mut workers, &job, TIMEOUT);
        let mut changes: Vec<(Duration, i32)> = Vec::new();
        for event in workers.iter().flat_map(Worker::events) {
            match event {
                Event::Ticket { at, .. } => changes.push((at, 1)),
                Event::Done { at, .. } => changes.push((at, -1)),
                _ => {}
            }
        }
        changes.sort_unstable();
        let (mut in_flight, mut max) = (0, 0);
        for (_, change) in &changes {
            in_flight += change;
            max = max.max(in_flight);
        }
        let time = changes.last().unwrap().0.saturating_sub(changes[0].0).as_secs_f64();
        let used = 40.0 * 0.15 / (time * f64::from(limit));
        #[allow(clippy::cast_precision_loss)]
        let steps = redis.script_calls() as f64 / time;
        eprintln!("at most {max} of {limit} in flight, {:.0} % used; {steps:.0} reports a second", used * 100.0);
        assert!(steps < 120.0, "{steps}");
        assert!(max <= i32::try_from(limit).unwrap(), "{max} of {limit}");
        assert!(used >= min_usage, "{used}");
    }
}

#[test]
#[ignore = "real time: ci/nightly"]
fn tokens_and_daily_requests_are_shared_budgets() {
    let _guard = run_alone();
    let redis = Redis::start();
    // 100 tokens a second. The tokens of one second may be charged at once, as in one process.
    let job = Job { url: redis.url(), tokens_per_minute: Some(6000), tokens: 20, calls: 15, ..Job::default() };
    let mut workers = start(repeat_n(job.clone(), 4));
    finish_all(&mut workers, &job, TIMEOUT);
    let tickets = all_tickets(&workers);
    let tokens = (speed(&tickets) * 20.0).round();
    eprintln!("{tokens} of 100 tokens a second in {:?}", span(&tickets));
    assert!((85.0..=112.0).contains(&tokens), "{tokens}");

    let redis = Redis::start();
    let job = Job { url: redis.url(), requests_per_day: Some(30), calls: 20, ..Job::default() };
    let workers = start(repeat_n(job, 4));
    let began = Instant::now();
    while all_tickets(&workers).len() < 30 {
        assert!(began.elapsed() < TIMEOUT, "{}", all_tickets(&workers).len());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(2 * SECOND);
    assert_eq!(all_tickets(&workers).len(), 30, "of 30 a day");
}

/// Runs `processes` with a simulated provider over HTTP. Returns the tickets, the refusals per call, and the time from the first ticket to
/// the end of the last call.
fn simulate(provider: Provider, processes: usize, job: &Job) -> (Vec<Duration>, f64, Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, counts) = runtime.block_on(server::start(provider, 0)).unwrap();
    let redis = Redis::start();
    let job = Job { url: redis.url(), provider: Some(format!("http://{address}/v1/chat/completions")), ..job.clone() };
    let mut workers = start(repeat_n(job.clone(), processes));
    finish_all(&mut workers, &job, TIMEOUT);
    let tickets = all_tickets(&workers);
    let done = workers.iter().flat_map(Worker::events).filter_map(|event| match event {
        Event::Done { at, .. } => Some(at),
        _ => None,
    });
    let time = done.max().unwrap().saturating_sub(tickets[0]);
    #[allow(clippy::cast_precision_loss)]
    let calls = job.calls as f64 * processes as f64;
    let refusals = f64::from(u32::try_from(counts.too_many.load(Ordering::Relaxed)).unwrap()) / calls;
    (tickets, refusals, time)
}

#[test]
#[ignore = "real time: ci/nightly"]
fn processes_use_the_whole_limit_with_few_refusals() {
    let _guard = run_alone();
    for processes in [4, 8] {
        let provider = Provider::new(3)
            .bucket(3000, SECOND)
            .latency(Duration::from_millis(200), 0.3, 0.0)
            .retry_after(RetryAfter::Exact);
        let job = Job { per_minute: 3000, calls: 1000 / processes as u64, start_at_ms: soon(), ..Job::default() };
        let (tickets, refusals, _) = simulate(provider, processes, &job);
        eprintln!(
            "{processes} processes: {:.2} of 50 a second, {refusals:.4} refusals a call, {} within a second at most",
            speed(&tickets),
            max_within(SECOND, &tickets)
        );
        assert!(speed(&tickets) >= 49.0 && refusals <= 0.02, "{} {refusals}", speed(&tickets));
        assert!(max_within(10 * SECOND, &tickets) <= 505);
    }
}

/// Scenario G of the league, with one shared limiter instead of four.
#[test]
#[ignore = "real time: ci/nightly"]
fn four_processes_are_as_fast_as_one() {
    let provider = Provider::new(7)
        .bucket(300, SECOND)
        .latency(Duration::from_millis(2500), 0.6, 0.0)
        .refused_after(Duration::from_millis(100))
        .retry_after(RetryAfter::Seconds);
    let job = Job { per_minute: 300, ramp: true, calls: 125, ..Job::default() };
    let (tickets, refusals, time) = simulate(provider, 4, &job);
    let minute = max_within(Duration::from_mins(1), &tickets);
    eprintln!("the last call ends after {time:?}; {refusals:.4} refusals a call; {minute} within a minute");
    assert!(time <= Duration::from_secs(112), "{time:?}");
    assert!(refusals <= 0.02, "{refusals}");
    assert!(minute <= 300, "{minute}");
}

#[test]
#[ignore = "real time: ci/nightly"]
fn tokens_are_spread_as_evenly_as_calls() {
    let _guard = run_alone();
    // Each call costs the tokens of a fifth of a second, or of two seconds.
    for (tokens, calls) in [(20, 10), (200, 1)] {
        let redis = Redis::start();
        let job = Job {
            url: redis.url(),
            tokens_per_minute: Some(6000),
            tokens,
            calls,
            start_at_ms: soon(),
            ..Job::default()
        };
        let mut workers = start(repeat_n(job.clone(), 8));
        finish_all(&mut workers, &job, TIMEOUT);
        let tickets = all_tickets(&workers);
        let within = |seconds: u32| max_within(SECOND * seconds, &tickets) as u64 * tokens;
        let max = [within(1), within(2), within(10)];
        eprintln!("{tokens} a call: at most {max:?} tokens within 1, 2 and 10 s, in {:?}", span(&tickets));
        // A call is charged when it is sent, up to a quarter of a second is made up for, and a timer may be late.
        for (max, seconds) in max.into_iter().zip([1, 2, 10]) {
            assert!(max <= 100 * seconds + 2 * tokens + 25, "{max} within {seconds} s");
        }
    }
}

#[test]
#[ignore = "real time: ci/nightly"]
fn small_and_large_calls_use_the_whole_budget_together() {
    let _guard = run_alone();
    let redis = Redis::start();
    let job = |tokens| {
        let (url, tokens_per_minute) = (redis.url(), Some(6000));
        Job { url, per_minute: 1200, tokens_per_minute, tokens, calls: 40, start_at_ms: soon(), ..Job::default() }
    };
    let mut workers = start([1, 1, 20, 20].map(job));
    workers.iter_mut().for_each(|worker| check_calls(&worker.finish(TIMEOUT), &job(1)));
    let time = span(&all_tickets(&workers));
    // 1,680 tokens at 100 a second, without the last call.
    eprintln!("{time:?} in place of 16.6 s");
    assert!(time <= Duration::from_millis(17_500), "{time:?}");
}
