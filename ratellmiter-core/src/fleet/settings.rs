//! Where a limiter is shared, under which name, and what happens when that place is out of reach.

use std::{convert::Infallible, error::Error, fmt};

use redis::{ConnectionInfo, IntoConnectionInfo as _};

/// The namespace of those who name none.
pub(crate) const NAMESPACE: &str = "default";

/// Where limiters are shared with other processes: a Redis or Valkey server, and a namespace on it.
///
/// Limiters of the same namespace and name are one, in whatever process and on whatever machine.
///
/// ```
/// use ratellmiter_core::{Loss, Shared};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shared = Shared::new("rediss://worker:secret@redis.example:6380/2")?.namespace("team-a").on_loss(Loss::Closed);
/// assert!(!format!("{shared:?}").contains("secret"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Shared {
    url: String,
    pub(crate) namespace: String,
    pub(crate) loss: Loss,
}

/// What happens to calls while the server that limiters are shared on is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Loss {
    /// Each process goes on with its last share of the limits. If it never had one, with all of them; or, where others are
    /// there that have other limits, with an equal one.
    #[default]
    Degrade,
    /// Calls wait until the server is back.
    Closed,
    /// Each process goes on with all of the limits, as if it were alone.
    Open,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Degrade => "this process goes on with its last share, or with all of the limits if it never had one",
            Self::Closed => "calls wait until it can be shared again",
            Self::Open => "this process goes on with all of the limits",
        })
    }
}

/// A URL that names no server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl {
    problem: String,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no URL of a Redis or Valkey server: {}; allowed are {ALLOWED}", self.problem)
    }
}

impl Error for InvalidUrl {}

/// What a URL may be.
pub(crate) const ALLOWED: &str = "redis://HOST:PORT and rediss://HOST:PORT (TLS), or valkey and valkeys, with USER:PASSWORD@ \
                                  before the host and /DATABASE behind it if need be";

impl Shared {
    /// On the server at this URL: `redis://127.0.0.1:6379`, or `rediss://USER:PASSWORD@HOST:PORT/DATABASE` with TLS. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// It is no such URL. The error does not show it, since there may be a password in it.
    pub fn new(url: impl Into<String>) -> Result<Self, InvalidUrl> {
        let url = url.into();
        check(&url).map_err(|problem| InvalidUrl { problem })?;
        let shared = Self { url, namespace: NAMESPACE.to_owned(), loss: Loss::default() };
        // These words are its own, and not the URL's.
        shared.connection().map_err(|error| InvalidUrl { problem: error.category().to_owned() })?;
        Ok(shared)
    }

    /// Under this name: limiters of other namespaces are others. `default` if it is not said.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// What happens while the server is out of reach. [`Loss::Degrade`] if it is not said.
    #[must_use]
    pub fn on_loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Whether the connection is to be encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        url::Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "rediss" | "valkeys"))
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
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, loss, .. } = self;
        f.debug_struct("Shared").field("namespace", namespace).field("loss", loss).finish_non_exhaustive()
    }
}

impl TryFrom<&str> for Shared {
    type Error = InvalidUrl;

    fn try_from(url: &str) -> Result<Self, InvalidUrl> {
        Self::new(url)
    }
}

impl TryFrom<String> for Shared {
    type Error = InvalidUrl;

    fn try_from(url: String) -> Result<Self, InvalidUrl> {
        Self::new(url)
    }
}

impl From<Infallible> for InvalidUrl {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_when_they_are_given_and_never_shown() {
        for url in [
            "redis://127.0.0.1:6379",
            "rediss://:hunter2@localhost:7000/3",
            "redis://u:hunter2@[::1]/",
            "REDIS://u:hunter2%2F@h?protocol=resp3",
            "valkeys://u:hunter2@h",
        ] {
            let shared = Shared::new(url).unwrap();
            assert_eq!(format!("{shared:?}"), r#"Shared { namespace: "default", loss: Degrade, .. }"#);
        }
        for (url, problem) in [
            ("127.0.0.1:6379", "there is no scheme"),
            ("http://:hunter2@localhost", "the scheme is neither redis nor rediss"),
            ("redis://:hunter2@localhost:port", "invalid port number; special characters"),
            ("redis://:hunter2/x@localhost", "empty host; special characters"),
            ("redis://:hunter2@localhost:99999", "invalid port number; special characters"),
            ("redis://one:1,two:2", "invalid port number; special characters"),
            ("redis://localhost/hunter2", "the database is not a number; a / in a password is written %2F"),
            ("redis://localhost/-1", "the database is not a number"),
            ("redis:///1", "there is no host"),
            ("redis://h?password=hunter2", "behind the ? only protocol=resp2"),
            ("redis://h?protocol=hunter2", "behind the ? only protocol=resp2"),
        ] {
            let error = Shared::new(url).unwrap_err();
            assert!(error.problem.starts_with(problem), "{url}: {error}");
            assert!(!error.to_string().contains("hunter2") && !error.to_string().contains('\n'));
        }
    }
}
