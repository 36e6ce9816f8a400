//! The configuration file: its keys, what they change, and what is wrong with it and where.

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    ConfigError,
    sharing::{Loss, Namespace, Url},
    values::{Budget, BurstSetting, Provider, RampSetting, WaitSetting},
};
use crate::{
    budgets,
    contract::Contract,
    limits::{Limits, UNLIMITED},
};

/// The configuration file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) default_rate_limit: Option<NonZeroU32>,
    pub(super) log_directory: Option<PathBuf>,
    pub(super) max_in_flight: Option<NonZeroU32>,
    pub(super) attempts: Option<NonZeroU32>,
    pub(super) burst: Option<BurstSetting>,
    pub(super) learn: Option<bool>,
    pub(super) enabled: Option<bool>,
    pub(super) ramp: Option<RampSetting>,
    pub(super) provider: Option<Provider>,
    pub(super) requests_per_day: Option<Budget>,
    pub(super) tokens_per_minute: Option<Budget>,
    pub(super) input_tokens_per_minute: Option<Budget>,
    pub(super) output_tokens_per_minute: Option<Budget>,
    pub(super) tokens_per_day: Option<Budget>,
    pub(super) max_wait: Option<WaitSetting>,
    pub(super) max_line: Option<u32>,
    pub(super) shared: Option<Url>,
    pub(super) shared_namespace: Option<Namespace>,
    pub(super) shared_on_loss: Option<Loss>,
    #[serde(default)]
    pub(super) models: BTreeMap<String, Changes>,
}

/// What the file changes for one model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "expected a table of limits")]
pub(super) struct Changes {
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
    pub(super) fn apply(&self, limits: &mut Limits) {
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
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
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

    pub(super) fn limits(&self) -> Changes {
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
