//! The JSON messages between a process and the script. All times are in microseconds.

use std::collections::BTreeMap;

#[cfg(not(feature = "redis"))]
use ratellmiter_macros::{Unserialized as Deserialize, Unserialized as Serialize};
#[cfg(feature = "redis")]
use serde::{Deserialize, Serialize};

/// A number for each limit, by its name.
pub(crate) type ByLimit = BTreeMap<String, f64>;

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct LeaseRequest {
    /// Document of the current lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<String>,
    /// No lease was granted since the process used its limits alone.
    pub(crate) is_new: bool,
    /// Fingerprint of all limits, which must be the same in all processes.
    pub(crate) limits: String,
    /// Configured calls a minute.
    pub(crate) rate: u32,
    pub(crate) burst: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ramp: Option<RampMessage>,
    /// Refusals adapt the limits.
    pub(crate) adapts: bool,
    /// Queued calls, refused ones among them, and calls expected in a period.
    pub(crate) queued: u64,
    pub(crate) refused: u64,
    pub(crate) arriving: u64,
    /// Effective time in the queue of the first queued call.
    pub(crate) wait: i64,
    /// Queued calls by urgency: above, about, below that of a new call of normal priority.
    pub(crate) classes: [u64; 3],
    /// Slots requested, returned, and still held.
    pub(crate) wanted: u64,
    pub(crate) unused: u64,
    pub(crate) held_slots: u64,
    /// Calls sent since the last report, together where they are close: age of the first, number.
    pub(crate) sent: Vec<[u64; 2]>,
    /// Round trip of the last reports.
    pub(crate) lag: u64,
    /// Mean latency of calls; 0 before one has ended.
    pub(crate) call_time: u64,
    /// Calls a minute that response headers allow, if fewer than configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<u64>,
    /// Time since the last report in which calls were queued for a limit, by its name.
    pub(crate) backlogged: BTreeMap<&'static str, u64>,
    pub(crate) capacity: BTreeMap<&'static str, CapacityMessage>,
    pub(crate) rates: BTreeMap<&'static str, RateMessage>,
    pub(crate) refusals: Vec<RefusalMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<Outcome>,
    /// Input and output tokens of a call without an estimate, as this process has measured them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typical_cost: Option<[u64; 2]>,
    /// For a server without a document: the rest of a pause, the ceilings of adapted limits, and the rate in force, in calls a
    /// minute.
    pub(crate) paused: u64,
    pub(crate) ceilings: ByLimit,
    pub(crate) allowed: f64,
    /// Random number from 0 to 1.
    pub(crate) jitter: f64,
}

/// In thousandths of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RampMessage {
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// This process's part of a capacity that all processes take together: calls in flight, or the usage of a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CapacityMessage {
    pub(crate) limit: u64,
    pub(crate) taken: u64,
    /// Demand until the next report; cost of the first queued call; largest cost in the queue.
    pub(crate) wanted: u64,
    pub(crate) head_cost: u64,
    pub(crate) max_cost: u64,
    /// Usage of a budget by age, the latest first.
    #[serde(flatten)]
    pub(crate) ages: Option<Ages>,
}

/// Usage in equal parts of the time since the oldest entry that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Ages {
    /// Length of the budget's window, and of a part.
    pub(crate) window: u64,
    pub(crate) grain: u64,
    pub(crate) parts: Vec<u64>,
}

/// A budget that is spread over a minute: its limit as this process knows it, the mean cost of the next calls, and the sum of all
/// costs with those of calls that have slots.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct RateMessage {
    pub(crate) limit: u64,
    pub(crate) mean_cost: u64,
    pub(crate) reserved: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct RefusalMessage {
    /// Episode in which the call was sent. `None` for a call of another process, or of one before the document was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) episode: Option<u64>,
    pub(crate) is_canary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<u64>,
    /// Latency of the refused call.
    pub(crate) after: u64,
    /// Kind of limit that is adapted: `requests` or `in_flight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) teaches: Option<&'static str>,
    /// Calls of this process in flight after the refusal, and its usage of the budgets that may be meant.
    pub(crate) in_flight: u64,
    pub(crate) budgets: BTreeMap<&'static str, u64>,
}

/// State of the canary that this process was to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Accepted,
    Lost,
    /// Not sent yet.
    Kept,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub(crate) struct LeaseGrant {
    pub(crate) epoch: String,
    pub(crate) episode: u64,
    /// Time between reports of a busy process.
    pub(crate) period: f64,
    /// Slots: offset of the first, distance, number.
    #[serde(default)]
    pub(crate) slot_runs: Vec<[f64; 3]>,
    pub(crate) is_canary: bool,
    /// Rest of a pause.
    pub(crate) paused: Option<f64>,
    /// Time until a process without slots reports again.
    pub(crate) poll_in: f64,
    pub(crate) capacity: ByLimit,
    /// Usage of the budgets by other processes; how much more of a day they may use until they notice that the server is
    /// unreachable; and the time until the next call fits, if it does not.
    pub(crate) used_by_others: ByLimit,
    pub(crate) overshoot_of_day: ByLimit,
    pub(crate) free_in: ByLimit,
    /// Input and output tokens of a call without an estimate, as some process has measured them.
    pub(crate) typical_cost: Option<[f64; 2]>,
    /// Rates of the budgets for all processes together, a minute, and this process's part of the demand for each.
    pub(crate) rates: ByLimit,
    pub(crate) shares: ByLimit,
    /// Budget that ran out of slots.
    pub(crate) bottleneck: Option<String>,
    /// Number of processes, and this one's part of all demand.
    pub(crate) processes: f64,
    pub(crate) share: f64,
    /// Calls a minute for all processes: the limit in force, and the rate that the ramp allows now.
    pub(crate) pace: f64,
    pub(crate) rate: f64,
    pub(crate) is_ramping: bool,
    pub(crate) is_capacity_limited: bool,
    /// No other process is waiting for in-flight capacity.
    pub(crate) is_capacity_plentiful: bool,
    pub(crate) ceilings: ByLimit,
    pub(crate) adapted: ByLimit,
}

/// Another process with other limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) name: String,
    pub(crate) limits: String,
    /// Number of processes with those limits.
    pub(crate) members: u64,
}
