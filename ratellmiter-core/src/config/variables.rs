//! The environment variables.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroU32,
    path::PathBuf,
};

use super::{ConfigError, sharing::Url};
use crate::config::sharing;

/// The name of the configuration file.
const FILE: &str = "ratellmiter.toml";

/// The environment variable that disables pacing.
const SWITCH: &str = "RATELLMITER";

/// Settings of the environment variables.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) logs: Option<PathBuf>,
    pub(super) rate_limit: Option<NonZeroU32>,
    pub(super) config: Option<PathBuf>,
    pub(super) shared: Option<Url>,
    pub(super) off: bool,
}

impl Variables {
    /// Reads the variables with `get`.
    pub(super) fn from_env(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        let off = Self::off(&get)?;
        // An empty variable counts as unset.
        let get = |name| get(name).filter(|value| !value.is_empty());
        let rate_limit = "RATELLMITER_RATE_LIMIT";
        Ok(Self {
            logs: get("RATELLMITER_LOGS").map(Into::into),
            config: get("RATELLMITER_CONFIG").map(Into::into),
            shared: get(sharing::VARIABLE).map(Url::of_variable).transpose()?,
            rate_limit: match get(rate_limit) {
                None => None,
                Some(value) => match value.to_str().and_then(|text| text.trim().parse().ok()) {
                    None => {
                        return Err(rejected(
                            rate_limit,
                            &value,
                            "a whole number of calls a minute from 1 to 4294967295",
                        ));
                    }
                    rate => rate,
                },
            },
            off,
        })
    }

    /// Returns `true` if a variable, read with `get`, disables pacing.
    pub(super) fn off(get: impl Fn(&str) -> Option<OsString>) -> Result<bool, ConfigError> {
        match get(SWITCH) {
            Some(value) if value.eq_ignore_ascii_case("off") => Ok(true),
            Some(value) if !value.is_empty() && !value.eq_ignore_ascii_case("on") => {
                Err(rejected(SWITCH, &value, "\"on\" or \"off\""))
            }
            _ => Ok(false),
        }
    }

    /// Returns the path of the configuration file: the path in the environment, even if it does not exist, or the first
    /// default path that exists.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let default = || {
            let in_user_directory = dirs::config_dir().map(|directory| directory.join("ratellmiter").join(FILE));
            [Some(FILE.into()), in_user_directory].into_iter().flatten().find(|path: &PathBuf| path.exists())
        };
        self.config.clone().or_else(default)
    }
}

fn rejected(name: &'static str, value: &OsStr, allowed: &'static str) -> ConfigError {
    ConfigError::Variable { name, value: value.to_string_lossy().into_owned(), allowed }
}
