//! Workers of a fleet: real processes, in which this test binary runs again.

#![allow(dead_code, unreachable_pub)] // Each test uses a part.

use std::{
    env,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ratellmiter_core::{
    Config, Limits, Monitor,
    fleet::{FleetConfig, OnDisconnect},
};
use serde::{Deserialize, Serialize};

use super::{redis::lines_of, warnings::Warnings};

const VARIABLE: &str = "RATELLMITER_TEST_WORKER";
/// The test that calls [`run_if_worker`], in the root of the binary.
const TEST: &str = "a_worker";

/// The job of a worker: it starts `calls` calls at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    pub url: String,
    pub on_disconnect: String,
    pub per_minute: u32,
    pub ramp: bool,
    pub max_in_flight: Option<u32>,
    pub tokens_per_minute: Option<u64>,
    pub requests_per_day: Option<u64>,
    /// Estimated and used tokens of each call.
    pub tokens: u64,
    pub calls: u64,
    /// Latency of each call, in milliseconds.
    pub latency_ms: u64,
    /// Calls that are refused once, with a hint of `hint_ms` milliseconds.
    pub refused: Vec<u64>,
    pub hint_ms: u64,
    /// Time from the end of the calls to the end of the process, in milliseconds.
    pub linger_ms: u64,
    /// Start of the calls, in milliseconds since the epoch; 0 for at once.
    pub start_at_ms: u64,
    /// Time from `start_at_ms` to the first call, in milliseconds.
    pub delay_ms: u64,
    /// URL of a simulated provider, which replaces `latency_ms` and `refused`.
    pub provider: Option<String>,
    /// Directory of the log, if one is written.
    pub logs: Option<PathBuf>,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            url: String::new(),
            on_disconnect: "degrade".to_owned(),
            per_minute: 6000,
            ramp: false,
            max_in_flight: None,
            tokens_per_minute: None,
            requests_per_day: None,
            tokens: 0,
            calls: 100,
            latency_ms: 0,
            refused: Vec::new(),
            hint_ms: 1000,
            linger_ms: 0,
            start_at_ms: 0,
            delay_ms: 0,
            provider: None,
            logs: None,
        }
    }
}

/// An event of a worker, which writes each on a line: `ticket CALL MICROS`, `done CALL MICROS`, `refused CALL MICROS`, `warn TEXT`,
/// `fleet MEMBERS LOST MICROS` or `ended`. Times are since the epoch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Ticket { call: u64, at: Duration },
    Done { call: u64, at: Duration },
    Refused { call: u64, at: Duration },
    Warned(String),
    Fleet { members: u64, is_lost: bool, at: Duration },
    Ended,
}

pub struct Worker {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    /// Starts a process that does `job`.
    pub fn start(job: &Job) -> Self {
        Self::start_with(job, &[])
    }

    /// Starts a process that does `job`, with these environment variables added.
    pub fn start_with(job: &Job, variables: &[(&str, &Path)]) -> Self {
        Self::start_test(TEST, job, variables)
    }

