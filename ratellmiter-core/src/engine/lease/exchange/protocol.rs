//! The JSON messages between a process and the fleet's script. All times are in microseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{engine::lease::ByLimit, log::row::ClosedReason};

/// A report of a process, with which it requests its next lease.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct LeaseRequest {
    /// Document of the current lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<String>,
    /// `true` until a lease is granted, and again after the process has used its limits alone.
    pub(crate) is_new: bool,
    /// Fingerprint of all limits, which must be the same in all processes.
    pub(crate) limits: String,
    /// Configured calls a minute.
    pub(crate) rate: u32,
    pub(crate) burst: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ramp: Option<RampMessage>,
    /// `true` if refusals adapt the limits.
    pub(crate) adapts: bool,
    /// Queued calls; refused calls among them; and calls expected until the next report.
    pub(crate) queued: u64,
    pub(crate) refused: u64,
    pub(crate) arriving: u64,
    /// Effective time in the queue of the first queued call, after the handicap of its priority.
    pub(crate) wait: i64,
    /// Queued calls by urgency: [above, about, below] that of a new normal-priority call.
    pub(crate) classes: [u64; 3],
    /// Slots requested, returned, and still held.
    pub(crate) wanted: u64,
    pub(crate) unused: u64,
    pub(crate) held_slots: u64,
    /// Calls sent since the last report, in groups of calls close in time: [age of the first, number].
    pub(crate) sent: Vec<[u64; 2]>,
    /// Average round trip of the last reports.
    pub(crate) lag: u64,
    /// Mean latency of calls; 0 before the first one has ended.
    pub(crate) call_time: u64,
    /// Calls a minute allowed by response headers, if fewer than configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<u64>,
    /// Time since the last report during which calls were queued for a limit.
    pub(crate) backlogged: BTreeMap<&'static str, u64>,
    pub(crate) capacity: BTreeMap<&'static str, CapacityMessage>,
    pub(crate) rates: BTreeMap<&'static str, RateMessage>,
    pub(crate) refusals: Vec<RefusalMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<CanaryMessage>,
    /// The call that this process has sent as the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary_call: Option<u64>,
    /// State of a closed limiter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<ClosedMessage>,
    /// Generation of the last closed state that has ended in this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opened: Option<u64>,
    /// Time until the rate allows the next call of a process that was closed, since its calls meanwhile have used no slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paced: Option<u64>,
    /// Time since the last accepted call, if there is one since the last report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) accepted: Option<u64>,
    /// Results of this process by which refusals are attributed: calls accepted, accepted after a refusal, responsible for their
    /// refusals, refused without another result, and refused again in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) results: Option<[f64; 5]>,
    /// Input and output tokens of a call without an estimate, as measured by this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typical_cost: Option<[u64; 2]>,
    /// State for a new document: the rest of a pause, the ceilings of adapted limits, and the current rate in calls a minute.
    pub(crate) paused: u64,
    pub(crate) ceilings: ByLimit,
    pub(crate) allowed: f64,
    /// Random number from 0 to 1.
    pub(crate) jitter: f64,
}

/// Settings of the ramp, in thousandths of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RampMessage {
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// Usage and demand of this process for a shared capacity: calls in flight, or a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CapacityMessage {
    pub(crate) limit: u64,
    pub(crate) taken: u64,
    /// Demand until the next report; cost of the first queued call; largest cost in the queue.
    pub(crate) wanted: u64,
    pub(crate) head_cost: u64,
    pub(crate) max_cost: u64,
    /// Usage of a budget by age; `None` for calls in flight.
    #[serde(flatten)]
    pub(crate) ages: Option<Ages>,
}

/// Usage of a budget by age, in equal parts of the time since the oldest entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Ages {
    /// Lengths of the budget's window and of a part; usage in each part, the latest first.
    pub(crate) window: u64,
    pub(crate) grain: u64,
    pub(crate) parts: Vec<u64>,
}

/// A budget that is paced over a minute.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RateMessage {
    /// Tokens a minute, lowered to the limit in response headers.
    pub(crate) limit: u64,
    /// Mean cost of the next calls.
    pub(crate) mean_cost: u64,
    /// Sum of the costs of all calls so far, including those with slots.
    pub(crate) reserved: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct RefusalMessage {
    /// The refused call, or `None` for an unknown one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<u64>,
    /// Episode in which the call was sent. `None` for an unknown call, or one sent before the document was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) episode: Option<u64>,
    pub(crate) is_canary: bool,
    /// Number of other canaries that may follow this one at once, see `CongestionControl::tests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tests: Option<usize>,
    /// The refusal concerns this call alone. It only corrects the throughput.
    pub(crate) is_alone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<u64>,
    /// Latency of the refused call.
    pub(crate) after: u64,
    /// Limit to adapt: `requests` or `in_flight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) teaches: Option<&'static str>,
    /// Calls of this process in flight after the refusal.
    pub(crate) in_flight: u64,
    /// Usage by this process of the budgets that may have caused the refusal.
    pub(crate) budgets: BTreeMap<&'static str, u64>,
}

