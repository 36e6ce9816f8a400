//! Configuration from code, file and environment. Later sources take precedence, so an operator can change settings without
//! a rebuild.
//!
//! The file is the one that `RATELLMITER_CONFIG` names, else `ratellmiter.toml` in the working directory, else
//! `ratellmiter/ratellmiter.toml` in the user's configuration directory:
//!
//! ```toml
//! default_rate_limit = 300            # calls a minute for models that are not named below
//! log_directory = "ratellmiter_logs"
//! keep_logs = "30 days"               # or "500 MB", or "all"
//! provider = "generic"                # of models without one of their own
//! max_in_flight = 50
//! max_attempts = 20
//! transient_attempts = 2
//! adaptive = true
//! burst_window = 0                    # seconds, up to 60
//! max_wait = 30                       # seconds, more than 0 and up to 86400
//! max_queue = 1000
//! on_exhausted = "fail"               # while a quota is spent; or "wait"
//! wait_at_most = 86_400               # seconds that calls wait for a quota, up to 31 days
//! give_up_after = 900                 # seconds without an accepted call, up to 31 days
//! enabled = true
//! ramp = { start = 0.25, step = 0.10 }  # or "off"
//! shared = "redis://127.0.0.1:6379"   # one budget with all processes that share over this server
//! shared_namespace = "default"
//! shared_on_disconnect = "degrade"    # or "wait", "full_limits"
//!
//! [models."claude-sonnet-4-5"]        # overrides the settings above for one model
//! provider = "anthropic"              # the numbers of the provider's rate-limit table
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
//! `provider` selects the rules by which tokens are counted; it is the name of a [`Provider`]. The budgets
//! are `requests_per_day`, `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute` and `tokens_per_day`.
//!
//! Settings above the models apply to each model separately, except to models with limits set in the code
//! ([`Monitor::set_limits`](crate::Monitor::set_limits)): for these only the table with the model's name applies. If the
//! provider does not limit requests, as `deepseek`, the rate is 60,000 calls a minute unless one is configured.
//!
//! A token budget that the provider in the same table does not count, such as output tokens for Gemini, is an error. A
//! warning is logged if the provider comes from elsewhere, or if it counts the tokens but has no such limit a minute.
//! A daily budget of your own is allowed without a warning.
//!
//! `shared` needs the feature `redis`; see [`Monitor::share_over`](crate::Monitor).
//!
//! Environment variables: `RATELLMITER_LOGS` sets the log directory, `RATELLMITER_RATE_LIMIT` the default rate limit, and
//! `RATELLMITER_SHARED` the URL of `shared`. `RATELLMITER=off` disables pacing.

mod file;
pub(crate) mod sharing;
mod values;
mod variables;

use std::{collections::HashMap, env, error::Error, fmt, io, path::PathBuf, sync::Once, time::Duration};

pub use crate::limits::ramp::InvalidRamp;

pub(crate) use self::{file::warnings, sharing::Sharing};
use self::{
    file::{File, LimitOverrides},
    variables::Variables,
};

use crate::{
    limits::{DEFAULT_RATE_LIMIT, Limits, on_exhausted::OnExhausted, ramp::Ramp},
    log::{self, KeepLogs},
    providers::provider::Provider,
};

/// Settings of a program. File and environment take precedence, see [the module](self).
///
/// Settings that differ by model, such as token and daily budgets, are set with
/// [`Monitor::set_limits`](crate::Monitor::set_limits) or in the file.
///
/// ```
/// use ratellmiter_core::Config;
///
/// let config = Config::new().default_rate_limit(500).max_in_flight(8).log_directory("logs");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    log_directory: PathBuf,
    keep_logs: KeepLogs,
    limits: Limits,
}

impl Config {
    /// Creates settings with all defaults.
    #[must_use]
    pub fn new() -> Self {
        let limits = Limits::per_minute(DEFAULT_RATE_LIMIT.get());
        Self { log_directory: log::DIRECTORY.into(), keep_logs: KeepLogs::default(), limits }
    }

    /// Sets the calls a minute for models without a limit of their own. 300 by default.
    ///
    /// # Panics
    /// If `requests_per_minute` is 0.
    #[must_use]
    #[track_caller]
    pub fn default_rate_limit(mut self, requests_per_minute: u32) -> Self {
        // A closure would hide the caller from the panic.
        self.limits = self.limits.requests_per_minute(requests_per_minute);
        self
    }

