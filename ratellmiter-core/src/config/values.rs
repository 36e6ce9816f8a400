//! What stands behind the keys of the configuration file, and what is allowed there.

use std::{num::NonZeroU64, time::Duration};

use serde::Deserialize;
use toml::Spanned;

use super::variables::OFF;
use crate::{
    budgets,
    contract::{Contract, UnknownProvider},
    limits::{LONGEST_BURST, Ramp},
};

/// The name of a provider.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Provider(pub(super) Contract);

impl TryFrom<String> for Provider {
    type Error = UnknownProvider;

    fn try_from(name: String) -> Result<Self, UnknownProvider> {
        Contract::named(&name).map(Self)
    }
}

/// A limit of tokens or of a day, and where it stands.
pub(super) type Budget = Spanned<Amount>;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "NonZeroU64")]
pub(super) struct Amount(pub(super) NonZeroU64);

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
pub(super) struct WaitSetting(pub(super) Duration);

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
pub(super) struct BurstSetting(pub(super) Duration);

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
pub(super) struct RampSetting(pub(super) Option<Ramp>);

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
