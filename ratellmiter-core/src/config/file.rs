//! The configuration file: its keys, the limits they change, and its errors with their places.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use super::{
    ConfigError,
    sharing::Url,
    values::{FileError, Value},
};
use crate::{
    config::sharing,
    limits::{DEFAULT_RATE_LIMIT, Limits, UNLIMITED, budget_kind::BudgetKind, on_disconnect::OnDisconnect},
    log::KeepLogs,
    providers::provider::Provider,
};

/// Content of the configuration file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) default_rate_limit: Option<NonZeroU32>,
    pub(super) log_directory: Option<PathBuf>,
    pub(super) keep_logs: Option<KeepLogs>,
    /// Changes for all models.
    pub(super) limits: LimitOverrides,
    pub(super) shared: Option<Url>,
    pub(super) shared_namespace: Option<String>,
    pub(super) shared_on_disconnect: Option<OnDisconnect>,
    /// Changes for one model each.
    pub(super) models: HashMap<String, LimitOverrides>,
}

/// Changes to the limits of one model or of all models.
#[derive(Debug, Clone)]
pub(super) struct LimitOverrides {
    /// The new values. Only values with a key in `positions` apply.
    values: Limits,
    /// The keys in the file, and the byte at which the value of each starts.
    positions: BTreeMap<&'static str, usize>,
}

/// Defines the keys of a model's table besides those of budgets. `key: reader` reads the field `key` of [`Limits`] with the
/// method `reader` of [`Value`].
macro_rules! limit_keys {
    ($($key:ident: $reader:ident),* $(,)?) => {
        impl LimitOverrides {
            /// Returns all keys, in the order in which errors list them.
            fn keys() -> impl Iterator<Item = &'static str> {
                [$(stringify!($key)),*].into_iter().chain(BudgetKind::ALL.map(BudgetKind::key))
            }

            /// Sets `key` to `value`. Returns `false` if there is no such key.
            fn set(&mut self, key: &str, value: Value<'_>) -> Result<bool, FileError> {
                let key = match key {
                    $(stringify!($key) => {
                        self.values.$key = value.$reader()?.into();
                        stringify!($key)
                    })*
                    _ => {
                        let Some(kind) = BudgetKind::from_key(key) else { return Ok(false) };
                        self.values = self.values.budget(kind, value.budget()?);
                        kind.key()
                    }
                };
                self.positions.insert(key, value.position());
                Ok(true)
            }

            fn copy_values(&self, limits: &mut Limits) {
                $(if self.positions.contains_key(stringify!($key)) {
                    limits.$key = self.values.$key;
                })*
                for (kind, limit) in self.values.budgets() {
                    if let Some(limit) = limit {
                        *limits = limits.budget(kind, limit);
                    }
                }
            }
        }
    };
}

limit_keys! {
    requests_per_minute: positive,
    max_in_flight: positive,
    max_attempts: positive,
    transient_attempts: count,
    burst_window: burst_window,
    adaptive: flag,
    enabled: flag,
    ramp: ramp,
    provider: provider,
    max_wait: max_wait,
    max_queue: count,
    give_up_after: give_up_after,
    on_exhausted: on_exhausted,
    wait_at_most: wait_at_most,
}

impl Default for LimitOverrides {
    fn default() -> Self {
        Self { values: Limits::per_minute(DEFAULT_RATE_LIMIT.get()), positions: BTreeMap::new() }
    }
}

impl LimitOverrides {
    /// Reads the table of one model.
    fn from_table(model: &str, value: Value<'_>) -> Result<Self, FileError> {
        let mut overrides = Self::default();
        for (key, value) in value.table("a table of limits")? {
            let (name, value) = (key.get_ref().as_ref(), Value(value));
            if overrides.set(name, value)? {
                continue;
            }
            let at = key.span().start;
            return Err(match unquoted_model(model, name, value) {
                Some(model) => {
                    let hint = "a model name with a dot must be quoted";
                    FileError { at, problem: format!("unknown field `{name}`; {hint}: [models.\"{model}\"]") }
                }
                None => unknown_field(name, at, &Self::keys().collect::<Vec<_>>()),
            });
        }
        Ok(overrides)
    }

    pub(super) fn apply(&self, limits: &mut Limits) {
        if self.provider().is_some_and(|provider| !provider.limits_requests()) {
            limits.requests_per_minute = UNLIMITED;
        }
        self.copy_values(limits);
    }

    fn provider(&self) -> Option<Provider> {
        self.positions.contains_key("provider").then_some(self.values.provider)
    }

    /// Returns an error for the first token budget that the provider in the same table does not count.
    fn first_uncounted_budget(&self) -> Option<FileError> {
        let provider = self.provider()?;
        let uncounted = BudgetKind::ALL.into_iter().filter(|kind| !is_counted(*kind, provider));
        let positions = uncounted.filter_map(|kind| Some((*self.positions.get(kind.key())?, kind.key())));
        let (at, key) = positions.min()?;
        let problem = format!("{provider} does not count {key}; its limits are {}", limits_of(provider));
        Some(FileError { at, problem })
    }
}

