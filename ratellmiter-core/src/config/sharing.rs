//! What configuration says of limiters that processes share.
//!
//! Without the feature `redis` it is read all the same, since the command reads the file of a program that may have it; but
//! nobody can start with it.

use serde::Deserialize;

use super::ConfigError;

/// The environment variable that names the server, and what it may be.
const VARIABLE: &str = "RATELLMITER_SHARED";
const ALLOWED: &str = "redis://HOST:PORT or rediss://HOST:PORT (TLS), with USER:PASSWORD@ before the host and /DATABASE behind \
                       it if need be";

#[cfg(feature = "redis")]
type Server = crate::fleet::Shared;
#[cfg(feature = "redis")]
pub(super) type Loss = crate::fleet::Loss;

/// Nobody can use it.
#[cfg(not(feature = "redis"))]
type Server = ();
#[cfg(not(feature = "redis"))]
pub(super) type Loss = serde::de::IgnoredAny;

/// The URL of a server. It is never shown.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Url(Server);

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Url(..)")
    }
}

impl TryFrom<String> for Url {
    type Error = String;

    #[cfg(feature = "redis")]
    fn try_from(url: String) -> Result<Self, String> {
        Server::new(url).map(Self).map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "redis"))]
    fn try_from(_: String) -> Result<Self, String> {
        Ok(Self(()))
    }
}

/// All that is said of it, by file and environment.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))] // Nobody can use it.
pub(crate) struct Sharing {
    pub(super) url: Option<Url>,
    pub(super) namespace: Option<String>,
    pub(super) loss: Option<Loss>,
}

impl Sharing {
    /// The environment wins.
    pub(super) fn variable(value: Option<std::ffi::OsString>) -> Result<Option<Url>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        let url = value.into_string().ok().and_then(|text| Url::try_from(text).ok());
        // There may be a password in it.
        let hidden = || "(not shown)".to_owned();
        url.map(Some).ok_or_else(|| ConfigError::Variable { name: VARIABLE, value: hidden(), allowed: ALLOWED })
    }

    pub(super) const VARIABLE: &str = VARIABLE;

    /// Whether this program can do what is asked for.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if cfg!(feature = "redis") || self.url.is_none() { Ok(()) } else { Err(ConfigError::CannotShare) }
    }

    /// Where limiters are shared, if the code says this of it.
    #[cfg(feature = "redis")]
    pub(crate) fn over(&self, code: Option<&Server>) -> Option<Server> {
        let url = self.url.as_ref().map(|Url(server)| match code {
            Some(code) => server.clone().namespace(&code.namespace).on_loss(code.loss),
            None => server.clone(),
        });
        let mut shared = url.or_else(|| code.cloned())?;
        if let Some(namespace) = &self.namespace {
            shared = shared.namespace(namespace);
        }
        if let Some(loss) = self.loss {
            shared = shared.on_loss(loss);
        }
        Some(shared)
    }
}
