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
//! max_wait = 30                       # seconds, more than 0 and up to 86400
//! max_line = 1000
//! enabled = true
//! ramp = { start = 0.25, step = 0.10 }  # or "off"
//! shared = "redis://127.0.0.1:6379"   # one budget with all other processes that say so
//! shared_namespace = "default"
//! shared_on_loss = "degrade"          # or "closed", "open"
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
//! `provider` says how tokens are counted: it is one of [`Contract::names`]. The budgets are `requests_per_day`,
//! `tokens_per_minute`, `input_tokens_per_minute`, `output_tokens_per_minute` and `tokens_per_day`. Where they stand above
//! the models they hold for each model apart, as `max_in_flight` does, but for models to which the code gives limits of their
//! own ([`Monitor::limit`](crate::Monitor::limit)): of those only what stands under their name is changed. With a provider that
//! does not limit requests, as `deepseek`, they are 60,000 a minute unless you say otherwise.
//!
//! A budget of tokens that the provider named beside it never counts, as Gemini does output, is a mistake in the file. One
//! that comes from elsewhere, or that the provider counts but does not limit, is a warning once it holds; a budget of your
//! own for a day is neither.
//!
//! `shared` needs the feature `redis`; see [`Monitor::shared`](crate::Monitor).
//!
//! The environment: `RATELLMITER_LOGS` is the log directory, `RATELLMITER_RATE_LIMIT` the default rate limit,
//! `RATELLMITER_SHARED` the URL of `shared`, and `RATELLMITER=off` lets every call through at once.

mod sharing;

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, io,
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

pub(crate) use sharing::Sharing;
use sharing::{Loss, Namespace, Url};

use crate::{
    budgets,
    contract::{Contract, UnknownProvider},
    limits::{DEFAULT_RATE_LIMIT, LONGEST_BURST, Limits, Ramp, UNLIMITED},
    log,
};

/// The name of the configuration file.
const FILE: &str = "ratellmiter.toml";