/// Returns the name of a model that TOML has split at its dots, as in `[models.gpt-4.1]`, or `None` if `value` is not a
/// table.
fn unquoted_model(model: &str, key: &str, value: Value<'_>) -> Option<String> {
    let mut table = value.as_table()?;
    let mut name = format!("{model}.{key}");
    while let Some((key, value)) = table.iter().next().filter(|_| table.len() == 1)
        && let Some(inner) = Value(value).as_table()
        && !LimitOverrides::keys().any(|known| known == key.get_ref())
    {
        name = format!("{name}.{}", key.get_ref());
        table = inner;
    }
    Some(name)
}

/// Returns `true` if calls to `provider` are charged against the budget.
fn is_counted(kind: BudgetKind, provider: Provider) -> bool {
    kind.amount_of(&provider.reserve(1, 1)) > 0
}

/// Returns a warning if a budget has no effect, or is a limit of tokens a minute that `provider` does not have.
fn warning(kind: BudgetKind, provider: Provider) -> Option<String> {
    let (key, limits) = (kind.key(), limits_of(provider));
    let is_documented = provider == Provider::Generic || provider.limits().any(|limit| limit == key);
    if !is_counted(kind, provider) {
        Some(format!("{key} has no effect: {provider} does not count it; its limits are {limits}"))
    } else if is_documented || kind.is_daily() {
        None
    } else {
        Some(format!("{provider} has no {key}, so it applies as a limit of your own; its limits are {limits}"))
    }
}

fn limits_of(provider: Provider) -> String {
    provider.limits().collect::<Vec<_>>().join(", ")
}

/// Returns warnings about `limits`: token budgets without an effect, and token budgets a minute that the provider does not
/// have.
pub(crate) fn warnings(limits: &Limits) -> Vec<String> {
    let configured = limits.budgets().filter(|(_, limit)| limit.is_some());
    configured.filter_map(|(kind, _)| warning(kind, limits.provider)).collect()
}

impl File {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|FileError { at, problem }| {
            let (place, problem) = (place(&text, at), one_line(&problem));
            ConfigError::Invalid { path: path.into(), place, problem }
        })
    }

    fn parse(text: &str) -> Result<Self, FileError> {
        let table = DeTable::parse(text).map_err(|error| FileError {
            at: error.span().map_or(0, |span| span.start),
            problem: error.message().to_owned(),
        })?;
        let file = Self::from_table(table.get_ref())?;
        let uncounted = file.models.values().chain([&file.limits]).filter_map(LimitOverrides::first_uncounted_budget);
        uncounted.min_by_key(|error| error.at).map_or(Ok(file), Err)
    }

    fn from_table(table: &DeTable<'_>) -> Result<Self, FileError> {
        // The rate of all models is `default_rate_limit`, which models with limits in the code do not inherit.
        let common: Vec<_> = LimitOverrides::keys().filter(|key| *key != "requests_per_minute").collect();
        let mut file = Self::default();
        for (key, value) in table {
            let value = Value(value);
            match key.get_ref().as_ref() {
                "default_rate_limit" => file.default_rate_limit = Some(value.positive()?),
                "log_directory" => file.log_directory = Some(value.path()?),
                "keep_logs" => file.keep_logs = Some(value.keep_logs()?),
                "shared" => file.shared = Some(Url::of(value)?),
                "shared_namespace" => file.shared_namespace = Some(sharing::namespace(value)?),
                "shared_on_disconnect" => file.shared_on_disconnect = Some(OnDisconnect::of(value)?),
                "models" => {
                    let models =
                        value.table("a table for each model: [models.\"NAME\"]")?.iter().map(|(name, value)| {
                            let name = name.get_ref().as_ref();
                            Ok((name.to_owned(), LimitOverrides::from_table(name, Value(value))?))
                        });
                    file.models = models.collect::<Result<_, FileError>>()?;
                }
                name if common.contains(&name) => {
                    file.limits.set(name, value)?;
                }
                "requests_per_minute" => {
                    let hint = "the rate of all models is `default_rate_limit`, that of one is in [models.\"NAME\"]";
                    let problem = format!("unknown field `requests_per_minute`; {hint}");
                    return Err(FileError { at: key.span().start, problem });
                }
                name => {
                    let shared = ["shared", "shared_namespace", "shared_on_disconnect"];
                    let known =
                        [&["default_rate_limit", "log_directory", "keep_logs"], &common[..], &shared, &["models"]]
                            .concat();
                    return Err(unknown_field(name, key.span().start, &known));
                }
            }
        }
        Ok(file)
    }
}

fn unknown_field(key: &str, at: usize, known: &[&str]) -> FileError {
    let known = known.join("`, `");
    FileError { at, problem: format!("unknown field `{key}`, expected one of `{known}`") }
}

/// Describes the byte `at` of `text` by its line, its column, and the key on that line.
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
