//! Code, file and environment become one configuration; the later wins, so an operator can retune without a rebuild.
//!
//! The file is the one that `RATELLMITER_CONFIG` names, else `ratellmiter.toml` in the working directory, else
//! `ratellmiter/ratellmiter.toml` in the user's configuration directory:
//!
//! ```toml
//! default_rate_limit = 300            # calls a minute for models that are not named below
//! log_directory = "ratellmiter_logs"
//! max_in_flight = 50
//! max_attempts = 20
//! adaptive = true
//! burst_window = 0                           # seconds, up to 60
//! max_wait = 30                       # seconds, more than 0 and up to 86400
//! max_queue = 1000
//! enabled = true
//! ramp = { start = 0.25, step = 0.10 }  # or "off"
//! shared = "redis://127.0.0.1:6379"   # one budget with all other processes that say so
//! shared_namespace = "default"
//! shared_on_disconnect = "degrade"          # or "wait", "full_limits"
//!
//! [models."claude-sonnet-4-5"]        # what is not said here is as above
//! provider = "anthropic"              # the tier, as its table says it
//! requests_per_minute = 50
//! input_tokens_per_minute = 30_000
//! output_tokens_per_minute = 8_000
//!
//! [models."gpt-4o"]
//! provider = "openai"
//! requests_per_minute = 500
//! tokens_per_minute = 30_000
//! max_in_flight = 8
//! ```
//!
//! `provider` says how tokens are counted: it is the name of a [`Provider`](crate::Provider). The budgets are `requests_per_day`,
//! `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute` and `tokens_per_day`. Where they stand above
//! the models they hold for each model apart, as `max_in_flight` does, but for models to which the code gives limits of their
//! own ([`Monitor::set_limits`](crate::Monitor::set_limits)): of those only what stands under their name is changed. With a provider that
//! does not limit requests, as `deepseek`, they are 60,000 a minute unless you say otherwise.
//!
//! A budget of tokens that the provider named beside it never counts, as Gemini does output, is a mistake in the file. One
//! that comes from elsewhere, or that the provider counts but does not limit, is a warning once it holds; a budget of your
//! own for a day is neither.
//!
//! `shared` needs the feature `redis`; see [`Monitor::share_over`](crate::Monitor).
//!
//! The environment: `RATELLMITER_LOGS` is the log directory, `RATELLMITER_RATE_LIMIT` the default rate limit,
//! `RATELLMITER_SHARED` the URL of `shared`, and `RATELLMITER=off` lets every call through at once.

mod file;
pub(crate) mod sharing;
mod values;
mod variables;

use std::{collections::HashMap, env, error::Error, fmt, io, path::PathBuf, time::Duration};

pub use crate::limits::InvalidRamp;

pub(crate) use self::{file::warnings, sharing::Sharing};
use self::{
    file::{File, LimitOverrides},
    variables::{OFF, Variables},
};

use crate::{
    limits::{DEFAULT_RATE_LIMIT, Limits, Ramp},
    log,
    providers::provider::Provider,
};

/// The settings of a program. File and environment take precedence, see [the module](self).
///
/// Settings that differ from model to model, as the budgets of tokens and days do, are those of
/// [`Monitor::set_limits`](crate::Monitor::set_limits), or of the file.
///
/// ```
/// use ratellmiter_core::Config;
///
/// let config = Config::new().default_rate_limit(500).max_in_flight(8).log_directory("logs");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    log_directory: PathBuf,
    limits: Limits,
}

impl Config {
    /// Creates settings with all defaults.
    #[must_use]
    pub fn new() -> Self {
        Self { log_directory: log::DIRECTORY.into(), limits: Limits::per_minute(DEFAULT_RATE_LIMIT.get()) }
    }

    /// Sets the calls a minute for models without a limit of their own. 300 by default.
    ///
    /// # Panics
    /// If `requests_per_minute` is 0.
    #[must_use]
    pub fn default_rate_limit(self, requests_per_minute: u32) -> Self {
        self.map(|limits| limits.requests_per_minute(requests_per_minute))
    }