/// What a program asks for. File and environment may say otherwise, see [the module](self).
///
/// What differs from model to model, as the budgets of tokens and of days do, is said by
/// [`Monitor::limit`](crate::Monitor::limit), or in the file.
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
    /// How the provider counts tokens, for models whose limits do not say it. [`Contract::PLAIN`] by default.
    pub contract: Contract,
    /// How long calls that can be told wait at most, see [`Limits::max_wait`]. `None`, the default: as long as it takes.
    pub max_wait: Option<Duration>,
    /// How many calls of one model may wait, see [`Limits::max_line`]. `None`, the default: any number.
    pub max_line: Option<u32>,
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
            contract: limits.contract,
            max_wait: limits.max_wait,
            max_line: limits.max_line,
        }
    }
}

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
    /// An environment variable has a value that is not allowed, and not shown, as there may be a password in it.
    #[error("the environment variable {name} is {problem}")]
    HiddenVariable {
        /// The variable.
        name: &'static str,
        /// What is wrong with its value, and what it may be.
        problem: String,
    },
    /// Limiters are to be shared with other processes, and this program cannot do that.
    #[error("{place} has limiters shared, but this program is built without the feature `redis` of ratellmiter-core")]
    CannotShare {
        /// Where that is said.
        place: &'static str,
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
    pub(crate) sharing: Sharing,
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
            sharing: Sharing::default(),
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
        defaults.contract = config.contract;
        defaults.max_wait = config.max_wait;
        defaults.max_line = config.max_line;
        file.limits().apply(&mut defaults);
        defaults.requests_per_minute =
            variables.rate_limit.or(file.default_rate_limit).unwrap_or(defaults.requests_per_minute);
        Ok(Self {
            log_directory: variables.logs.or(file.log_directory).unwrap_or(config.log_directory),
            defaults,
            models: file.models,
            off: variables.off,
            sharing: Sharing {
                by_variable: variables.shared.is_some(),
                url: variables.shared.or(file.shared),
                namespace: file.shared_namespace,
                loss: file.shared_on_loss,
            },
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
    provider: Option<Provider>,
    requests_per_day: Option<Budget>,
    tokens_per_minute: Option<Budget>,
    input_tokens_per_minute: Option<Budget>,
    output_tokens_per_minute: Option<Budget>,
    tokens_per_day: Option<Budget>,
    max_wait: Option<WaitSetting>,
    max_line: Option<u32>,
    shared: Option<Url>,
    shared_namespace: Option<Namespace>,
    shared_on_loss: Option<Loss>,
    #[serde(default)]
    models: BTreeMap<String, Changes>,
}

/// What the file changes for one model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "expected a table of limits")]
struct Changes {
    requests_per_minute: Option<NonZeroU32>,
    max_in_flight: Option<NonZeroU32>,
    attempts: Option<NonZeroU32>,
    burst: Option<BurstSetting>,
    learn: Option<bool>,
    enabled: Option<bool>,
    ramp: Option<RampSetting>,
    provider: Option<Provider>,
    requests_per_day: Option<Budget>,
    tokens_per_minute: Option<Budget>,
    input_tokens_per_minute: Option<Budget>,
    output_tokens_per_minute: Option<Budget>,
    tokens_per_day: Option<Budget>,
    max_wait: Option<WaitSetting>,
    max_line: Option<u32>,
}

impl Changes {
    fn apply(&self, limits: &mut Limits) {
        if self.provider.is_some_and(|provider| !provider.0.limits_requests()) {
            limits.requests_per_minute = UNLIMITED;
        }
        limits.requests_per_minute = self.requests_per_minute.unwrap_or(limits.requests_per_minute);
        limits.max_in_flight = self.max_in_flight.or(limits.max_in_flight);
        limits.attempts = self.attempts.unwrap_or(limits.attempts);
        limits.burst = self.burst.map_or(limits.burst, |setting| setting.0);
        limits.learn = self.learn.unwrap_or(limits.learn);
        limits.enabled = self.enabled.unwrap_or(limits.enabled);
        limits.ramp = self.ramp.map_or(limits.ramp, |setting| setting.0);
        limits.contract = self.provider.map_or(limits.contract, |provider| provider.0);
        let budget = |said: &Option<Budget>, before| said.as_ref().map_or(before, |said| Some(said.get_ref().0));
        limits.requests_per_day = budget(&self.requests_per_day, limits.requests_per_day);
        limits.tokens_per_minute = budget(&self.tokens_per_minute, limits.tokens_per_minute);
        limits.input_tokens_per_minute = budget(&self.input_tokens_per_minute, limits.input_tokens_per_minute);
        limits.output_tokens_per_minute = budget(&self.output_tokens_per_minute, limits.output_tokens_per_minute);
        limits.tokens_per_day = budget(&self.tokens_per_day, limits.tokens_per_day);
        limits.max_wait = self.max_wait.map_or(limits.max_wait, |setting| Some(setting.0));
        limits.max_line = self.max_line.or(limits.max_line);
    }

    /// The first budget that the provider named beside it never counts: where it stands, and what is wrong.
    fn idle(&self) -> Option<(usize, String)> {
        let contract = self.provider?.0;
        let said = [
            (&self.tokens_per_minute, TOKENS_PER_MINUTE),
            (&self.input_tokens_per_minute, INPUT_TOKENS_PER_MINUTE),
            (&self.output_tokens_per_minute, OUTPUT_TOKENS_PER_MINUTE),
            (&self.tokens_per_day, TOKENS_PER_DAY),
        ];
        let idle = said.into_iter().filter(|(_, key)| !counts(contract, key));
        idle.filter_map(|(budget, key)| Some((budget.as_ref()?.span().start, key)))
            .min()
            .map(|(at, key)| (at, format!("{contract} counts nothing of {key}; its limits are {}", named(contract))))
    }
}

const TOKENS_PER_MINUTE: &str = "tokens_per_minute";
const INPUT_TOKENS_PER_MINUTE: &str = "input_tokens_per_minute";
const OUTPUT_TOKENS_PER_MINUTE: &str = "output_tokens_per_minute";
const TOKENS_PER_DAY: &str = "tokens_per_day";

/// Whether calls can be charged anything in the unit of this key.
fn counts(contract: Contract, key: &str) -> bool {
    let charge = contract.reserve(1, 1);
    let charged = match key {
        INPUT_TOKENS_PER_MINUTE => charge.input,
        OUTPUT_TOKENS_PER_MINUTE => charge.output,
        _ => charge.total,
    };
    charged > 0
}

fn named(contract: Contract) -> String {
    contract.limits().collect::<Vec<_>>().join(", ")
}

/// What a user should hear of limits that hold from now on: of budgets that can never bind, and of those a minute that the
/// provider does not have.
pub(crate) fn doubts(limits: &Limits) -> Vec<String> {
    let contract = limits.contract;
    let said = [
        (limits.tokens_per_minute, TOKENS_PER_MINUTE),
        (limits.input_tokens_per_minute, INPUT_TOKENS_PER_MINUTE),
        (limits.output_tokens_per_minute, OUTPUT_TOKENS_PER_MINUTE),
        (limits.tokens_per_day, TOKENS_PER_DAY),
    ];
    let said = said.into_iter().filter_map(|(limit, key)| limit.map(|_| key));
    let doubt = |key| {
        if !counts(contract, key) {
            Some(format!("{key} never binds: {contract} counts nothing of it; its limits are {}", named(contract)))
        } else if contract == Contract::PLAIN || key == TOKENS_PER_DAY || contract.limits().any(|has| has == key) {
            None
        } else {
            Some(format!(
                "{contract} has no {key}, which holds as a limit of your own; its limits are {}",
                named(contract)
            ))
        }
    };
    said.filter_map(doubt).collect()
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let invalid = |place, problem| ConfigError::Invalid { path: path.into(), place, problem };
        let file: Self = toml::from_str(&text).map_err(|error| {
            let place = place(&text, error.span().map_or(0, |span| span.start));
            let problem = explain(error.message(), &place);
            invalid(place, problem)
        })?;
        let idle = file.models.values().filter_map(Changes::idle).chain(file.limits().idle()).min();
        idle.map_or(Ok(file), |(at, problem)| Err(invalid(place(&text, at), problem)))
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
            provider: self.provider,
            requests_per_day: self.requests_per_day.clone(),
            tokens_per_minute: self.tokens_per_minute.clone(),
            input_tokens_per_minute: self.input_tokens_per_minute.clone(),
            output_tokens_per_minute: self.output_tokens_per_minute.clone(),
            tokens_per_day: self.tokens_per_day.clone(),
            max_wait: self.max_wait,
            max_line: self.max_line,
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

/// One line, and in words of what is allowed there.
fn explain(message: &str, place: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_budget = || ["_per_day`", "tokens_per_minute`"].iter().any(|end| place.ends_with(end));
    let allowed = match message.as_str() {
        text if text.contains("nonzero u64") => Some((1, budgets::MOST)),
        text if text.contains("nonzero u32") => Some((1, u32::MAX.into())),
        text if text.contains("expected u32") => Some((0, u32::MAX.into())),
        // Not even TOML can hold it.
        "integer number overflowed" if is_budget() => Some((1, budgets::MOST)),
        "integer number overflowed" => Some((1, u32::MAX.into())),
        _ => None,
    };
    allowed.map_or_else(
        || message.clone(),
        |(least, most)| format!("{message}; allowed are whole numbers from {least} to {most}"),
    )
}

/// The name of a provider.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Provider(Contract);

impl TryFrom<String> for Provider {
    type Error = UnknownProvider;

    fn try_from(name: String) -> Result<Self, UnknownProvider> {
        Contract::named(&name).map(Self)
    }
}

/// A limit of tokens or of a day, and where it stands.
type Budget = Spanned<Amount>;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "NonZeroU64")]
struct Amount(NonZeroU64);

impl TryFrom<NonZeroU64> for Amount {
    type Error = String;

    fn try_from(amount: NonZeroU64) -> Result<Self, String> {
        if amount.get() <= budgets::MOST {
            Ok(Self(amount))
        } else {
            Err(format!("a limit of {amount}; allowed are whole numbers from 1 to {}", budgets::MOST))
        }
    }
}

/// Seconds that calls may wait.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct WaitSetting(Duration);

/// The longest `max_wait` of a file, in seconds: a day.
const LONGEST_WAIT: f64 = 86_400.0;

impl TryFrom<f64> for WaitSetting {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        let wait = Duration::try_from_secs_f64(seconds).ok();
        let wait = wait.filter(|wait| !wait.is_zero() && seconds <= LONGEST_WAIT);
        wait.map(Self).ok_or_else(|| {
            format!("a wait of {seconds} seconds; allowed are more than 0 and up to {LONGEST_WAIT} seconds")
        })
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
    shared: Option<Url>,
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
            shared: Sharing::variable(get(Sharing::VARIABLE))?,
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
