//! The errors of starting and stopping a monitor.

use std::{error::Error, fmt, io, path::PathBuf};

use crate::config::ConfigError;

/// Error returned when a monitor cannot be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The monitor is already running.
    AlreadyStarted {
        /// Path of its log.
        path: PathBuf,
    },
    /// The configuration is invalid.
    Config(ConfigError),
    /// The log cannot be created.
    Log {
        /// Directory of the log.
        directory: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted { path } => {
                write!(f, "the monitor has been started already and writes {}; stop it first", path.display())
            }
            Self::Config(error) => error.fmt(f),
            Self::Log { directory, source } => write!(f, "cannot write a log into {}: {source}", directory.display()),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AlreadyStarted { .. } => None,
            // `Display` shows the message of the `ConfigError` itself.
            Self::Config(error) => error.source(),
            Self::Log { source, .. } => Some(source),
        }
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

/// Error returned when the last rows of the log could not be written. Calls are not affected.
#[derive(Debug)]
pub struct StopError {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, source } = self;
        write!(f, "the last rows of the log {} could not be written: {source}", path.display())
    }
}

impl Error for StopError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
