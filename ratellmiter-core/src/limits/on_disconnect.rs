//! The policy for limiters whose server is unreachable.

use std::fmt;

/// The policy for calls of shared limiters while the server is unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(not(feature = "redis"), expect(unreachable_pub))]
pub enum OnDisconnect {
    /// Each process continues with its last share of the limits; without one, with the full limits, or an equal part beside conflicts.
    #[default]
    Degrade,
    /// Calls wait until the server is reachable again.
    Wait,
    /// Each process continues with the full limits, as if it were alone.
    FullLimits,
}

impl fmt::Display for OnDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Degrade => {
                "this process continues with its last share of the limits, or without one with the full limits"
            }
            Self::Wait => "calls wait until the limiter can be shared again",
            Self::FullLimits => "this process continues with the full limits",
        })
    }
}
