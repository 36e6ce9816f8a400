//! Code, file and environment become one configuration; the later wins, so an operator can retune without a rebuild.
//!
//! The file is the one that `RATELLMITER_CONFIG` names, else `ratellmiter.toml` in the working directory, else
//! `ratellmiter/ratellmiter.toml` in the user's configuration directory:
//!
//! ```toml
//! default_rate_limit = 300            # calls a minute for models that are not named below
//! log_directory = "ratellmiter_logs"
//! max_in_flight = 50
//! attempts = 20
//! learn = true
//! burst = 0                           # seconds, up to 60
//! enabled = true
//! ramp = { start = 0.25, step = 0.10 }  # or "off"
//!
//! [models."gpt-4o"]                   # what is not said here is as above
//! requests_per_minute = 500
//! max_in_flight = 8
//! ```
//!
//! The environment: `RATELLMITER_LOGS` is the log directory, `RATELLMITER_RATE_LIMIT` the default rate limit, and
//! `RATELLMITER=off` lets every call through at once.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use thiserror::Error;

use crate::{
    limits::{LONGEST_BURST, Limits, Ramp},
    log,
};

/// The name of the configuration file.
const FILE: &str = "ratellmiter.toml";

/// What a program asks for. File and environment may say otherwise, see [the module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Calls a minute for models that have no limit of their own. 300 by default.
    pub default_rate_limit: u32,
    /// Where the log is written. `ratellmiter_logs` in the working directory by default.
    pub log_directory: PathBuf,
    /// How many calls of one model may be out at once. `None`, the default: any number.
    pub max_in_flight: Option<NonZeroU32>,
    /// How much unused budget may go at once, see [`Limits::burst`]. Zero by default.
    pub burst: Duration,
    /// How a jump in demand is taken. `None`: at once.
    pub ramp: Option<Ramp>,
    /// Whether refusals lower the rate for a while, see [`Limits::learn`]. On by default.
    pub learn: bool,
    /// How often one call is sent at most. 20 by default.
    pub attempts: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        let limits = Limits::per_minute(DEFAULT_RATE_LIMIT);
        Self {
            default_rate_limit: DEFAULT_RATE_LIMIT.get(),
            log_directory: log::DIRECTORY.into(),
            max_in_flight: limits.max_in_flight,
            burst: limits.burst,
            ramp: limits.ramp,
            learn: limits.learn,
            attempts: limits.attempts,
        }
    }
}

/// Calls a minute when nobody says anything.
pub(crate) const DEFAULT_RATE_LIMIT: NonZeroU32 = NonZeroU32::new(300).expect("300 is not 0");

/// A configuration that cannot be used. The message is one line that names the place, what is wrong and what is allowed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there but cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file says something that is not understood or not allowed.
    #[error("in the configuration {}, {place}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line and column.
        place: String,
        /// What is wrong there, and what is allowed.
        problem: String,
    },
    /// An environment variable has a value that is not allowed.
    #[error("the environment variable {name} is {value:?}; allowed is {allowed}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// The program asked for no calls at all.
    #[error("Config::default_rate_limit is 0; allowed are 1 to 4294967295 calls a minute")]
    ZeroRate,
}

/// One configuration out of code, file and environment.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) log_directory: PathBuf,
    defaults: Limits,
    models: BTreeMap<String, Changes>,
    /// `RATELLMITER=off`.
    off: bool,
}

impl Settings {
    /// Before [`load`](Self::load): the defaults. Of the environment only `RATELLMITER=off` counts, so that users' own
    /// tests are not paced.
    pub(crate) fn before_start() -> Self {
        let off = env::var_os(OFF.0).is_some_and(|value| value == OFF.1);
        Self {
            log_directory: log::DIRECTORY.into(),
            defaults: Limits::per_minute(DEFAULT_RATE_LIMIT),
            models: BTreeMap::new(),
            off,
        }
    }

    pub(crate) fn load(config: Config) -> Result<Self, ConfigError> {
        let variables = Variables::of(|name| env::var_os(name))?;
        let file = variables.file().map_or_else(|| Ok(File::default()), |path| File::read(&path))?;
        Self::combine(config, file, variables)
    }

    fn combine(config: Config, file: File, variables: Variables) -> Result<Self, ConfigError> {
        let rate = NonZeroU32::new(config.default_rate_limit).ok_or(ConfigError::ZeroRate)?;
        let mut defaults = Limits::per_minute(rate).attempts(config.attempts);
        defaults.max_in_flight = config.max_in_flight;
        defaults.ramp = config.ramp;
        defaults.burst = config.burst;
        defaults.learn = config.learn;
        file.limits().apply(&mut defaults);
        defaults.requests_per_minute =
            variables.rate_limit.or(file.default_rate_limit).unwrap_or(defaults.requests_per_minute);
        Ok(Self {
            log_directory: variables.logs.or(file.log_directory).unwrap_or(config.log_directory),
            defaults,
            models: file.models,
            off: variables.off,
        })
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
    Settings::load(Config::default()).map(|settings| settings.log_directory)
}

/// The configuration file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default_rate_limit: Option<NonZeroU32>,
    log_directory: Option<PathBuf>,
    max_in_flight: Option<NonZeroU32>,
    attempts: Option<NonZeroU32>,
    burst: Option<BurstSetting>,
    learn: Option<bool>,
    enabled: Option<bool>,
    ramp: Option<RampSetting>,
    #[serde(default)]
    models: BTreeMap<String, Changes>,
}

