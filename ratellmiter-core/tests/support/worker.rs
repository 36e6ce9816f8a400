//! Workers of a fleet: real processes, which are this test binary run again.

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

/// What one worker does: so many calls at once, each of which takes a while.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    pub url: String,
    pub loss: String,
    pub per_minute: u32,
    pub ramp: bool,
    pub max_in_flight: Option<u32>,
    pub tokens_per_minute: Option<u64>,
    pub requests_per_day: Option<u64>,
    /// What each call is said to cost.
    pub tokens: u64,
    pub calls: u64,
    /// How long a call is out, in milliseconds.
    pub takes: u64,
    /// Of the calls, these are refused once, each with a hint of so many milliseconds.
    pub refused: Vec<u64>,
    pub hint: u64,
    /// For how long it stays after its calls, in milliseconds.
    pub stays: u64,
    /// After how many milliseconds its calls begin, or when, in milliseconds since the epoch.
    pub waits: u64,
    pub begins: u64,
    /// Where a simulated provider answers, in place of calls that only take time.
    pub provider: Option<String>,
    /// Where its log is written, if it is.
    pub logs: Option<PathBuf>,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            url: String::new(),
            loss: "degrade".to_owned(),
            per_minute: 6000,
            ramp: false,
            max_in_flight: None,
            tokens_per_minute: None,
            requests_per_day: None,
            tokens: 0,
            calls: 100,
            takes: 0,
            refused: Vec::new(),
            hint: 1000,
            stays: 0,
            waits: 0,
            begins: 0,
            provider: None,
            logs: None,
        }
    }
}

