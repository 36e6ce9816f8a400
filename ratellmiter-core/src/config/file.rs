//! The configuration file: its keys, what they change, and what is wrong with it and where.

use std::{
    collections::HashMap,
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::de::DeTable;

use super::{
    ConfigError,
    sharing::Url,
    values::{BudgetSetting, Mistake, Value},
};
use crate::{
    config::sharing,
    limits::{Limits, Ramp, UNLIMITED, on_disconnect::OnDisconnect},
    providers::provider::Provider,
};

/// The keys that may stand above the models as well as under one of them.
const COMMON: [&str; 14] = [
    "max_in_flight",
    "max_attempts",
    "burst_window",
    "adaptive",
    "enabled",
    "ramp",
    "provider",
    "requests_per_day",
    TOKENS_PER_MINUTE,
    INPUT_TOKENS_PER_MINUTE,
    OUTPUT_TOKENS_PER_MINUTE,
    TOKENS_PER_DAY,
    "max_wait",
    "max_queue",
];

/// The configuration file, as it is written.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) default_rate_limit: Option<NonZeroU32>,
    pub(super) log_directory: Option<PathBuf>,
    /// What is changed for all models.
    pub(super) limits: LimitOverrides,
    pub(super) shared: Option<Url>,
    pub(super) shared_namespace: Option<String>,
    pub(super) shared_on_disconnect: Option<OnDisconnect>,
    pub(super) models: HashMap<String, LimitOverrides>,
}

/// What the file changes, for one model or for all.
#[derive(Debug, Clone, Default)]
pub(super) struct LimitOverrides {
    requests_per_minute: Option<NonZeroU32>,
    max_in_flight: Option<NonZeroU32>,
    max_attempts: Option<NonZeroU32>,
    burst_window: Option<Duration>,
    adaptive: Option<bool>,
    enabled: Option<bool>,
    #[allow(clippy::option_option)] // No change, or one of two settings.
    ramp: Option<Option<Ramp>>,
    provider: Option<Provider>,
    requests_per_day: Option<BudgetSetting>,
    tokens_per_minute: Option<BudgetSetting>,
    input_tokens_per_minute: Option<BudgetSetting>,
    output_tokens_per_minute: Option<BudgetSetting>,
    tokens_per_day: Option<BudgetSetting>,
    max_wait: Option<Duration>,
    max_queue: Option<u32>,
}

impl LimitOverrides {
    /// Reads the table of one model.
    fn of_model(value: Value<'_>) -> Result<Self, Mistake> {
        let mut changes = Self::default();
        for (key, value) in value.table("a table of limits")? {
            let value = Value(value);
            match key.get_ref().as_ref() {
                "requests_per_minute" => changes.requests_per_minute = Some(value.positive()?),
                name if changes.set(name, value)? => {}
                name => return Err(unknown(name, key.span().start, &[&["requests_per_minute"], &COMMON])),
            }
        }
        Ok(changes)
    }

