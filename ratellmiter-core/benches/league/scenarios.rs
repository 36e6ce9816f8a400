//! The scenarios of the league: a provider, the limits configured for it, and the calls made to it.

use std::{ops::Range, time::Duration};

use ratellmiter_core::{
    Limits, OnExhausted,
    sim::{Provider, RetryAfter, Workload},
};

/// A provider, the configured limits, and a workload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// A short description for the tables.
    pub(crate) story: &'static str,
    provider: fn(Provider) -> Provider,
    workload: Load,
    /// The configured limit in calls a minute.
    pub(crate) configured: u32,
    /// The configured burst window.
    pub(crate) burst: Duration,
    /// The number of processes that share the workload without coordination.
    pub(crate) processes: usize,
    /// The configured effect of a spent quota.
    pub(crate) on_exhausted: OnExhausted,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Burst(usize),
    /// Number of calls, calls a minute, and the coefficient of variation of the gaps.
    Gamma(usize, f64, f64),
    Steady(usize, f64),
    /// Number of calls at once, of which one in a hundred is refused each time.
    OneInAHundredRefused(usize),
    /// Five calls at one a second, and this number at once after a pause.
    QuietThenBurst(usize),
}

impl Scenario {
    const fn new(name: &'static str, story: &'static str, provider: fn(Provider) -> Provider, workload: Load) -> Self {
        let (burst, on_exhausted) = (Duration::ZERO, OnExhausted::Fail);
        Self { name, story, provider, workload, configured: 300, burst, processes: 1, on_exhausted }
    }

    pub(crate) fn provider(&self, seed: u64) -> Provider {
        (self.provider)(Provider::new(seed))
    }

    pub(crate) fn workload(&self, seed: u64) -> Workload {
        match self.workload {
            Load::Burst(calls) => Workload::burst(calls),
            Load::Gamma(calls, per_minute, variation) => Workload::gamma(calls, per_minute, variation, seed),
            Load::Steady(calls, per_minute) => Workload::steady(calls, per_minute),
            Load::OneInAHundredRefused(calls) => Workload::burst(calls).refused(|call| call % 100 == 4),
            Load::QuietThenBurst(calls) => Workload::steady(5, 60.0).then(at(20), Workload::burst(calls)),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::per_minute(self.configured).burst_window(self.burst).on_exhausted(self.on_exhausted)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const OUTAGE: Range<Duration> = at(10)..at(25);

/// All scenarios. A to I come from earlier comparisons and K to O from the gates; the others are additional.
pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("A", "the limit is right", |server| server.bucket(300, SECOND), Load::Burst(500)),
    Scenario {
        burst: MINUTE,
        ..Scenario::new("C", "counted by the minute", |server| server.bucket(300, MINUTE), Load::Burst(500))
    },
    Scenario {
        configured: 600,
        ..Scenario::new("E", "half of the configured limit", |server| server.bucket(300, SECOND), Load::Burst(500))
    },
    Scenario::new(
        "F",
        "halves at 30 s",
        |server| server.bucket(300, SECOND).rate_change(at(30), 0.5),
        Load::Burst(500),
    ),
    Scenario {
        processes: 4,
        ..Scenario::new("G", "four processes, unshared", |server| server.bucket(300, SECOND), Load::Burst(500))
    },
    Scenario::new("H", "85 % load in bursts", |server| server.bucket(300, SECOND), Load::Gamma(1000, 255.0, 3.0)),
    Scenario::new("I", "refusals cost 0.2", |server| server.bucket(300, at(10)).penalty(0.2), Load::Burst(500)),
    Scenario::new(
        "K",
        "150, and a ban after ten refusals",
        |server| server.bucket(150, SECOND).ban(10, at(10), at(30)),
        Load::Burst(300),
    ),
    Scenario::new(
        "L",
        "15 s of 529 with a hint",
        |server| server.bucket(300, SECOND).outage(OUTAGE, 529, RetryAfter::Seconds),
        Load::Burst(300),
    ),
    Scenario::new(
        "M",
        "15 s of 529 without a hint",
        |server| server.bucket(300, SECOND).outage(OUTAGE, 529, RetryAfter::Missing),
        Load::Burst(300),
    ),
    Scenario::new(
        "N",
        "150 that becomes 300 at 30 s",
        |server| server.bucket(150, SECOND).rate_change(at(30), 2.0),
        Load::Burst(300),
    ),
    Scenario::new("O", "a limit on growth", |server| server.bucket(300, SECOND).slope(1.5, 2.0), Load::Burst(300)),
    Scenario {
        configured: 600,
        ..Scenario::new(
            "doubles",
            "doubles at 60 s",
            |server| server.bucket(300, SECOND).rate_change(at(60), 2.0),
            Load::Burst(1000),
        )
    },
    Scenario {
        configured: 600,
        ..Scenario::new(
            "wrong hints",
            "half of the configured limit, hints a fifth",
            |server| server.bucket(300, SECOND).retry_after(RetryAfter::Scaled(0.2)),
            Load::Burst(500),
        )
    },
    Scenario::new(
        "outage",
        "20 s of 529 with a hint",
        |server| server.bucket(300, SECOND).outage(at(20)..at(40), 529, RetryAfter::Seconds),
        Load::Burst(500),
    ),
    Scenario::new(
        "outage, silent",
        "20 s of 529 without a hint",
        |server| server.bucket(300, SECOND).outage(at(20)..at(40), 529, RetryAfter::Missing),
        Load::Burst(500),
    ),
    Scenario::new("steady", "10 hours at 95 %", |server| server.bucket(300, SECOND), Load::Steady(171_000, 285.0)),
    Scenario::new(
        "502s",
        "5 % of the calls fail with 502",
        |server| server.bucket(300, SECOND).failures(0.05, 502),
        Load::Burst(500),
    ),
    Scenario::new(
        "refused calls",
        "1 % of the calls are refused each time",
        |server| server.bucket(300, SECOND),
        Load::OneInAHundredRefused(500),
    ),
    Scenario {
        on_exhausted: OnExhausted::Wait,
        ..Scenario::new(
            "spent quota",
            "the quota is spent at 20 s and refilled an hour later",
            |server| server.bucket(300, SECOND).outage(at(20)..at(3620), 429, RetryAfter::Seconds),
            Load::Burst(500),
        )
    },
    Scenario {
        configured: 3000,
        ..Scenario::new(
            "low demand",
            "a fiftieth of the configured limit, found after five calls at one a second",
            |server| server.bucket(60, SECOND),
            Load::QuietThenBurst(500),
        )
    },
    Scenario::new(
        "tenants",
        "other tenants use half of it, on and off",
        |server| server.bucket(300, SECOND).tenants(150, at(20), at(20)),
        Load::Burst(500),
    ),
    Scenario {
        configured: 600,
        ..Scenario::new(
            "windows",
            "10 s window of half of the configured limit",
            |server| server.sliding_window(300, at(10)),
            Load::Burst(500),
        )
    },
    Scenario::new("at once", "at most 8 calls in flight", |server| server.concurrency(8), Load::Burst(500)),
];

/// Returns the scenario called `name`.
///
/// # Panics
///
/// If there is none.
pub(crate) fn named(name: &str) -> Scenario {
    *ALL.iter().find(|scenario| scenario.name == name).expect("the scenario exists")
}