/// State of a closed limiter in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub(crate) struct ClosedMessage {
    /// The fleet's number of the closed state, or `None` before the fleet knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<u64>,
    /// The closed state has started since the last report, or its end has changed.
    pub(crate) is_news: bool,
    pub(crate) reason: ClosedReason,
    /// Time until the limiter opens, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opens_in: Option<u64>,
    /// A call that was sent while the limiter was closed is in flight.
    pub(crate) probes: bool,
    /// A call could be sent within a second.
    pub(crate) wants: bool,
    /// The process returns the permission to send calls.
    pub(crate) releases: bool,
    /// Times until the next probe, and until the next call that cannot fail.
    pub(crate) next_probe: u64,
    pub(crate) next_unfailing: u64,
}

/// Closed state of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct ClosedGrant {
    pub(crate) generation: f64,
    pub(crate) reason: ClosedReason,
    /// Time until the fleet opens, if known.
    pub(crate) opens_in: Option<f64>,
    /// This process, and no other one, may send calls.
    pub(crate) may_send: bool,
    /// Another process wants to send a call.
    pub(crate) is_wanted: bool,
    /// Times until the next probe, and until the next call that cannot fail.
    pub(crate) next_probe: f64,
    pub(crate) next_unfailing: f64,
}

/// Result of the canary that this process was to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CanaryMessage {
    Accepted,
    Lost,
    /// Not sent yet.
    Kept,
}

/// A lease granted by the script.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub(crate) struct LeaseGrant {
    pub(crate) epoch: String,
    pub(crate) episode: u64,
    /// Time between reports of a busy process.
    pub(crate) period: f64,
    /// Slots in runs of [offset of the first, distance, number].
    #[serde(default)]
    pub(crate) slot_runs: Vec<[f64; 3]>,
    pub(crate) is_canary: bool,
    /// A call of this process that was responsible for the last pause.
    pub(crate) responsible: Option<f64>,
    /// Sums of the results of the other processes, see `LeaseRequest::results`.
    pub(crate) results: Option<[f64; 5]>,
    /// Rest of the fleet's pause.
    pub(crate) paused: Option<f64>,
    /// Closed state of the fleet.
    pub(crate) closed: Option<ClosedGrant>,
    /// Time since the last accepted call of all processes, if it is of another one.
    pub(crate) accepted: Option<f64>,
    /// Time until a process without slots reports again.
    pub(crate) poll_in: f64,
    pub(crate) capacity: ByLimit,
    pub(crate) used_by_others: ByLimit,
    /// Usage of daily budgets that other processes may add until they notice that the server is unreachable.
    pub(crate) overshoot_of_day: ByLimit,
    /// Time until the next call fits, for budgets that it does not fit now.
    pub(crate) free_in: ByLimit,
    /// Input and output tokens of a call without an estimate, as last reported by a process.
    pub(crate) typical_cost: Option<[f64; 2]>,
    /// Limits of the paced budgets for all processes, in tokens a minute.
    pub(crate) rates: ByLimit,
    /// This process's fraction of the demand for each paced budget.
    pub(crate) shares: ByLimit,
    /// Budget that limits this process.
    pub(crate) bottleneck: Option<String>,
    pub(crate) processes: f64,
    /// This process's fraction of all demand.
    pub(crate) share: f64,
    /// Current limit of all processes, in calls a minute.
    pub(crate) pace: f64,
    /// Rate that the ramp allows all processes now, in calls a minute.
    pub(crate) rate: f64,
    pub(crate) is_ramping: bool,
    pub(crate) is_capacity_limited: bool,
    /// `true` if no other process is waiting for in-flight capacity.
    pub(crate) is_capacity_plentiful: bool,
    pub(crate) ceilings: ByLimit,
    pub(crate) adapted: ByLimit,
}

/// Another process with different limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) name: String,
    pub(crate) limits: String,
    /// Number of processes with those limits.
    pub(crate) members: u64,
}
