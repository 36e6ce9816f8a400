//! A simulated program whose `max_tokens` is far above its usage, with a provider that charges `max_tokens`. It writes the log
//! of several simulated minutes in a moment: `cargo run -p ratellmiter-examples --bin tokens`, then `ratellmiter -lines=tub`.

use std::time::{Duration, SystemTime};

use ratellmiter_core::{
    Limits,
    log::{DIRECTORY, LogWriter},
    sim::{Provider, Quota, SchedulerClient, Workload, run},
};

/// The start of the log, in seconds since the epoch: 2026-11-25 08:00:00 UTC.
const START_SECONDS: u64 = 1_795_593_600;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let quota = Quota { requests: Some(1_200), tokens: Some(800_000), ..Quota::default() };
    let mut azure = Provider::azure(1, quota);
    let limits =
        Limits::for_provider(ratellmiter_core::Provider::Azure).requests_per_minute(1_200).tokens_per_minute(800_000);
    let mut paced = SchedulerClient::new(limits, 1).recording();
    // Medians of 600 input and 400 output tokens, with a max_tokens of 4096.
    let workload = Workload::burst(400).sizes(600, 400, 0.8, 4096, 1);
    let report = run(&mut azure, &workload, &mut [&mut paced]);

    // The log pretends that the run started on a morning in November.
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START_SECONDS);
    let mut log = LogWriter::create(DIRECTORY.as_ref(), start)?;
    let mut rows = paced.rows(report.last_finish(), "gpt-4o");
    for row in &mut rows {
        row.at += START_SECONDS;
    }
    log.append(&rows)?;
    println!(
        "{} calls in {:.0} s, {} refusals",
        workload.arrivals().len(),
        report.last_finish().as_secs_f64(),
        report.refusals()
    );
    println!("{}", log.path().display());
    Ok(())
}
