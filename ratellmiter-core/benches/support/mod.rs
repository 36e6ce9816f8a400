//! The limiters under comparison, all with a burst of 1 and without a ramp, and helpers to measure them.

#![allow(dead_code, unreachable_pub)] // Each bench uses some of the items.

use std::{
    fs,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use ratellmiter_core::{Limiter, Limits};
use tokio::{runtime::Runtime, sync::Semaphore};

/// A limiter under measurement.
pub trait Peer: Clone + Send + Sync + 'static {
    const NAME: &'static str;

    /// Creates a limiter of `per_second` calls a second. Must be called inside a runtime.
    fn new(per_second: u32) -> Self;

    /// Makes one call, from requesting a ticket to finishing it.
    fn call(&self) -> impl Future<Output = ()> + Send;
}

/// This library.
#[derive(Clone)]
pub struct Ours(pub Limiter);

impl Peer for Ours {
    const NAME: &'static str = "ratellmiter";

    fn new(per_second: u32) -> Self {
        Self(Limiter::new(Limits::per_minute(per_second.saturating_mul(60)).no_ramp()))
    }

    async fn call(&self) {
        self.0.acquire().await.finish();
    }
}

/// The crate `leaky-bucket`, a fair limiter.
#[derive(Clone)]
pub struct LeakyBucket(Arc<leaky_bucket::RateLimiter>);

impl Peer for LeakyBucket {
    const NAME: &'static str = "leaky-bucket";

    fn new(per_second: u32) -> Self {
        // Its clock has a resolution of one millisecond.
        let refill = (per_second / 1000).max(1) as usize;
        let interval = Duration::from_millis((1000 / u64::from(per_second)).max(1));
        let limiter =
            leaky_bucket::RateLimiter::builder().max(refill).initial(1).refill(refill).interval(interval).build();
        Self(Arc::new(limiter))
    }

    async fn call(&self) {
        self.0.acquire_one().await;
    }
}

/// The crate `governor`, the most widely used limiter.
#[derive(Clone)]
pub struct Governor(Arc<governor::DefaultDirectRateLimiter>);

impl Peer for Governor {
    const NAME: &'static str = "governor";

    fn new(per_second: u32) -> Self {
        let rate = NonZeroU32::new(per_second).expect("the rate is positive");
        let quota = governor::Quota::per_second(rate).allow_burst(NonZeroU32::MIN);
        Self(Arc::new(governor::RateLimiter::direct(quota)))
    }

    async fn call(&self) {
        self.0.until_ready().await;
    }
}

/// A tokio `Semaphore` to which one task adds permits on schedule: the baseline, a few lines of code.
#[derive(Clone)]
pub struct Ticker(Arc<Semaphore>);

impl Peer for Ticker {
    const NAME: &'static str = "semaphore + ticker";

    fn new(per_second: u32) -> Self {
        let permits = Arc::new(Semaphore::new(1));
        let weak_permits = Arc::downgrade(&permits);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
            ticks.tick().await;
            loop {
                ticks.tick().await;
                match weak_permits.upgrade() {
                    Some(permits) if permits.available_permits() == 0 => permits.add_permits(1),
                    Some(_) => {}
                    None => break,
                }
            }
        });
        Self(permits)
    }

    async fn call(&self) {
        self.0.acquire().await.expect("the semaphore is never closed").forget();
    }
}

/// Creates a multi-threaded runtime with two workers.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be built")
}

/// Returns the CPU time used by the threads of this process.
pub fn cpu_time() -> Duration {
    // The first field is the CPU time in nanoseconds: see "schedstats" in the kernel's documentation.
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    nanos.filter_map(|text| text.split(' ').next()?.parse().ok()).map(Duration::from_nanos).sum()
}

/// Returns the largest number of `times`, which must be sorted, in any half-open second.
pub fn fullest_second(times: &[Instant]) -> usize {
    let mut first = 0;
    (0..times.len())
        .map(|last| {
            while times[first] + Duration::from_secs(1) <= times[last] {
                first += 1;
            }
            last - first + 1
        })
        .max()
        .unwrap_or(0)
}
