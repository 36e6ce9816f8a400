//! The configuration of limiters that processes share.
//!
//! It is read without the feature `redis` as well, since the command reads the file of a program that may have the feature.

use std::{ffi::OsString, fmt};

use super::{
    ConfigError,
    values::{FileError, Value},
};
#[cfg(feature = "redis")]
use crate::fleet::FleetConfig;

/// The environment variable that holds the URL of the server.
pub(super) const VARIABLE: &str = "RATELLMITER_SHARED";

/// What happens to calls while the server that limiters are shared on is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(not(feature = "redis"), expect(unreachable_pub))]
pub enum OnDisconnect {
    /// Each process goes on with its last share of the limits. If it never had one, with all of them; or, where others are
    /// there that have other limits, with an equal one.
    #[default]
    Degrade,
    /// Calls wait until the server is back.
    Wait,
    /// Each process goes on with all of the limits, as if it were alone.
    FullLimits,
}

impl OnDisconnect {
    pub(super) fn of(value: Value<'_>) -> Result<Self, FileError> {
        const ALLOWED: &str = "\"degrade\", \"wait\" or \"full_limits\"";
        Ok(match value.text(ALLOWED)? {
            "degrade" => Self::Degrade,
            "wait" => Self::Wait,
            "full_limits" => Self::FullLimits,
            other => return Err(value.error(format!("{other:?} is not {ALLOWED}"))),
        })
    }
}

impl fmt::Display for OnDisconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Degrade => "this process goes on with its last share of the limits",
            Self::Wait => "calls wait until it can be shared again",
            Self::FullLimits => "this process goes on with all of the limits",
        })
    }
}

/// The URL of a server. It is not shown, since it may contain a password.
#[derive(Debug, Clone)]
pub(super) struct Url(#[cfg(feature = "redis")] FleetConfig);

impl Url {
    pub(super) fn of(value: Value<'_>) -> Result<Self, FileError> {
        let url = value.text("the URL of a Redis or Valkey server, as \"redis://HOST:PORT\"")?;
        Self::new(url).map_err(|problem| value.error(problem))
    }

    pub(super) fn of_variable(value: OsString) -> Result<Self, ConfigError> {
        let text = value.into_string().map_err(|_| "no text".to_owned());
        text.and_then(|url| Self::new(&url)).map_err(|problem| ConfigError::HiddenVariable { name: VARIABLE, problem })
    }

    #[cfg(feature = "redis")]
    fn new(url: &str) -> Result<Self, String> {
        FleetConfig::redis(url).map(Self).map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "redis"))]
    #[allow(clippy::unnecessary_wraps)] // As with the feature.
    fn new(_: &str) -> Result<Self, String> {
        Ok(Self())
    }
}

/// Reads the name of a namespace.
pub(super) fn namespace(value: Value<'_>) -> Result<String, FileError> {
    match value.text("a name")? {
        "" => Err(value.error("a namespace is not empty")),
        name => Ok(name.to_owned()),
    }
}

/// The settings of file and environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sharing {
    pub(super) url: Option<Url>,
    /// The URL is that of the environment.
    pub(super) by_variable: bool,
    pub(super) namespace: Option<String>,
    pub(super) loss: Option<OnDisconnect>,
}

impl Sharing {
    /// Returns an error if a server is configured for a program that is built without the feature `redis`.
    pub(crate) fn check(&self, is_supported: bool) -> Result<(), ConfigError> {
        let place = if self.by_variable {
            "the environment variable RATELLMITER_SHARED"
        } else {
            "`shared` in the configuration"
        };
        if is_supported || self.url.is_none() { Ok(()) } else { Err(ConfigError::CannotShare { place }) }
    }

    /// Returns the server to share limiters on. These settings take precedence over those of the code.
    #[cfg(feature = "redis")]
    pub(crate) fn merged_with_code(&self, code: Option<&FleetConfig>) -> Option<FleetConfig> {
        let mut shared = self.url.as_ref().map(|Url(server)| server).or(code)?.clone();
        let (namespace, loss) = code.map_or((&shared.namespace, shared.loss), |code| (&code.namespace, code.loss));
        shared.namespace = self.namespace.as_ref().unwrap_or(namespace).clone();
        shared.loss = self.loss.unwrap_or(loss);
        Some(shared)
    }
}
