//! The configuration of limiters that processes share.
//!
//! It is read without the feature `redis` as well, since the command reads the file of a program that may have the feature.

use std::ffi::OsString;

use super::{
    ConfigError,
    values::{FileError, Value},
};
#[cfg(feature = "redis")]
use crate::limits::fleet_config::FleetConfig;
use crate::limits::on_disconnect::OnDisconnect;

/// The environment variable that holds the URL of the server.
pub(super) const VARIABLE: &str = "RATELLMITER_SHARED";

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
#[cfg_attr(not(feature = "redis"), expect(dead_code))]
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
        let (namespace, on_disconnect) =
            code.map_or((&shared.namespace, shared.on_disconnect), |code| (&code.namespace, code.on_disconnect));
        shared.namespace = self.namespace.as_ref().unwrap_or(namespace).clone();
        shared.on_disconnect = self.loss.unwrap_or(on_disconnect);
        Some(shared)
    }
}
