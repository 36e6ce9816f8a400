//! A program that asks for far more output than it gets, from a provider that charges what is asked for: minutes in a moment,
//! and the log of it. `cargo run -p ratellmiter-examples --bin tokens`, then `ratellmiter -lines=tub`.

use std::time::{Duration, SystemTime};

use ratellmiter_core::{
    Limits,
    log::{DIRECTORY, LogWriter},
    sim::{Provider, Quota, SchedulerClient, Workload, run},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let quota = Quota { requests: Some(1_200), tokens: Some(800_000), ..Quota::default() };
    let mut azure = Provider::azure(1, quota);
    let limits =
        Limits::for_provider(ratellmiter_core::Provider::Azure).requests_per_minute(1_200).tokens_per_minute(800_000);
    let mut paced = SchedulerClient::new(limits, 1).recording();
    // 600 tokens in and 400 out in the median, and max_tokens is 4096.
    let workload = Workload::burst(400).sizes(600, 400, 0.8, 4096, 1);
    let report = run(&mut azure, &workload, &mut [&mut paced]);

    // As if it had begun on a morning in November.
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_593_600);
    let mut log = LogWriter::create(DIRECTORY.as_ref(), began)?;
    let mut rows = paced.rows(report.last_finish(), "gpt-4o");
    rows.iter_mut().for_each(|row| row.at += 1_795_593_600);
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