    /// Starts a process that runs `test`, named with its module.
    pub fn start_test(test: &str, job: &Job, variables: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, serde_json::to_string(job).unwrap())
            .env("RATELLMITER_CONFIG", "/dev/null")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, lines }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{name}");
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn events(&self) -> Vec<Event> {
        self.lines.lock().unwrap().iter().filter_map(|line| parse(line)).collect()
    }

    /// Returns the times at which its calls were sent.
    pub fn tickets(&self) -> Vec<Duration> {
        let tickets = self.events().into_iter();
        tickets.filter_map(|event| if let Event::Ticket { at, .. } = event { Some(at) } else { None }).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let events = self.events().into_iter();
        events.filter_map(|event| if let Event::Warned(text) = event { Some(text) } else { None }).collect()
    }

    /// Waits until its events satisfy `condition`, for at most `timeout`.
    pub fn wait_for(&self, timeout: Duration, condition: impl Fn(&[Event]) -> bool) {
        let began = Instant::now();
        while !condition(&self.events()) {
            assert!(began.elapsed() < timeout, "not within {timeout:?}: {:?}", self.lines.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the end of the process and returns its events.
    pub fn finish(&mut self, timeout: Duration) -> Vec<Event> {
        self.wait_for(timeout, |events| events.contains(&Event::Ended));
        let _ = self.child.wait();
        self.events()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn parse(line: &str) -> Option<Event> {
    // The test harness writes the name of the test before the first line.
    let line = line.rsplit("... ").next()?;
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut numbers = rest.split(' ').map(str::parse::<u64>);
    let mut number = || numbers.next()?.ok();
    Some(match word {
        "ticket" => Event::Ticket { call: number()?, at: Duration::from_micros(number()?) },
        "done" => Event::Done { call: number()?, at: Duration::from_micros(number()?) },
        "refused" => Event::Refused { call: number()?, at: Duration::from_micros(number()?) },
        "warn" => Event::Warned(rest.to_owned()),
        "fleet" => Event::Fleet { members: number()?, is_lost: number()? > 0, at: Duration::from_micros(number()?) },
        "ended" => Event::Ended,
        _ => return None,
    })
}

fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// Returns the time since the epoch in microseconds.
fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

/// In a worker, runs the job and ends the process. Returns at once in other processes.
pub fn run_if_worker() {
    let Ok(text) = env::var(VARIABLE) else { return };
    let job: Job = serde_json::from_str(&text).unwrap();
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    thread::spawn(move || {
        let mut printed = 0;
        loop {
            let text = warnings.said();
            text[printed..].lines().for_each(|line| print_line(&format!("warn {line}")));
            printed = text.len();
            thread::sleep(Duration::from_millis(5));
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(run(job));
    print_line("ended");
    std::process::exit(0);
}

async fn run(job: Job) {
    let monitor: &'static Monitor = Box::leak(Box::new(Monitor::new()));
    let policy = match &*job.on_disconnect {
        "wait" => OnDisconnect::Wait,
        "full_limits" => OnDisconnect::FullLimits,
        _ => OnDisconnect::Degrade,
    };
    monitor.share_over(FleetConfig::redis(&*job.url).unwrap().namespace("test").on_disconnect(policy));
    let mut limits = Limits::per_minute(job.per_minute);
    limits = if job.ramp { limits } else { limits.no_ramp() };
    limits = job.max_in_flight.map_or(limits, |calls| limits.max_in_flight(calls));
    limits = job.tokens_per_minute.map_or(limits, |tokens| limits.tokens_per_minute(tokens));
    limits = job.requests_per_day.map_or(limits, |requests| limits.requests_per_day(requests));
    if let Some(logs) = &job.logs {
        monitor.start(Config::new().log_directory(logs.clone())).unwrap();
    }
    monitor.set_limits("model", limits);
    let limiter = monitor.limiter("model");
    tokio::spawn({
        let limiter = limiter.clone();
        async move {
            let mut before = None;
            loop {
                let fleet = limiter.snapshot().fleet.map(|fleet| (fleet.processes, fleet.is_disconnected));
                if fleet != before
                    && let Some((members, is_lost)) = fleet
                {
                    print_line(&format!("fleet {members} {} {}", u8::from(is_lost), micros()));
                }
                before = fleet;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let start = u128::from(job.start_at_ms) * 1000;
    let until_start = Duration::from_micros(u64::try_from(start.saturating_sub(micros())).unwrap());
    tokio::time::sleep(until_start + Duration::from_millis(job.delay_ms)).await;
    let client = reqwest::Client::new();
    let calls = (0..job.calls).map(|call| {
        let (limiter, job, client) = (limiter.clone(), job.clone(), client.clone());
        tokio::spawn(async move {
            let ticket =
                if job.tokens > 0 { limiter.acquire_tokens(job.tokens, 0).await } else { limiter.acquire().await };
            let mut ticket = ticket;
            let mut is_refused = job.refused.contains(&call);
            loop {
                print_line(&format!("ticket {call} {}", micros()));
                let hint = if let Some(url) = &job.provider {
                    let body = r#"{"messages": [{"content": "hi"}]}"#;
                    let response = client.post(url).body(body).send().await.unwrap();
                    let header = |name: &str| response.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
                    let seconds = header("retry-after").map(Duration::from_secs);
                    let hint = header("retry-after-ms").map(Duration::from_millis).or(seconds);
                    (!response.status().is_success()).then_some(hint)
                } else {
                    tokio::time::sleep(Duration::from_millis(job.latency_ms)).await;
                    std::mem::take(&mut is_refused).then_some(Some(Duration::from_millis(job.hint_ms)))
                };
                let Some(hint) = hint else { break };
                print_line(&format!("refused {call} {}", micros()));
                ticket = ticket.requeue_after(hint).await;
            }
            // Another call may be sent from then on.
            let ended = micros();
            if job.tokens > 0 {
                ticket.finish_with_usage((job.tokens, 0));
            } else {
                ticket.finish();
            }
            print_line(&format!("done {call} {ended}"));
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(job.linger_ms)).await;
    monitor.stop().await.unwrap();
}

/// Starts a worker for each job.
pub fn start(jobs: impl IntoIterator<Item = Job>) -> Vec<Worker> {
    jobs.into_iter().map(|job| Worker::start(&job)).collect()
}

/// Waits for the end of all workers, and checks their events.
pub fn finish_all(workers: &mut [Worker], job: &Job, timeout: Duration) {
    for worker in workers {
        check_calls(&worker.finish(timeout), job);
    }
}

/// Checks that each call has ended once, with one ticket more than refusals.
pub fn check_calls(events: &[Event], job: &Job) {
    for call in 0..job.calls {
        let count = |is: &dyn Fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
        let tickets = count(&|event| matches!(event, Event::Ticket { call: of, .. } if *of == call));
        let refused = count(&|event| matches!(event, Event::Refused { call: of, .. } if *of == call));
        let done = count(&|event| matches!(event, Event::Done { call: of, .. } if *of == call));
        assert_eq!((done, tickets), (1, 1 + refused), "call {call}");
    }
}

/// Returns the times at which calls of all workers were sent, in order.
pub fn all_tickets(workers: &[Worker]) -> Vec<Duration> {
    let mut tickets: Vec<_> = workers.iter().flat_map(Worker::tickets).collect();
    tickets.sort_unstable();
    tickets
}

/// Returns the time from the first ticket to the last.
pub fn span(tickets: &[Duration]) -> Duration {
    tickets.last().unwrap().saturating_sub(tickets[0])
}

/// Returns the mean rate of tickets, per second.
#[allow(clippy::cast_precision_loss)]
pub fn speed(tickets: &[Duration]) -> f64 {
    (tickets.len() - 1) as f64 / span(tickets).as_secs_f64()
}

/// Returns the maximum number of tickets in any interval of length `width`.
pub fn max_within(width: Duration, tickets: &[Duration]) -> usize {
    let (mut most, mut first) = (0, 0);
    for (index, at) in tickets.iter().enumerate() {
        while *at >= tickets[first] + width {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

/// Returns a value for [`Job::start_at_ms`] by which several workers have started.
pub fn soon() -> u64 {
    u64::try_from(micros() / 1000).unwrap() + 2500
}
