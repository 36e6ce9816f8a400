//! One limiter as a pure state machine: no clock, lock, task or I/O.
//!
//! A caller changes the state with the time `now` as an argument, calls `advance` to send the calls that are due, and sleeps
//! until `deadline`. Every change may move the deadline.

pub(crate) mod budgets;
pub(crate) mod call_id;
pub(crate) mod call_state;
pub(crate) mod congestion;
pub(crate) mod lease;
pub(crate) mod pace;
pub(crate) mod queue;
pub(crate) mod scheduler;
pub(crate) mod stats;
