//! Tests with real processes, threads and time. Worker processes run this test binary again.

#[path = "../support/alone.rs"]
mod alone;
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
mod killed_writer;
mod log_faults;
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

use alone::is_alone;

/// Runs the job of a fleet's worker if this process was started as one.
#[cfg(feature = "redis")]
#[test]
fn a_worker() {
    worker::run_if_worker();
}
