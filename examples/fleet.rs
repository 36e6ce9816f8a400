//! Four worker processes that share one limit: each makes 40 calls to a server that allows 300 a minute in total and is
//! overloaded for three seconds during the run. The processes share their limiter over a Redis server, and one picture shows all
//! of them.
//!
//! `cargo run -p ratellmiter-examples --features redis --bin fleet -- redis://127.0.0.1:6379`

mod server;

use std::{
    env,
    error::Error,
    ops::Range,
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::Ordering,
    time::Duration,
};

use futures::future::try_join_all;
use ratellmiter_core::{
    Config,
    fleet::FleetConfig,
    monitor, ratellmiter,
    sim::{Provider, RetryAfter},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

const MODEL: &str = "gpt-4o";
const WORKERS: u32 = 4;
const CALLS: u32 = 40;
const PER_MINUTE: u32 = 300;
const OUTAGE: Range<Duration> = Duration::from_secs(12)..Duration::from_secs(15);

#[ratellmiter(model = MODEL)]
async fn answer(client: &reqwest::Client, url: &str, prompt: String) -> Result<Value, reqwest::Error> {
    let request = json!({ "model": MODEL, "messages": [{ "role": "user", "content": prompt }] });
    client.post(url).json(&request).send().await?.error_for_status()?.json().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("fleet: {error}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => lead("redis://127.0.0.1:6379").await,
        [redis] => lead(redis).await,
        ["worker", redis, namespace, url] => work(redis, namespace, url).await,
        _ => Err("usage: fleet [redis://HOST:PORT]".into()),
    }
}

/// Runs one worker. Its first line is all that a fleet adds to a program; in a configuration file it is `shared = "..."`.
async fn work(redis: &str, namespace: &str, url: &str) -> Result<(), Box<dyn Error>> {
    monitor().share_over(FleetConfig::redis(redis)?.namespace(namespace));
    let log = monitor().start(Config::new().default_rate_limit(PER_MINUTE))?;
    let client = reqwest::Client::new();
    try_join_all((0..CALLS).map(|number| answer(&client, url, format!("question {number}")))).await?;
    monitor().stop().await?;
    println!("{}", log.display());
    Ok(())
}

async fn lead(redis: &str) -> Result<(), Box<dyn Error>> {
    let provider = Provider::new(1)
        .bucket(PER_MINUTE, Duration::from_secs(1))
        .latency(Duration::from_millis(600), 0.4, 0.0)
        .outage(OUTAGE, 529, RetryAfter::Missing);
    let (address, server) = server::start(provider, 0).await?;
    let url = format!("http://{address}/v1/chat/completions");
    let namespace = format!("fleet-example-{}", std::process::id());
    // Checks that Redis is available: the workers would continue without it, each with its own limiter.
    monitor().share_over(FleetConfig::redis(redis)?.namespace(format!("{namespace}-leader")));
    monitor().limiter(MODEL).wait_until_shared().await?;
    let start = Instant::now();
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(Worker::start(redis, &namespace, &url)?);
        sleep(Duration::from_millis(300)).await;
    }
    let mut logs = Vec::new();
    for worker in workers {
        logs.push(tokio::task::spawn_blocking(move || worker.log()).await??);
    }
    let elapsed = start.elapsed();
    let calls = WORKERS * CALLS;
    println!("calls      {calls} answered, {CALLS} in each of {WORKERS} processes, with {} requests", {
        server.requests.load(Ordering::Relaxed)
    });
    println!(
        "refusals   {} for the rate (429), {} in the outage (529)",
        server.too_many.load(Ordering::Relaxed),
        server.overloaded.load(Ordering::Relaxed)
    );
    println!(
        "time       {:.1} s; at {PER_MINUTE} a minute the calls take {} s, and the outage lasted {} s",
        elapsed.as_secs_f64(),
        60 * calls / PER_MINUTE,
        OUTAGE.end.saturating_sub(OUTAGE.start).as_secs()
    );
    print!("picture    ");
    let files = logs.iter().map(|log| format!("-file={log}"));
    let arguments = ["ratellmiter".to_owned(), format!("-model={MODEL}")].into_iter().chain(files);
    match ratellmiter_cli::run(arguments, &mut std::io::stdout(), &mut std::io::stderr()) {
        ratellmiter_cli::DONE => Ok(()),
        _ => Err("the picture could not be drawn".into()),
    }
}

/// A worker process, killed when dropped.
struct Worker(Option<Child>);

impl Worker {
    fn start(redis: &str, namespace: &str, url: &str) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["worker", redis, namespace, url]).stdout(Stdio::piped());
        Ok(Self(Some(command.spawn()?)))
    }

    /// Waits for the process to end and returns the path of its log.
    fn log(mut self) -> std::io::Result<String> {
        let Some(child) = self.0.take() else { return Ok(String::new()) };
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(std::io::Error::other("a worker failed"));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
        }
    }
}
