//! The strategies of the league, and a single run of one of them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use leaky_bucket::RateLimiter;
use ratellmiter_core::{
    Limiter, Limits, Verdict,
    sim::{Answer, Client, MAX_DRAIN, Provider, Report, SchedulerClient, Workload, oracle, run},
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    rivals::{self, Aws, Backoff, Even, Governor, Original, Rival, Unpaced},
    scenarios::Scenario,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Oracle,
    Ours,
    /// The public limiter with its locks, wakers and timers, on tokio in paused time.
    OursOnTokio,
    FullJitter,
    RetryAfter,
    Aws,
    Static,
    Original,
    Governor,
    LeakyBucket,
}

impl Strategy {
    pub(crate) const ALL: &[Self] = &[
        Self::Oracle,
        Self::Ours,
        Self::OursOnTokio,
        Self::Original,
        Self::Static,
        Self::Governor,
        Self::LeakyBucket,
        Self::Aws,
        Self::FullJitter,
        Self::RetryAfter,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Oracle => "*an oracle*",
            Self::Ours => "**ratellmiter**",
            Self::OursOnTokio => "ratellmiter on tokio",
            Self::FullJitter => "full jitter",
            Self::RetryAfter => "Retry-After",
            Self::Aws => "AWS adaptive",
            Self::Static => "static pacing",
            Self::Original => "Python original",
            Self::Governor => "governor + backon",
            Self::LeakyBucket => "leaky-bucket + backon",
        }
    }

    /// Runs a scenario once. Each strategy is run with the same values of `seed`.
    pub(crate) fn play(self, scenario: &Scenario, seed: u64) -> Report {
        let (mut provider, workload) = (scenario.provider(seed), scenario.workload(seed));
        let configured = scenario.configured;
        let client = |process: u64| -> Box<dyn Client> {
            let seed = seed * 100 + process;
            match self {
                Self::Ours => Box::new(SchedulerClient::new(scenario.limits(), seed)),
                Self::FullJitter => Box::new(Rival::new(Unpaced, rivals::full_jitter(seed))),
                Self::RetryAfter => Box::new(Rival::new(Unpaced, rivals::retry_after())),
                Self::Aws => Box::new(Rival::new(Aws::new(), Aws::backoff(seed))),
                Self::Static => Box::new(Rival::new(Even::new(configured), rivals::full_jitter(seed))),
                Self::Original => Box::new(Original::new(configured)),
                Self::Governor => Box::new(Rival::new(Governor::new(configured), rivals::backon(seed))),
                Self::Oracle | Self::OursOnTokio | Self::LeakyBucket => unreachable!("run below without a client"),
            }
        };
        match self {
            Self::Oracle => oracle(&mut provider, &workload),
            Self::OursOnTokio => {
                on_tokio(provider, &workload, scenario.processes, || Process::Ours(ours(scenario.limits())))
            }
            Self::LeakyBucket => {
                on_tokio(provider, &workload, scenario.processes, || Process::LeakyBucket(leaky_bucket(configured)))
            }
            _ => {
                let mut clients: Vec<_> = (0..scenario.processes as u64).map(client).collect();
                let mut clients: Vec<&mut dyn Client> = clients.iter_mut().map(|client| &mut **client as _).collect();
                run(&mut provider, &workload, &mut clients)
            }
        }
    }
}

/// The limiter of one process.
#[derive(Clone)]
enum Process {
    Ours(Limiter),
    LeakyBucket(Arc<RateLimiter>),
}

fn ours(limits: Limits) -> Limiter {
    Limiter::new(limits)
}

fn leaky_bucket(per_minute: u32) -> Arc<RateLimiter> {
    let interval = Duration::from_secs(60) / per_minute;
    Arc::new(RateLimiter::builder().max(1).initial(1).refill(1).interval(interval).build())
}

/// Runs each call as a task, in paused time.
fn on_tokio(provider: Provider, workload: &Workload, processes: usize, process: impl Fn() -> Process) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be built");
    let shared = Arc::new(Mutex::new((provider, Report::of(workload))));
    runtime.block_on(async {
        let start = Instant::now();
        let processes: Vec<_> = (0..processes).map(|_| process()).collect();
        let end = start + workload.arrivals().last().map_or(Duration::ZERO, |arrival| arrival.at) + MAX_DRAIN;
        let calls = workload.arrivals().iter().enumerate().map(|(call, arrival)| {
            let (at, size) = (start + arrival.at, arrival.size);
            let (shared, process) = (shared.clone(), processes[call % processes.len()].clone());
            tokio::spawn(async move {
                sleep_until(at).await;
                let send = || {
                    let mut shared = shared.lock().expect("the lock is not poisoned");
                    let (provider, report) = &mut *shared;
                    let now = start.elapsed();
                    report.sent(now, call);
                    provider.call(now, size)
                };
                let answer = |answer| {
                    let now = start.elapsed();
                    shared.lock().expect("the lock is not poisoned").1.answered(now, call, answer);
                };
                let run = async {
                    match process {
                        Process::Ours(limiter) => through_ours(&limiter, send, answer).await,
                        Process::LeakyBucket(limiter) => {
                            through_leaky_bucket(&limiter, rivals::backon(call as u64), send, answer).await;
                        }
                    }
                };
                // A call that is refused each time is lost, as in the other runs.
                let _ = timeout_at(end, run).await;
            })
        });
        futures::future::join_all(calls.collect::<Vec<_>>()).await;
    });
    Arc::into_inner(shared).expect("all tasks have ended").into_inner().expect("the lock is not poisoned").1
}

async fn through_ours(limiter: &Limiter, send: impl Fn() -> Answer, answered: impl Fn(Answer)) {
    let mut ticket = limiter.acquire().await;
    for _ in 0..20 {
        let answer = send();
        sleep(answer.after()).await;
        answered(answer);
        match answer.verdict() {
            Some(Verdict::Transient { .. }) => match ticket.retry_after_failure(None) {
                Some(acquire) => ticket = acquire.await,
                None => return,
            },
            Some(refused) => ticket = ticket.requeue(refused).await,
            None => return ticket.finish(),
        }
    }
}

async fn through_leaky_bucket(
    limiter: &RateLimiter,
    mut backoff: Backoff,
    send: impl Fn() -> Answer,
    answered: impl Fn(Answer),
) {
    let (mut refusals, mut failures) = (0, 0);
    loop {
        limiter.acquire_one().await;
        let answer = send();
        sleep(answer.after()).await;
        answered(answer);
        let wait = match answer {
            Answer::Finished { .. } => return,
            Answer::Refused { retry_after: hint, .. } => {
                refusals += 1;
                backoff(refusals, hint)
            }
            Answer::Failed { .. } => {
                failures += 1;
                let Some(wait) = rivals::wait_after_failure(failures) else { return };
                wait
            }
        };
        sleep(wait).await;
    }
}
