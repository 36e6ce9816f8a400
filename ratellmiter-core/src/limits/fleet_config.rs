//! The server that limiters are shared on, the namespace, and the policy while the server is unreachable.

use std::{error::Error, fmt};

use redis::{ConnectionInfo, IntoConnectionInfo as _};

use crate::limits::on_disconnect::OnDisconnect;

const ALLOWED: &str = "redis://HOST:PORT and rediss://HOST:PORT (TLS), or valkey and valkeys, with USER:PASSWORD@ before the host \
                       and /DATABASE after the port if needed";

/// The Redis or Valkey server and the namespace over which limiters are shared with other processes.
///
/// Limiters with the same namespace and name act as one limiter, in any process on any machine.
///
/// ```
/// use ratellmiter_core::fleet::{FleetConfig, OnDisconnect};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = FleetConfig::redis("rediss://worker:secret@redis.example:6380/2")?.namespace("team-a");
/// let config = config.on_disconnect(OnDisconnect::Wait);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FleetConfig {
    url: String,
    pub(crate) namespace: String,
    pub(crate) on_disconnect: OnDisconnect,
}

/// Error for an invalid URL of a Redis or Valkey server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFleetUrl {
    problem: String,
}

impl fmt::Display for InvalidFleetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no URL of a Redis or Valkey server: {}; allowed are {ALLOWED}", self.problem)
    }
}

impl Error for InvalidFleetUrl {}

impl FleetConfig {
    /// Creates a configuration for the server at `url`, for example `rediss://USER:PASSWORD@HOST:PORT/DATABASE`. Does not connect.
    ///
    /// # Errors
    /// Returns an error if `url` is invalid. The error does not contain the URL, which may contain a password.
    pub fn redis(url: impl Into<String>) -> Result<Self, InvalidFleetUrl> {
        let url = url.into();
        check(&url).map_err(|problem| InvalidFleetUrl { problem })?;
        let config = Self { url, namespace: "default".to_owned(), on_disconnect: OnDisconnect::default() };
        // The category contains nothing of the URL.
        config.connection().map_err(|error| InvalidFleetUrl { problem: error.category().to_owned() })?;
        Ok(config)
    }

    /// Sets the namespace: limiters of different namespaces are independent. Defaults to `default`.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// Sets the policy while the server is unreachable. Defaults to [`OnDisconnect::Degrade`].
    #[must_use]
    pub fn on_disconnect(mut self, policy: OnDisconnect) -> Self {
        self.on_disconnect = policy;
        self
    }

    pub(crate) fn connection(&self) -> redis::RedisResult<ConnectionInfo> {
        self.url.as_str().into_connection_info()
    }
}

/// Checks a URL. The description of the problem contains nothing of the URL.
fn check(url: &str) -> Result<(), String> {
    if !url.contains("://") {
        return Err("there is no scheme".to_owned());
    }
    let url = url::Url::parse(url).map_err(|error| {
        format!("{error}; special characters of a user name or password are written with %, as %2F for /")
    })?;
    let database = url.path().trim_matches('/');
    let problem = if !matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys") {
        "the scheme is neither redis nor rediss"
    } else if url.host_str().is_none_or(str::is_empty) {
        "there is no host"
    } else if !database.is_empty() && database.parse::<u32>().is_err() {
        "the database is not a number; a / in a password is written %2F"
    } else if url.query().is_some_and(|query| !matches!(query, "protocol=resp2" | "protocol=resp3")) {
        "after the ? only protocol=resp2 and protocol=resp3 are known"
    } else {
        return Ok(());
    };
    Err(problem.to_owned())
}

/// Omits the URL, which may contain a password.
impl fmt::Debug for FleetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, on_disconnect, .. } = self;
        f.debug_struct("FleetConfig")
            .field("namespace", namespace)
            .field("on_disconnect", on_disconnect)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
