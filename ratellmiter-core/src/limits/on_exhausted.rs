//! The policy for calls while a quota is spent.

/// The policy for calls of a limiter that is closed because a quota is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnExhausted {
    /// Calls fail at once.
    #[default]
    Fail,
    /// Calls wait until the quota is back, at most [`Limits::wait_at_most`](crate::Limits::wait_at_most)
    /// after the first response that reported it.
    Wait,
}