    /// Sets what one of the [`COMMON`] keys is about. Returns `false` for other keys.
    fn set(&mut self, key: &str, value: Value<'_>) -> Result<bool, Mistake> {
        match key {
            "max_in_flight" => self.max_in_flight = Some(value.positive()?),
            "max_attempts" => self.max_attempts = Some(value.positive()?),
            "burst_window" => self.burst_window = Some(value.burst()?),
            "adaptive" => self.adaptive = Some(value.flag()?),
            "enabled" => self.enabled = Some(value.flag()?),
            "ramp" => self.ramp = Some(value.ramp()?),
            "provider" => self.provider = Some(value.provider()?),
            "requests_per_day" => self.requests_per_day = Some(value.budget()?),
            TOKENS_PER_MINUTE => self.tokens_per_minute = Some(value.budget()?),
            INPUT_TOKENS_PER_MINUTE => self.input_tokens_per_minute = Some(value.budget()?),
            OUTPUT_TOKENS_PER_MINUTE => self.output_tokens_per_minute = Some(value.budget()?),
            TOKENS_PER_DAY => self.tokens_per_day = Some(value.budget()?),
            "max_wait" => self.max_wait = Some(value.wait()?),
            "max_queue" => self.max_queue = Some(value.count()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn apply(&self, limits: &mut Limits) {
        if self.provider.is_some_and(|provider| !provider.limits_requests()) {
            limits.requests_per_minute = UNLIMITED;
        }
        limits.requests_per_minute = self.requests_per_minute.unwrap_or(limits.requests_per_minute);
        limits.max_in_flight = self.max_in_flight.or(limits.max_in_flight);
        limits.max_attempts = self.max_attempts.unwrap_or(limits.max_attempts);
        limits.burst_window = self.burst_window.unwrap_or(limits.burst_window);
        limits.adaptive = self.adaptive.unwrap_or(limits.adaptive);
        limits.enabled = self.enabled.unwrap_or(limits.enabled);
        limits.ramp = self.ramp.unwrap_or(limits.ramp);
        limits.provider = self.provider.unwrap_or(limits.provider);
        let budget = |said: Option<BudgetSetting>, before| said.map(|said| said.amount).or(before);
        limits.requests_per_day = budget(self.requests_per_day, limits.requests_per_day);
        limits.tokens_per_minute = budget(self.tokens_per_minute, limits.tokens_per_minute);
        limits.input_tokens_per_minute = budget(self.input_tokens_per_minute, limits.input_tokens_per_minute);
        limits.output_tokens_per_minute = budget(self.output_tokens_per_minute, limits.output_tokens_per_minute);
        limits.tokens_per_day = budget(self.tokens_per_day, limits.tokens_per_day);
        limits.max_wait = self.max_wait.or(limits.max_wait);
        limits.max_queue = self.max_queue.or(limits.max_queue);
    }

    /// The first budget that the provider named beside it never counts.
    fn first_uncounted_budget(&self) -> Option<Mistake> {
        let contract = self.provider?;
        let said = [
            (self.tokens_per_minute, TOKENS_PER_MINUTE),
            (self.input_tokens_per_minute, INPUT_TOKENS_PER_MINUTE),
            (self.output_tokens_per_minute, OUTPUT_TOKENS_PER_MINUTE),
            (self.tokens_per_day, TOKENS_PER_DAY),
        ];
        let idle = said.into_iter().filter(|(_, key)| !counts(contract, key));
        let (at, key) = idle.filter_map(|(budget, key)| Some((budget?.at, key))).min()?;
        let problem = format!("{contract} counts nothing of {key}; its limits are {}", named(contract));
        Some(Mistake { at, problem })
    }
}

const TOKENS_PER_MINUTE: &str = "tokens_per_minute";
const INPUT_TOKENS_PER_MINUTE: &str = "input_tokens_per_minute";
const OUTPUT_TOKENS_PER_MINUTE: &str = "output_tokens_per_minute";
const TOKENS_PER_DAY: &str = "tokens_per_day";

/// Whether calls can be charged anything in the unit of this key.
fn counts(contract: Provider, key: &str) -> bool {
    let charge = contract.reserve(1, 1);
    let charged = match key {
        INPUT_TOKENS_PER_MINUTE => charge.input,
        OUTPUT_TOKENS_PER_MINUTE => charge.output,
        _ => charge.total,
    };
    charged > 0
}

fn named(contract: Provider) -> String {
    contract.limits().collect::<Vec<_>>().join(", ")
}

/// What a user should hear of limits that hold from now on: of budgets that can never bind, and of those a minute that the
/// provider does not have.
pub(crate) fn warnings(limits: &Limits) -> Vec<String> {
    let contract = limits.provider;
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
        } else if contract == Provider::Generic || key == TOKENS_PER_DAY || contract.limits().any(|has| has == key) {
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
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|Mistake { at, problem }| {
            let (place, problem) = (place(&text, at), one_line(&problem));
            ConfigError::Invalid { path: path.into(), place, problem }
        })
    }

    fn parse(text: &str) -> Result<Self, Mistake> {
        let table = DeTable::parse(text).map_err(|error| Mistake {
            at: error.span().map_or(0, |span| span.start),
            problem: error.message().to_owned(),
        })?;
        let file = Self::of(table.get_ref())?;
        let idle = file.models.values().chain([&file.limits]).filter_map(LimitOverrides::first_uncounted_budget);
        idle.min_by_key(|mistake| mistake.at).map_or(Ok(file), Err)
    }

    fn of(table: &DeTable<'_>) -> Result<Self, Mistake> {
        let mut file = Self::default();
        for (key, value) in table {
            let value = Value(value);
            match key.get_ref().as_ref() {
                "default_rate_limit" => file.default_rate_limit = Some(value.positive()?),
                "log_directory" => file.log_directory = Some(value.path()?),
                "shared" => file.shared = Some(Url::of(value)?),
                "shared_namespace" => file.shared_namespace = Some(sharing::namespace(value)?),
                "shared_on_disconnect" => file.shared_on_disconnect = Some(OnDisconnect::of(value)?),
                "models" => {
                    let models = value.table("a map")?.iter();
                    let models = models
                        .map(|(name, value)| Ok((name.get_ref().to_string(), LimitOverrides::of_model(Value(value))?)));
                    file.models = models.collect::<Result<_, Mistake>>()?;
                }
                name if file.limits.set(name, value)? => {}
                name => {
                    let shared = ["shared", "shared_namespace", "shared_on_disconnect"];
                    let known = [&["default_rate_limit", "log_directory"], &COMMON[..], &shared, &["models"]];
                    return Err(unknown(name, key.span().start, &known));
                }
            }
        }
        Ok(file)
    }
}

fn unknown(key: &str, at: usize, known: &[&[&str]]) -> Mistake {
    let known = known.concat().join("`, `");
    Mistake { at, problem: format!("unknown field `{key}`, expected one of `{known}`") }
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

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
