//! What configuration says of limiters that processes share.
//!
//! Without the feature `redis` it is read all the same, since the command reads the file of a program that may have it; but
//! nobody can start with it.

use std::fmt;

use super::{
    ConfigError,
    values::{Mistake, Value},
};

/// The environment variable that names the server.
const VARIABLE: &str = "RATELLMITER_SHARED";

#[cfg(feature = "redis")]
type Server = crate::fleet::Shared;
#[cfg(feature = "redis")]
type Policy = crate::fleet::Loss;

/// Nobody can use it.
#[cfg(not(feature = "redis"))]
type Server = ();
#[cfg(not(feature = "redis"))]
type Policy = ();

/// The URL of a server. It is never shown.
#[derive(Clone)]
pub(super) struct Url(Server);

/// A name that is not empty.
#[derive(Debug, Clone)]
pub(super) struct Namespace(String);

/// What happens while the server is out of reach.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "redis"), allow(dead_code))] // Nobody can use it.
pub(super) struct Loss(Policy);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(..)")
    }
}

impl Url {
    pub(super) fn of(value: Value<'_>) -> Result<Self, Mistake> {
        let url = value.text("the URL of a Redis or Valkey server, as \"redis://HOST:PORT\"")?;
        Self::try_from(url.to_owned()).map_err(|problem| value.mistake(problem))
    }
}

impl Namespace {
    pub(super) fn of(value: Value<'_>) -> Result<Self, Mistake> {
        let name = value.text("a name")?;
        if name.is_empty() { Err(value.mistake("a namespace is not empty")) } else { Ok(Self(name.to_owned())) }
    }
}

impl Loss {
    pub(super) fn of(value: Value<'_>) -> Result<Self, Mistake> {
        const ALLOWED: &str = "\"degrade\", \"closed\" or \"open\"";
        let policy = value.text(ALLOWED)?;
        policy_of(policy).map(Self).ok_or_else(|| value.mistake(format!("{policy:?} is not {ALLOWED}")))
    }
}

#[cfg(feature = "redis")]
fn policy_of(name: &str) -> Option<Policy> {
    Some(match name {
        "degrade" => Policy::Degrade,
        "closed" => Policy::Closed,
        "open" => Policy::Open,
        _ => return None,
    })
}

#[cfg(not(feature = "redis"))]
fn policy_of(name: &str) -> Option<Policy> {
    matches!(name, "degrade" | "closed" | "open").then_some(())
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
    /// The environment says so.
    pub(super) by_variable: bool,
    pub(super) namespace: Option<Namespace>,
    pub(super) loss: Option<Loss>,
}

impl Sharing {
    /// The environment wins.
    pub(super) fn variable(value: Option<std::ffi::OsString>) -> Result<Option<Url>, ConfigError> {
        let Some(value) = value else { return Ok(None) };
        let text = value.into_string().map_err(|_| "no text".to_owned());
        // There may be a password in it.
        let hidden = |problem| ConfigError::HiddenVariable { name: VARIABLE, problem };
        text.and_then(Url::try_from).map(Some).map_err(hidden)
    }

    pub(super) const VARIABLE: &str = VARIABLE;

    /// Whether this program can do what is asked for.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if cfg!(feature = "redis") || self.url.is_none() {
            return Ok(());
        }
        let place = if self.by_variable {
            "the environment variable RATELLMITER_SHARED"
        } else {
            "`shared` in the configuration"
        };
        Err(ConfigError::CannotShare { place })
    }

    /// Where limiters are shared, if the code says this of it.
    #[cfg(feature = "redis")]
    pub(crate) fn over(&self, code: Option<&Server>) -> Option<Server> {
        let url = self.url.as_ref().map(|Url(server)| match code {
            Some(code) => server.clone().namespace(&code.namespace).on_loss(code.loss),
            None => server.clone(),
        });
        let mut shared = url.or_else(|| code.cloned())?;
        if let Some(Namespace(namespace)) = &self.namespace {
            shared = shared.namespace(namespace);
        }
        if let Some(Loss(loss)) = self.loss {
            shared = shared.on_loss(loss);
        }
        Some(shared)
    }
}
