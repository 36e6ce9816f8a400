//! Where a limiter is shared, under which name, and what happens when that place is out of reach.

use std::{error::Error, fmt};

use redis::{ConnectionInfo, IntoConnectionInfo as _};

use crate::config::OnDisconnect;

/// The namespace of those who name none.
pub(crate) const NAMESPACE: &str = "default";

/// Where limiters are shared with other processes: a Redis or Valkey server, and a namespace on it.
///
/// Limiters of the same namespace and name are one, in whatever process and on whatever machine.
///
/// ```
/// use ratellmiter_core::fleet::{FleetConfig, OnDisconnect};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shared = FleetConfig::redis("rediss://worker:secret@redis.example:6380/2")?.namespace("team-a").on_disconnect(OnDisconnect::Wait);
/// assert!(!format!("{shared:?}").contains("secret"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct FleetConfig {
    url: String,
    pub(crate) namespace: String,
    pub(crate) loss: OnDisconnect,
}

/// A URL that names no server.
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

/// What a URL may be.
pub(crate) const ALLOWED: &str = "redis://HOST:PORT and rediss://HOST:PORT (TLS), or valkey and valkeys, with USER:PASSWORD@ \
                                  before the host and /DATABASE behind it if need be";

impl FleetConfig {
    /// On the server at this URL: `redis://127.0.0.1:6379`, or `rediss://USER:PASSWORD@HOST:PORT/DATABASE` with TLS. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// It is no such URL. The error does not show it, since there may be a password in it.
    pub fn redis(url: impl Into<String>) -> Result<Self, InvalidFleetUrl> {
        let url = url.into();
        check(&url).map_err(|problem| InvalidFleetUrl { problem })?;
        let shared = Self { url, namespace: NAMESPACE.to_owned(), loss: OnDisconnect::default() };
        // These words are its own, and not the URL's.
        shared.connection().map_err(|error| InvalidFleetUrl { problem: error.category().to_owned() })?;
        Ok(shared)
    }

    /// Under this name: limiters of other namespaces are others. `default` if it is not said.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// What happens while the server is out of reach. [`OnDisconnect::Degrade`] if it is not said.
    #[must_use]
    pub fn on_disconnect(mut self, loss: OnDisconnect) -> Self {
        self.loss = loss;
        self
    }

    pub(crate) fn connection(&self) -> redis::RedisResult<ConnectionInfo> {
        self.url.as_str().into_connection_info()
    }
}

/// What is wrong with a URL, if anything, in words that show nothing of it.
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
        "behind the ? only protocol=resp2 and protocol=resp3 are known"
    } else {
        return Ok(());
    };
    Err(problem.to_owned())
}

/// Without the URL: there may be a password in it.
impl fmt::Debug for FleetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, loss, .. } = self;
        f.debug_struct("Shared").field("namespace", namespace).field("loss", loss).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