/// What the file changes for one model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    requests_per_minute: Option<NonZeroU32>,
    max_in_flight: Option<NonZeroU32>,
    attempts: Option<NonZeroU32>,
    burst: Option<BurstSetting>,
    learn: Option<bool>,
    enabled: Option<bool>,
    ramp: Option<RampSetting>,
}

impl Changes {
    fn apply(&self, limits: &mut Limits) {
        limits.requests_per_minute = self.requests_per_minute.unwrap_or(limits.requests_per_minute);
        limits.max_in_flight = self.max_in_flight.or(limits.max_in_flight);
        limits.attempts = self.attempts.unwrap_or(limits.attempts);
        limits.burst = self.burst.map_or(limits.burst, |setting| setting.0);
        limits.learn = self.learn.unwrap_or(limits.learn);
        limits.enabled = self.enabled.unwrap_or(limits.enabled);
        limits.ramp = self.ramp.map_or(limits.ramp, |setting| setting.0);
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        toml::from_str(&text).map_err(|error| ConfigError::Invalid {
            path: path.into(),
            place: place(&text, error.span().map_or(0, |span| span.start)),
            problem: explain(error.message()),
        })
    }

    fn limits(&self) -> Changes {
        Changes {
            requests_per_minute: None,
            max_in_flight: self.max_in_flight,
            attempts: self.attempts,
            burst: self.burst,
            learn: self.learn,
            enabled: self.enabled,
            ramp: self.ramp,
        }
    }
}

/// The line, its column, and the key that stands there.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[start..].chars().count() + 1;
    let key = text[start..].lines().next().and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    key.map_or_else(
        || format!("line {line}, column {column}"),
        |key| format!("line {line}, column {column}, key `{key}`"),
    )
}

/// One line, and in words of what is allowed.
fn explain(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if message.contains("nonzero u32") {
        format!("{message}; allowed are whole numbers from 1 to {}", u32::MAX)
    } else {
        message
    }
}

/// Seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct BurstSetting(Duration);

impl TryFrom<f64> for BurstSetting {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        let longest = LONGEST_BURST.as_secs_f64();
        if (0.0..=longest).contains(&seconds) {
            Ok(Self(Duration::from_secs_f64(seconds)))
        } else {
            Err(format!("a burst of {seconds} seconds; allowed are 0 to {longest} seconds"))
        }
    }
}

/// `"off"`, or a table of start and step.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "RampText")]
struct RampSetting(Option<Ramp>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "allowed is \"off\" or { start = 0.25, step = 0.10 }")]
enum RampText {
    Word(String),
    Table(RampTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RampTable {
    start: f64,
    step: f64,
}

impl TryFrom<RampText> for RampSetting {
    type Error = String;

    fn try_from(text: RampText) -> Result<Self, String> {
        match text {
            RampText::Word(word) if word == OFF.1 => Ok(Self(None)),
            RampText::Word(word) => {
                Err(format!("{word:?} is no ramp; allowed is \"off\" or {{ start = 0.25, step = 0.10 }}"))
            }
            RampText::Table(RampTable { start, step }) => {
                Ramp::new(start, step).map(|ramp| Self(Some(ramp))).map_err(|error| error.to_string())
            }
        }
    }
}

/// The environment variable that switches pacing off, and its value.
const OFF: (&str, &str) = ("RATELLMITER", "off");

/// What the environment says.
#[derive(Debug, Default)]
struct Variables {
    logs: Option<PathBuf>,
    rate_limit: Option<NonZeroU32>,
    config: Option<PathBuf>,
    off: bool,
}

impl Variables {
    fn of(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        // A variable that is set to nothing is not set.
        let get = |name| get(name).filter(|value| !value.is_empty());
        let rejected = |name, value: OsString, allowed| ConfigError::Variable {
            name,
            value: value.to_string_lossy().into_owned(),
            allowed,
        };
        let rate_limit = "RATELLMITER_RATE_LIMIT";
        Ok(Self {
            logs: get("RATELLMITER_LOGS").map(Into::into),
            config: get("RATELLMITER_CONFIG").map(Into::into),
            rate_limit: match get(rate_limit) {
                None => None,
                Some(value) => match value.to_str().and_then(|text| text.trim().parse().ok()) {
                    None => {
                        return Err(rejected(
                            rate_limit,
                            value,
                            "a whole number of calls a minute from 1 to 4294967295",
                        ));
                    }
                    rate => rate,
                },
            },
            off: match get(OFF.0) {
                None => false,
                Some(value) if value == "on" => false,
                Some(value) if value == OFF.1 => true,
                Some(value) => return Err(rejected(OFF.0, value, "\"on\" or \"off\"")),
            },
        })
    }

    /// The configuration file: the one that is named, which must be there, else the first that is there.
    fn file(&self) -> Option<PathBuf> {
        let usual = || {
            let in_user_directory = dirs::config_dir().map(|directory| directory.join("ratellmiter").join(FILE));
            [Some(FILE.into()), in_user_directory].into_iter().flatten().find(|path: &PathBuf| path.exists())
        };
        self.config.clone().or_else(usual)
    }
}

#[cfg(test)]
mod tests;
