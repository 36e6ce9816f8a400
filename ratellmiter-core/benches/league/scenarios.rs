//! The scenarios of the league: what a server does, what the program believes of it, and what calls it makes.

use std::{ops::Range, time::Duration};

use ratellmiter_core::{
    Limits,
    sim::{Provider, RetryAfter, Workload},
};

/// One contest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is hard about it.
    pub(crate) story: &'static str,
    provider: fn(Provider) -> Provider,
    workload: Load,
    /// What the program believes the limit to be, in calls a minute.
    pub(crate) believed: u32,
    /// What the program knows of how the limit is counted.
    pub(crate) burst: Duration,
    /// How many processes share the work, knowing nothing of each other.
    pub(crate) processes: usize,
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Burst(usize),
    /// Calls, calls a minute, variation of the gaps.
    Gamma(usize, f64, f64),
    Steady(usize, f64),
}

impl Scenario {
    const fn new(name: &'static str, story: &'static str, provider: fn(Provider) -> Provider, workload: Load) -> Self {
        Self { name, story, provider, workload, believed: 300, burst: Duration::ZERO, processes: 1 }
    }

    pub(crate) fn provider(&self, seed: u64) -> Provider {
        (self.provider)(Provider::new(seed))
    }

    pub(crate) fn workload(&self, seed: u64) -> Workload {
        match self.workload {
            Load::Burst(calls) => Workload::burst(calls),
            Load::Gamma(calls, per_minute, variation) => Workload::gamma(calls, per_minute, variation, seed),
            Load::Steady(calls, per_minute) => Workload::steady(calls, per_minute),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits::per_minute(self.believed).burst_window(self.burst)
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const OUTAGE: Range<Duration> = at(10)..at(25);

/// A to I are those of earlier comparisons, K to O those of the gates, the others are ours.
pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("A", "the limit is right", |server| server.bucket(300, SECOND), Load::Burst(500)),
    Scenario {
        burst: MINUTE,
        ..Scenario::new("C", "counted by the minute", |server| server.bucket(300, MINUTE), Load::Burst(500))
    },
    Scenario {
        believed: 600,
        ..Scenario::new("E", "half of what is believed", |server| server.bucket(300, SECOND), Load::Burst(500))
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
    Scenario::new("H", "85 % load in clumps", |server| server.bucket(300, SECOND), Load::Gamma(1000, 255.0, 3.0)),
    Scenario::new("I", "refusals cost 0.2", |server| server.bucket(300, at(10)).penalty(0.2), Load::Burst(500)),
    Scenario::new(
        "K",
        "150, and ten refusals buy a ban",
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
        "15 s of 529 without one",
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
        believed: 600,
        ..Scenario::new(
            "doubles",
            "doubles at 60 s",
            |server| server.bucket(300, SECOND).rate_change(at(60), 2.0),
            Load::Burst(1000),
        )
    },
    Scenario {
        believed: 600,
        ..Scenario::new(
            "wrong hints",
            "half of what is believed, hints a fifth",
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
        "20 s of 529 without one",
        |server| server.bucket(300, SECOND).outage(at(20)..at(40), 529, RetryAfter::Missing),
        Load::Burst(500),
    ),
    Scenario::new("steady", "10 hours at 95 %", |server| server.bucket(300, SECOND), Load::Steady(171_000, 285.0)),
    Scenario::new(
        "tenants",
        "others use half of it, on and off",
        |server| server.bucket(300, SECOND).tenants(150, at(20), at(20)),
        Load::Burst(500),
    ),
    Scenario {
        believed: 600,
        ..Scenario::new(
            "windows",
            "10 s window of half of what is believed",
            |server| server.sliding_window(300, at(10)),
            Load::Burst(500),
        )
    },
    Scenario::new("at once", "no more than 8 calls in flight", |server| server.concurrency(8), Load::Burst(500)),
];

/// The one of that name.
pub(crate) fn named(name: &str) -> Scenario {
    *ALL.iter().find(|scenario| scenario.name == name).expect("a scenario of that name")
}
