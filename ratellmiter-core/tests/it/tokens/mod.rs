//! Token charges, wait limits and streams, with the attribute and without it, in virtual time.

#![deny(unused, clippy::pedantic)]

mod charges;
mod iterators;
mod rejections;
mod streams;

use std::{pin::Pin, time::Duration};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::join_all,
    stream::{self, BoxStream},
};
use ratellmiter_core::{
    AcquireOptions, Classify, LimitKind, Limiter, Limits, Priority, Provider, RejectReason, Rejected, Usage, Verdict,
    call,
    log::BudgetKind,
    ratellmiter,
    tokens::{HasUsage, estimate_tokens},
};
use tokio::time::{Instant, sleep};

fn limits(per_minute: u32) -> Limits {
    Limits::per_minute(per_minute).no_ramp()
}

/// Returns the amount charged to a budget, or 0 if the limiter has no such budget.
fn charged(limiter: &Limiter, kind: BudgetKind) -> u64 {
    limiter.snapshot().budgets().find(|budget| budget.meter == kind).map_or(0, |budget| budget.taken)
}

fn tokens(limiter: &Limiter) -> u64 {
    charged(limiter, BudgetKind::TokensPerMinute)
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum ApiError {
    #[error("slow down")]
    Refused,
    #[error("broken")]
    Broken,
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl Classify for ApiError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Refused => {
                Verdict::RateLimited { retry_after: Some(Duration::from_secs(2)), limit: LimitKind::Requests }
            }
            _ => Verdict::Failed,
        }
    }
}
