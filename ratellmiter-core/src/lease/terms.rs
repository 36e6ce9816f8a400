//! What a process tells, and what it is told: both are JSON. Times are microseconds.

use std::collections::BTreeMap;

#[cfg(not(feature = "redis"))]
use ratellmiter_macros::{Unserialized as Deserialize, Unserialized as Serialize};
#[cfg(feature = "redis")]
use serde::{Deserialize, Serialize};

/// By the name of what is counted.
pub(crate) type Told = BTreeMap<String, f64>;

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Report {
    /// The document that the lease is from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<String>,
    /// It has had no lease since it was on its own.
    pub(crate) anew: bool,
    /// All limits, in words: all processes must have the same.
    pub(crate) limits: String,
    /// Calls a minute.
    pub(crate) rate: u32,
    pub(crate) burst: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ramp: Option<Ramp>,
    pub(crate) learns: bool,
    /// Calls that wait, those of them that were refused, and how many ask within a period.
    pub(crate) line: u64,
    pub(crate) refused: u64,
    pub(crate) recent: u64,
    /// How long ago the first of them asked, by its priority.
    pub(crate) wait: i64,
    /// How many of them have counted as waiting for clearly longer than a plain call that asks now, as one, and for less.
    pub(crate) classes: [u64; 3],
    /// Slots that are asked for, and those that come back.
    pub(crate) wants: u64,
    pub(crate) unused: u64,
    /// For so many there are slots.
    pub(crate) held_slots: u64,
    pub(crate) lag: u64,
    /// How long a call is out, of late; 0 if none has ended.
    pub(crate) call_time: u64,
    /// What headers leave of calls a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) served: Option<f64>,
    /// The space that the first in the line waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<&'static str>,
    pub(crate) spaces: BTreeMap<&'static str, Space>,
    pub(crate) paces: BTreeMap<&'static str, Pace>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refusals: Vec<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<Outcome>,
    /// What a call uses of which nothing is said, input and output, if this process knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usual: Option<[u64; 2]>,
    /// For a server that knows of nothing: what is left of a pause, what was learned, and what was allowed.
    pub(crate) paused: u64,
    pub(crate) ceilings: Told,
    /// How many calls a minute were allowed here until now.
    pub(crate) allowed: f64,
    /// From 0 to 1.
    pub(crate) jitter: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ramp {
    pub(crate) start: u32,
    pub(crate) step: u32,
}

/// What all may take together, as it stands in one process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Space {
    pub(crate) limit: u64,
    pub(crate) taken: u64,
    /// How much more could be taken until the next report, by the first in the line, and by any one of the line.
    pub(crate) wants: u64,
    pub(crate) head: u64,
    pub(crate) most: u64,
    /// Of a budget, what was taken by its age, the last first.
    #[serde(flatten)]
    pub(crate) ages: Option<Ages>,
}

/// In equal parts of the time since the first that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Ages {
    /// How long what is taken counts, and how long a part is.
    pub(crate) width: u64,
    pub(crate) grain: u64,
    pub(crate) parts: Vec<u64>,
}

/// What is spread over a minute: the limit that one process knows of, what each of its next calls is expected to cost, and what
/// its calls have cost in all, with those for which it has slots.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Pace {
    pub(crate) limit: u64,
    pub(crate) each: u64,
    pub(crate) reserved: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Refusal {
    /// In which the call went; none if it was not one of ours, or went before the document was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) episode: Option<u64>,
    pub(crate) is_canary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<u64>,
    /// How long it took to come.
    pub(crate) after: u64,
    /// `requests` or `in_flight`, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) teaches: Option<&'static str>,
    /// The budgets that may be meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) budgets: Vec<&'static str>,
}

/// How the canary fares that was this process's to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Accepted,
    Lost,
    /// It has not gone yet.
    Kept,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
pub(crate) struct Answer {
    pub(crate) epoch: String,
    pub(crate) episode: u64,
    /// How often to ask while there is something to do.
    #[serde(default)]
    pub(crate) period: Option<f64>,
    /// Slots: after how long the first is, how far they are apart, how many there are.
    #[serde(default)]
    pub(crate) spans: Vec<[f64; 3]>,
    #[serde(default)]
    pub(crate) is_canary: bool,
    /// Until when.
    #[serde(default)]
    pub(crate) paused: Option<f64>,
    pub(crate) again: f64,
    pub(crate) spaces: Told,
    /// What others took of the budgets; how much more of a day they may take before they see that the server is out of reach;
    /// and where a call like our next does not fit, how long until it may.
    #[serde(default)]
    pub(crate) others: Told,
    #[serde(default)]
    pub(crate) soon: Told,
    #[serde(default)]
    pub(crate) frees: Told,
    /// What a call uses of which nothing is said, if anybody knows.
    #[serde(default)]
    pub(crate) usual: Option<[f64; 2]>,
    /// What all spread over a minute together, and the one of them that there were no more slots for.
    pub(crate) paces: Told,
    /// Of all that wait for one of them, by what they cost, the part that is ours.
    #[serde(default)]
    pub(crate) shares: Told,
    #[serde(default)]
    pub(crate) bound: Option<String>,
    pub(crate) members: f64,
    pub(crate) share: f64,
    pub(crate) pace: f64,
    pub(crate) rate: f64,
    pub(crate) is_ramping: bool,
    #[serde(default)]
    pub(crate) is_room_limited: bool,
    /// Nobody waits for a place of ours.
    #[serde(default)]
    pub(crate) is_room_plenty: bool,
    pub(crate) ceilings: Told,
    pub(crate) learned: Told,
}

/// Another process has other limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) name: String,
    pub(crate) limits: String,
    /// How many have those limits.
    pub(crate) members: u64,
}
