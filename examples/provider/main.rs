//! A simulated provider on loopback for clients in any language:
//! `cargo run -p ratellmiter-examples --bin provider -- --rpm 300 --enforce bucket`
//!
//! It serves every path: paths that end in `/messages` in Anthropic's format, all others in the format of `OpenAI`'s chat
//! completions. Times in options are seconds since the first request.

mod options;
#[path = "../server.rs"]
mod server;

use std::{process::ExitCode, sync::atomic::Ordering, time::Duration};

use clap::Parser as _;
use options::Options;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let (address, counts) = match server::start(options.provider(), options.port).await {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: cannot listen on port {}: {error}", options.port);
            return ExitCode::FAILURE;
        }
    };
    println!("http://{address}/v1");
    let run_time = Duration::from_secs(options.run_seconds);
    tokio::select! {
        () = tokio::time::sleep(run_time) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
    eprintln!(
        "{} requests: {} over a limit, {} in outages",
        count(&counts.requests),
        count(&counts.too_many),
        count(&counts.overloaded)
    );
    ExitCode::SUCCESS
}
