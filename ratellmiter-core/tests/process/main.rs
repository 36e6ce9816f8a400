//! Tests with real processes, threads and time. Worker processes run this test binary again.

mod closed;
mod day_usage;
#[cfg(all(feature = "redis", feature = "sim"))]
mod fleet;
#[cfg(feature = "redis")]
mod fleet_access;
#[cfg(feature = "redis")]
mod fleet_failover;
#[cfg(feature = "redis")]
mod fleet_faults;
#[cfg(feature = "redis")]
mod fleet_use;
mod implausible;
mod missing_usage;
mod monitor;
mod nested;
#[cfg(feature = "redis")]
#[path = "../support/redis.rs"]
mod redis;
mod runtimes;
mod saved_limits;
mod secrets;
mod unknown_codes;
#[path = "../support/warnings.rs"]
mod warnings;
#[cfg(feature = "redis")]
#[path = "../support/worker.rs"]
mod worker;

use std::{env, process::Command};

/// Runs the job of a fleet's worker if this process was started as one.
#[cfg(feature = "redis")]
#[test]
fn a_worker() {
    worker::run_if_worker();
}

/// Runs `test` again in a process of its own and returns `false`. Returns `true` in that process.
///
/// For tests that set the global `tracing` subscriber.
fn is_alone(test: &str) -> bool {
    const VARIABLE: &str = "RATELLMITER_TEST_ALONE";
    if env::var_os(VARIABLE).is_some() {
        return true;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).env(VARIABLE, "1").output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
    false
}