/// What a worker tells, one to a line: `ticket CALL MICROS`, `done CALL MICROS`, `refused CALL MICROS`,
/// `warn TEXT`, `fleet MEMBERS LOST MICROS`, `ended`.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Since the epoch.
    Ticket {
        call: u64,
        at: Duration,
    },
    Done {
        call: u64,
        at: Duration,
    },
    Refused {
        call: u64,
        at: Duration,
    },
    Warned(String),
    Fleet {
        members: u64,
        is_lost: bool,
        at: Duration,
    },
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

    /// When its calls went.
    pub fn tickets(&self) -> Vec<Duration> {
        let tickets = self.events().into_iter();
        tickets.filter_map(|event| if let Event::Ticket { at, .. } = event { Some(at) } else { None }).collect()
    }

    pub fn warnings(&self) -> Vec<String> {
        let events = self.events().into_iter();
        events.filter_map(|event| if let Event::Warned(text) = event { Some(text) } else { None }).collect()
    }

    /// Waits until it has said so.
    pub fn wait_for(&self, most: Duration, what: impl Fn(&[Event]) -> bool) {
        let began = Instant::now();
        while !what(&self.events()) {
            assert!(began.elapsed() < most, "not within {most:?}: {:?}", self.lines.lock().unwrap());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end; gives all that it told.
    pub fn finish(&mut self, most: Duration) -> Vec<Event> {
        self.wait_for(most, |events| events.contains(&Event::Ended));
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
    // The harness writes the name of the test before the first line.
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

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn micros() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
}

/// In a worker, does its job and ends the process.
pub fn run_if_worker() {
    let Ok(text) = env::var(VARIABLE) else { return };
    let job: Job = serde_json::from_str(&text).unwrap();
    let warnings = Warnings::default();
    tracing::subscriber::set_global_default(warnings.clone()).unwrap();
    thread::spawn(move || {
        let mut told = 0;
        loop {
            let said = warnings.said();
            said[told..].lines().for_each(|line| tell(&format!("warn {line}")));
            told = said.len();
            thread::sleep(Duration::from_millis(5));
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(work(job));
    tell("ended");
    std::process::exit(0);
}

async fn work(job: Job) {
    let monitor: &'static Monitor = Box::leak(Box::new(Monitor::new()));
    let loss = match &*job.loss {
        "closed" => OnDisconnect::Wait,
        "open" => OnDisconnect::FullLimits,
        _ => OnDisconnect::Degrade,
    };
    monitor.share_over(FleetConfig::redis(&*job.url).unwrap().namespace("test").on_disconnect(loss));
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
                    tell(&format!("fleet {members} {} {}", u8::from(is_lost), micros()));
                }
                before = fleet;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let begins = u128::from(job.begins) * 1000;
    let until = Duration::from_micros(u64::try_from(begins.saturating_sub(micros())).unwrap());
    tokio::time::sleep(until + Duration::from_millis(job.waits)).await;
    let client = reqwest::Client::new();
    let calls = (0..job.calls).map(|call| {
        let (limiter, job, client) = (limiter.clone(), job.clone(), client.clone());
        tokio::spawn(async move {
            let ticket =
                if job.tokens > 0 { limiter.acquire_tokens(job.tokens, 0).await } else { limiter.acquire().await };
            let mut ticket = ticket;
            let mut is_refused = job.refused.contains(&call);
            loop {
                tell(&format!("ticket {call} {}", micros()));
                let hint = if let Some(url) = &job.provider {
                    let body = r#"{"messages": [{"content": "hi"}]}"#;
                    let answer = client.post(url).body(body).send().await.unwrap();
                    let header = |name: &str| answer.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
                    let seconds = header("retry-after").map(Duration::from_secs);
                    let hint = header("retry-after-ms").map(Duration::from_millis).or(seconds);
                    (!answer.status().is_success()).then_some(hint)
                } else {
                    tokio::time::sleep(Duration::from_millis(job.takes)).await;
                    std::mem::take(&mut is_refused).then_some(Some(Duration::from_millis(job.hint)))
                };
                let Some(hint) = hint else { break };
                tell(&format!("refused {call} {}", micros()));
                ticket = ticket.requeue_after(hint).await;
            }
            // Its place is another's from then on.
            let ended = micros();
            if job.tokens > 0 {
                ticket.finish_with_usage((job.tokens, 0));
            } else {
                ticket.finish();
            }
            tell(&format!("done {call} {ended}"));
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(job.stays)).await;
    monitor.stop().await.unwrap();
}

/// Starts a worker for each job.
pub fn start(jobs: impl IntoIterator<Item = Job>) -> Vec<Worker> {
    jobs.into_iter().map(|job| Worker::start(&job)).collect()
}

/// Waits for the end of all. Each call has ended once, and had one ticket for each time it was sent.
pub fn finish_all(workers: &mut [Worker], job: &Job, most: Duration) {
    for worker in workers {
        check(&worker.finish(most), job);
    }
}

/// No call was lost, and none was issued twice.
pub fn check(events: &[Event], job: &Job) {
    for call in 0..job.calls {
        let count = |is: &dyn Fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
        let tickets = count(&|event| matches!(event, Event::Ticket { call: of, .. } if *of == call));
        let refused = count(&|event| matches!(event, Event::Refused { call: of, .. } if *of == call));
        let done = count(&|event| matches!(event, Event::Done { call: of, .. } if *of == call));
        assert_eq!((done, tickets), (1, 1 + refused), "call {call}");
    }
}

/// When calls of all went, in order.
pub fn all_tickets(workers: &[Worker]) -> Vec<Duration> {
    let mut tickets: Vec<_> = workers.iter().flat_map(Worker::tickets).collect();
    tickets.sort_unstable();
    tickets
}

/// From the first to the last.
pub fn span(tickets: &[Duration]) -> Duration {
    tickets.last().unwrap().saturating_sub(tickets[0])
}

/// Tickets a second.
#[allow(clippy::cast_precision_loss)]
pub fn speed(tickets: &[Duration]) -> f64 {
    (tickets.len() - 1) as f64 / span(tickets).as_secs_f64()
}

/// The most tickets that went within any stretch so long.
pub fn most_within(width: Duration, tickets: &[Duration]) -> usize {
    let (mut most, mut first) = (0, 0);
    for (index, at) in tickets.iter().enumerate() {
        while *at >= tickets[first] + width {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}

/// For [`Job::begins`], when all of a few workers surely run.
pub fn soon() -> u64 {
    u64::try_from(micros() / 1000).unwrap() + 2500
}