    /// Sets the directory of the log. `ratellmiter_logs` in the working directory by default.
    #[must_use]
    pub fn log_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.log_directory = directory.into();
        self
    }

    /// Sets which logs are kept, see [`KeepLogs`]. The logs of the last 30 days by default.
    #[must_use]
    pub fn keep_logs(mut self, keep: KeepLogs) -> Self {
        self.keep_logs = keep;
        self
    }

    /// Limits the calls of one model in flight, see [`Limits::max_in_flight`]. Unlimited by default.
    ///
    /// # Panics
    /// If `calls` is 0.
    #[must_use]
    #[track_caller]
    pub fn max_in_flight(mut self, calls: u32) -> Self {
        self.limits = self.limits.max_in_flight(calls);
        self
    }

    /// Sets the time whose unused budget may be sent at once, see [`Limits::burst_window`]. Zero by default.
    #[must_use]
    pub fn burst_window(self, window: Duration) -> Self {
        self.map(|limits| limits.burst_window(window))
    }

    /// Sets the ramp of a jump in demand, see [`Limits::ramp`].
    #[must_use]
    pub fn ramp(self, ramp: Ramp) -> Self {
        self.map(|limits| limits.ramp(ramp))
    }

    /// Disables the ramp, so that a jump in demand is served at the full rate at once.
    #[must_use]
    pub fn no_ramp(self) -> Self {
        self.map(Limits::no_ramp)
    }

    /// Sets whether refusals lower the limits for a while, see [`Limits::adaptive`]. On by default.
    #[must_use]
    pub fn adaptive(self, adaptive: bool) -> Self {
        self.map(|limits| limits.adaptive(adaptive))
    }

    /// Limits the number of times one call is sent. 20 by default.
    ///
    /// # Panics
    /// If `attempts` is 0.
    #[must_use]
    #[track_caller]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.limits = self.limits.max_attempts(attempts);
        self
    }

    /// Limits the number of times one call is sent again after a transient failure, see [`Limits::transient_attempts`]. 2 by
    /// default.
    #[must_use]
    pub fn transient_attempts(self, attempts: u32) -> Self {
        self.map(|limits| limits.transient_attempts(attempts))
    }

    /// Sets the provider for models without one, which determines how tokens are counted. [`Provider::Generic`] by default.
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

    /// Sets the policy for calls while a quota is spent, see [`Limits::on_exhausted`]. Calls fail by default.
    #[must_use]
    pub fn on_exhausted(self, policy: OnExhausted) -> Self {
        self.map(|limits| limits.on_exhausted(policy))
    }

    /// Limits the time for which calls wait for a quota, see [`Limits::wait_at_most`]. Unlimited by default.
    #[must_use]
    pub fn wait_at_most(self, wait: Duration) -> Self {
        self.map(|limits| limits.wait_at_most(wait))
    }

    /// Closes limiters whose server has not accepted a call for this time, see [`Limits::give_up_after`].
    #[must_use]
    pub fn give_up_after(self, time: Duration) -> Self {
        self.map(|limits| limits.give_up_after(time))
    }

    /// Sets whether limiters do anything, see [`Limits::enabled`]. On by default.
    #[must_use]
    pub fn enabled(self, enabled: bool) -> Self {
        self.map(|limits| limits.enabled(enabled))
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

/// Error of a configuration. The message is one line with the place, the problem and the allowed values.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file has a syntax error, an unknown key or an invalid value.
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, column and key.
        place: String,
        /// Description of the error and of the allowed values.
        problem: String,
    },
    /// An environment variable has an invalid value.
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// Allowed values.
        allowed: &'static str,
    },
    /// An environment variable has an invalid value, which is not shown because it may contain a password.
    HiddenVariable {
        /// The variable.
        name: &'static str,
        /// Description of the error and of the allowed values.
        problem: String,
    },
    /// Sharing is configured, but the program is built without the feature `redis`.
    CannotShare {
        /// The setting that configures it.
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
                "{place} asks for shared limiters, but this program is built without the feature `redis` of ratellmiter-core"
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

/// Combined settings of code, file and environment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log_directory: PathBuf,
    pub(crate) keep_logs: KeepLogs,
    defaults: Limits,
    models: HashMap<String, LimitOverrides>,
    /// `RATELLMITER=off` is set.
    off: bool,
    pub(crate) sharing: Sharing,
}

impl Settings {
    /// Returns the settings in force before [`load`](Self::load): the defaults. `RATELLMITER=off` applies already, so that
    /// users can disable pacing in their tests. Another value than `off` and `on` is warned about once.
    pub(crate) fn before_start() -> Self {
        static WARNED: Once = Once::new();
        let off = Variables::off(|name| env::var_os(name)).unwrap_or_else(|error| {
            WARNED.call_once(|| tracing::warn!("{error}"));
            false
        });
        Self {
            log_directory: log::DIRECTORY.into(),
            keep_logs: KeepLogs::default(),
            defaults: Limits::per_minute(DEFAULT_RATE_LIMIT.get()),
            models: HashMap::new(),
            off,
            sharing: Sharing::default(),
        }
    }

    pub(crate) fn load(config: Config) -> Result<Self, ConfigError> {
        let variables = Variables::from_env(|name| env::var_os(name))?;
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
            keep_logs: file.keep_logs.unwrap_or(config.keep_logs),
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

    /// Returns the limits in force for `model`, which has `code_limits` in the code.
    pub(crate) fn limits(&self, model: &str, code_limits: Option<Limits>) -> Limits {
        let mut limits = code_limits.unwrap_or(self.defaults);
        if let Some(overrides) = self.models.get(model) {
            overrides.apply(&mut limits);
        }
        limits.enabled &= !self.off;
        limits
    }
}

/// Returns the log directory of the environment, the configuration file or the default, in this order.
///
/// # Errors
/// The environment or the configuration file is invalid.
pub fn log_directory() -> Result<PathBuf, ConfigError> {
    Settings::load(Config::new()).map(|settings| settings.log_directory)
}

#[cfg(test)]
mod tests;
