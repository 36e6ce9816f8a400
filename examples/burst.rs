//! The whole path from calls to the picture: 120 calls at once to a server that allows 300 a minute and is overloaded for five
//! seconds during the run. Every call succeeds, and the log is drawn.
//!
//! `cargo run -p ratellmiter-examples --bin burst`

mod server;

use std::{error::Error, ops::Range, sync::atomic::Ordering, time::Duration};

use futures::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use ratellmiter_core::{
    Config, monitor, ratellmiter,
    sim::{Provider, RetryAfter},
};
use serde_json::{Value, json};
use tokio::time::{Instant, interval};

const MODEL: &str = "gpt-4o";
const CALLS: u32 = 120;

/// The server's limit, in calls a minute.
const PER_MINUTE: u32 = 300;
/// The time during which the server is overloaded.
const OUTAGE: Range<Duration> = Duration::from_secs(12)..Duration::from_secs(17);

/// An ordinary API call; the attribute is the only addition.
#[ratellmiter(model = MODEL)]
async fn answer(client: &reqwest::Client, url: &str, prompt: String) -> Result<Value, reqwest::Error> {
    let request = json!({ "model": MODEL, "messages": [{ "role": "user", "content": prompt }] });
    client.post(url).json(&request).send().await?.error_for_status()?.json().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let provider = Provider::new(1)
        .bucket(PER_MINUTE, Duration::from_secs(1))
        .latency(Duration::from_millis(600), 0.4, 0.0)
        .outage(OUTAGE, 529, RetryAfter::Missing);
    let (address, server) = server::start(provider, 0).await?;
    let url = format!("http://{address}/v1/chat/completions");
    let client = reqwest::Client::new();

    let log = monitor().start(Config::new().default_rate_limit(PER_MINUTE))?;
    let bar = ProgressBar::new(CALLS.into());
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?);
    let watcher = tokio::spawn(watch(bar.clone()));

    let start = Instant::now();
    let answers = try_join_all((0..CALLS).map(|number| {
        let (client, url, bar) = (&client, &url, &bar);
        async move {
            let answer = answer(client, url, format!("question {number}")).await;
            bar.inc(1);
            answer
        }
    }))
    .await?;
    let elapsed = start.elapsed();
    watcher.abort();
    bar.finish_and_clear();
    monitor().stop().await?;

    let refused = (server.too_many.load(Ordering::Relaxed), server.overloaded.load(Ordering::Relaxed));
    let min_duration = Duration::from_secs(60) * (CALLS - 1) / PER_MINUTE;
    println!(
        "calls      {} answered of {CALLS}, with {} requests",
        answers.len(),
        server.requests.load(Ordering::Relaxed)
    );
    println!("refusals   {} for the rate (429), {} in the outage (529)", refused.0, refused.1);
    println!(
        "time       {:.1} s; at {PER_MINUTE} a minute the calls take {:.1} s, and the outage lasted {} s",
        elapsed.as_secs_f64(),
        min_duration.as_secs_f64(),
        OUTAGE.end.saturating_sub(OUTAGE.start).as_secs(),
    );
    print!("picture    ");
    let file = format!("-file={}", log.display());
    let model = format!("-model={MODEL}");
    match ratellmiter_cli::run(["ratellmiter", &model, &file], &mut std::io::stdout(), &mut std::io::stderr()) {
        ratellmiter_cli::DONE => Ok(()),
        _ => Err("the picture could not be drawn".into()),
    }
}

/// Shows the estimated remaining time of the queue, five times a second.
async fn watch(bar: ProgressBar) {
    let mut tick = interval(Duration::from_millis(200));
    loop {
        tick.tick().await;
        if let Some(snapshot) = monitor().snapshot().get(MODEL) {
            let left = snapshot.estimated_drain.as_secs();
            bar.set_message(match snapshot.paused_until {
                Some(_) => format!("paused, {left} s left"),
                None => format!("at {:.1} a second, {left} s left", snapshot.rate_per_second),
            });
        }
    }
}
