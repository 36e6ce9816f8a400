//! The result of sharing a limiter.

use std::{error::Error, fmt};

/// The result of the last report; `None` before the first reply.
pub(crate) type JoinState = Option<Result<(), FleetError>>;

/// The reason why a limiter is not shared as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FleetError {
    /// Another process has different limits.
    Conflict {
        /// The limiter's name.
        model: String,
        /// The limits of this process.
        ours: String,
        /// The other process.
        name: String,
        /// The limits of the other process.
        theirs: String,
    },
    /// The server rejects the request.
    Refused {
        /// The limiter's name.
        model: String,
        /// The server's host and port.
        server: String,
        /// The server's error, or a description of its reply.
        reason: String,
    },
    /// The server is unreachable, or cannot serve for now: for example, it is a replica, or its cluster is down.
    Lost {
        /// The server's host and port.
        server: String,
        /// The cause.
        reason: String,
    },
}

impl fmt::Display for FleetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { model, ours, name, theirs } => {
                write!(f, "{} has other limits in {name}: {theirs}; here: {ours}", model.escape_debug())
            }
            Self::Refused { model, server, reason } => {
                write!(f, "{} cannot be shared on {server}: {reason}", model.escape_debug())
            }
            Self::Lost { server, reason } => {
                write!(f, "the server of shared limiters, {server}, is unreachable: {reason}")
            }
        }
    }
}

impl Error for FleetError {}
