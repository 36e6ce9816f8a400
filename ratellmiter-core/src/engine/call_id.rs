//! The identity of a call and the permission to send it.

use std::time::Duration;

/// Identifies a call from its request to its end, over all attempts. Earlier calls have smaller ids.
pub(crate) type CallId = u64;

/// Permission to send one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: CallId,
    /// Rank in the queue, which the call keeps if it fails transiently and is queued again.
    pub(super) rank: u64,
    /// Time at which it was issued.
    pub(super) at: Duration,
    pub(super) passage: Passage,
}

#[cfg(test)]
impl Grant {
    pub(crate) fn new(id: CallId, at: Duration, passage: Passage) -> Self {
        Self { id, at, rank: 0, passage }
    }
}

/// The state of congestion control when a call was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    /// Number of episodes of refusals until then.
    pub(crate) episode: u64,
    /// The call is the canary that tests the server after a pause. Its refusal does not adapt the limits.
    pub(crate) is_canary: bool,
}