    /// Sets the directory of the log. `ratellmiter_logs` in the working directory by default.
    #[must_use]
    pub fn log_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.log_directory = directory.into();
        self
    }

    /// Limits the calls of one model in flight, see [`Limits::max_in_flight`]. Unlimited by default.
    ///
    /// # Panics
    /// If `calls` is 0.
    #[must_use]
    pub fn max_in_flight(self, calls: u32) -> Self {
        self.map(|limits| limits.max_in_flight(calls))
    }

    /// Lets unused budget be sent at once, see [`Limits::burst_window`]. Zero by default.
    #[must_use]
    pub fn burst_window(self, window: Duration) -> Self {
        self.map(|limits| limits.burst_window(window))
    }

    /// Sets the ramp of a jump in demand, see [`Limits::ramp`].
    #[must_use]
    pub fn ramp(self, ramp: Ramp) -> Self {
        self.map(|limits| limits.ramp(ramp))
    }

    /// Serves a jump in demand at once.
    #[must_use]
    pub fn no_ramp(self) -> Self {
        self.map(Limits::no_ramp)
    }

    /// Sets whether refusals lower the limits for a while, see [`Limits::adaptive`]. On by default.
    #[must_use]
    pub fn adaptive(self, adaptive: bool) -> Self {
        self.map(|limits| limits.adaptive(adaptive))
    }

    /// Limits how often one call is sent. 20 by default.
    ///
    /// # Panics
    /// If `attempts` is 0.
    #[must_use]
    pub fn max_attempts(self, attempts: u32) -> Self {
        self.map(|limits| limits.max_attempts(attempts))
    }

    /// Sets the provider, by whose rules tokens are counted for models that name none. [`Provider::Generic`] by default.
    #[must_use]
    pub fn provider(self, provider: Provider) -> Self {
        self.map(|limits| limits.provider(provider))
    }

    /// Limits the time a call may spend queued, see [`Limits::max_wait`]. Unlimited by default.
    #[must_use]
    pub fn max_wait(self, wait: Duration) -> Self {
        self.map(|limits| limits.max_wait(wait))
    }

    /// Limits the number of queued calls of one model, see [`Limits::max_queue`]. Unlimited by default.
    #[must_use]
    pub fn max_queue(self, calls: u32) -> Self {
        self.map(|limits| limits.max_queue(calls))
    }

    fn map(mut self, change: impl FnOnce(Limits) -> Limits) -> Self {
        self.limits = change(self.limits);
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

/// A configuration that cannot be used. The message is one line that names the place, what is wrong and what is allowed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there but cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something that is not understood or not allowed.
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and column.
        place: String,
        /// What is wrong there, and what is allowed.
        problem: String,
    },
    /// An environment variable has a value that is not allowed.
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// An environment variable has a value that is not allowed, and not shown, as there may be a password in it.
    HiddenVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong with its value, and what it may be.
        problem: String,
    },
    /// Limiters are to be shared with other processes, and this program cannot do that.
    CannotShare {
        /// Where that is said.
        place: &'static str,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "cannot read the configuration {}: {source}", path.display())
            }
            Self::Invalid { path, place, problem } => {
                write!(f, "in the configuration {}, {place}: {problem}", path.display())
            }
            Self::Variable { name, value, allowed } => {
                write!(f, "the environment variable {name} is {value:?}; allowed is {allowed}")
            }
            Self::HiddenVariable { name, problem } => write!(f, "the environment variable {name} is {problem}"),
            Self::CannotShare { place } => write!(
                f,
                "{place} has limiters shared, but this program is built without the feature `redis` of ratellmiter-core"
            ),
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// One configuration out of code, file and environment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log_directory: PathBuf,
    defaults: Limits,
    models: HashMap<String, LimitOverrides>,
    /// `RATELLMITER=off`.
    off: bool,
    pub(crate) sharing: Sharing,
}

impl Settings {
    /// Before [`load`](Self::load): the defaults. Of the environment only `RATELLMITER=off` counts, so that users' own
    /// tests are not paced.
    pub(crate) fn before_start() -> Self {
        let off = env::var_os(OFF.0).is_some_and(|value| value == OFF.1);
        Self {
            log_directory: log::DIRECTORY.into(),
            defaults: Limits::per_minute(DEFAULT_RATE_LIMIT.get()),
            models: HashMap::new(),
            off,
            sharing: Sharing::default(),
        }
    }

    pub(crate) fn load(config: Config) -> Result<Self, ConfigError> {
        let variables = Variables::of(|name| env::var_os(name))?;
        let file = variables.file().map_or_else(|| Ok(File::default()), |path| File::read(&path))?;
        Ok(Self::combine(config, file, variables))
    }

    fn combine(config: Config, file: File, variables: Variables) -> Self {
        let mut defaults = config.limits;
        file.limits.apply(&mut defaults);
        defaults.requests_per_minute =
            variables.rate_limit.or(file.default_rate_limit).unwrap_or(defaults.requests_per_minute);
        Self {
            log_directory: variables.logs.or(file.log_directory).unwrap_or(config.log_directory),
            defaults,
            models: file.models,
            off: variables.off,
            sharing: Sharing {
                by_variable: variables.shared.is_some(),
                url: variables.shared.or(file.shared),
                namespace: file.shared_namespace,
                loss: file.shared_on_disconnect,
            },
        }
    }

    /// The limits in force for `model`; `asked` is what the code says of it.
    pub(crate) fn limits(&self, model: &str, asked: Option<Limits>) -> Limits {
        let mut limits = asked.unwrap_or(self.defaults);
        if let Some(changes) = self.models.get(model) {
            changes.apply(&mut limits);
        }
        limits.enabled &= !self.off;
        limits
    }
}

/// Where logs are read from when the command is not told: the environment, the configuration file, the default.
///
/// # Errors
/// The configuration file cannot be used.
pub fn log_directory() -> Result<PathBuf, ConfigError> {
    Settings::load(Config::new()).map(|settings| settings.log_directory)
}

#[cfg(test)]
mod tests;
