//! The values of the configuration file: what is allowed behind its keys, and the errors that tell it.

use std::{
    num::{NonZeroU32, NonZeroU64},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use serde_core::de::Unexpected;
use toml::{
    Spanned,
    de::{DeFloat, DeInteger, DeTable, DeValue},
};

use super::variables::OFF;
use crate::{
    limits::{MAX_AMOUNT, MAX_BURST_WINDOW, Ramp},
    providers::contract::Contract,
};

/// A mistake in the file.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The byte of the file at which it stands.
    pub(super) at: usize,
    /// What is wrong, and what is allowed.
    pub(super) problem: String,
}

/// A value of the file, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a>(pub(super) &'a Spanned<DeValue<'a>>);

/// A limit of tokens or of a day, and the byte of the file at which it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct BudgetSetting {
    pub(super) amount: NonZeroU64,
    pub(super) at: usize,
}

/// The longest `max_wait` of a file, in seconds: a day.
const LONGEST_WAIT: f64 = 86_400.0;

/// The problem with a number that is too large for any number of ours.
const OVERFLOW: &str = "integer number overflowed";
const FLOAT_OVERFLOW: &str = "floating-point number overflowed";

/// What `ramp` may be.
const RAMPS: &str = "allowed is \"off\" or { start = 0.25, step = 0.10 }";

impl<'a> Value<'a> {
    pub(super) fn mistake(self, problem: impl Into<String>) -> Mistake {
        Mistake { at: self.0.span().start, problem: problem.into() }
    }

    /// Returns the mistake that it is not of the type that is expected here.
    fn not(self, expected: &str) -> Mistake {
        let found = match self.0.get_ref() {
            DeValue::Boolean(is_true) => Unexpected::Bool(*is_true),
            DeValue::Float(number) => match float(number) {
                Some(number) => Unexpected::Float(number),
                None => return self.mistake(FLOAT_OVERFLOW),
            },
            DeValue::Integer(number) => match integer(number) {
                Some(number) => return self.mistake(format!("invalid type: {}, expected {expected}", shown(number))),
                None => return self.mistake(OVERFLOW),
            },
            DeValue::String(text) => Unexpected::Str(text),
            DeValue::Array(_) => Unexpected::Seq,
            DeValue::Table(_) => Unexpected::Map,
            DeValue::Datetime(_) => Unexpected::Other("date or time"),
        };
        self.mistake(format!("invalid type: {found}, expected {expected}"))
    }

    pub(super) fn table(self, expected: &str) -> Result<&'a DeTable<'a>, Mistake> {
        self.0.get_ref().as_table().ok_or_else(|| self.not(expected))
    }

    pub(super) fn text(self, expected: &str) -> Result<&'a str, Mistake> {
        self.0.get_ref().as_str().ok_or_else(|| self.not(expected))
    }

    pub(super) fn path(self) -> Result<PathBuf, Mistake> {
        self.text("path string").map(PathBuf::from)
    }

    pub(super) fn flag(self) -> Result<bool, Mistake> {
        self.0.get_ref().as_bool().ok_or_else(|| self.not("a boolean"))
    }

    /// Returns a whole number of `range`. Errors name the range `allowed`, which may be a part of it.
    fn whole(self, expected: &str, range: RangeInclusive<u64>, allowed: &RangeInclusive<u64>) -> Result<u64, Mistake> {
        let DeValue::Integer(number) = self.0.get_ref() else {
            return Err(self.not(expected).but_whole(allowed));
        };
        let number = integer(number).ok_or_else(|| self.mistake(OVERFLOW).but_whole(allowed))?;
        u64::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let wrong = if is_large(number) { "type" } else { "value" };
            self.mistake(format!("invalid {wrong}: {}, expected {expected}", shown(number))).but_whole(allowed)
        })
    }

    /// A whole number from 0.
    pub(super) fn count(self) -> Result<u32, Mistake> {
        let allowed = 0..=u64::from(u32::MAX);
        let number = self.whole("u32", allowed.clone(), &allowed)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// A whole number from 1.
    pub(super) fn positive(self) -> Result<NonZeroU32, Mistake> {
        let allowed = 1..=u64::from(u32::MAX);
        let number = self.whole("a nonzero u32", allowed.clone(), &allowed)?;
        Ok(u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
    }

    pub(super) fn budget(self) -> Result<BudgetSetting, Mistake> {
        let allowed = 1..=MAX_AMOUNT;
        let number = self.whole("a nonzero u64", 1..=u64::MAX, &allowed)?;
        let fitting = NonZeroU64::new(number).filter(|amount| allowed.contains(&amount.get()));
        let amount = fitting.ok_or_else(|| self.mistake(format!("a limit of {number}")).but_whole(&allowed))?;
        Ok(BudgetSetting { amount, at: self.0.span().start })
    }

    fn number(self) -> Result<f64, Mistake> {
        match self.0.get_ref() {
            DeValue::Float(number) => float(number).ok_or_else(|| self.mistake(FLOAT_OVERFLOW)),
            #[allow(clippy::cast_precision_loss)] // What is so large is not allowed anyway.
            DeValue::Integer(number) => {
                integer(number).map(|number| number as f64).ok_or_else(|| self.mistake(OVERFLOW))
            }
            _ => Err(self.not("f64")),
        }
    }

    /// Seconds that calls may wait.
    pub(super) fn wait(self) -> Result<Duration, Mistake> {
        let seconds = self.number()?;
        let wait = Duration::try_from_secs_f64(seconds).ok();
        wait.filter(|wait| !wait.is_zero() && seconds <= LONGEST_WAIT).ok_or_else(|| {
            self.mistake(format!(
                "a wait of {seconds} seconds; allowed are more than 0 and up to {LONGEST_WAIT} seconds"
            ))
        })
    }

    /// Seconds of a burst.
    pub(super) fn burst(self) -> Result<Duration, Mistake> {
        let (seconds, longest) = (self.number()?, MAX_BURST_WINDOW.as_secs_f64());
        if (0.0..=longest).contains(&seconds) {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(self.mistake(format!("a burst of {seconds} seconds; allowed are 0 to {longest} seconds")))
        }
    }

    /// `"off"`, or a table of start and step.
    pub(super) fn ramp(self) -> Result<Option<Ramp>, Mistake> {
        match self.0.get_ref() {
            DeValue::String(word) if word == OFF.1 => Ok(None),
            DeValue::String(word) => Err(self.mistake(format!("{word:?} is no ramp; {RAMPS}"))),
            DeValue::Table(table) => {
                let part = |key| table.get(key).and_then(|value| Value(value).number().ok());
                let (Some(start), Some(step), 2) = (part("start"), part("step"), table.len()) else {
                    return Err(self.mistake(RAMPS));
                };
                Ramp::new(start, step).map(Some).map_err(|error| self.mistake(error.to_string()))
            }
            _ => Err(self.mistake(RAMPS)),
        }
    }

    /// The name of a provider.
    pub(super) fn provider(self) -> Result<Contract, Mistake> {
        Contract::named(self.text("a string")?).map_err(|error| self.mistake(error.to_string()))
    }
}

impl Mistake {
    /// Adds the whole numbers that are allowed.
    fn but_whole(self, allowed: &RangeInclusive<u64>) -> Self {
        let (least, most) = (allowed.start(), allowed.end());
        let problem = format!("{}; allowed are whole numbers from {least} to {most}", self.problem);
        Self { problem, ..self }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Returns `None` if it is a number that is too large, and not `inf`.
fn float(number: &DeFloat<'_>) -> Option<f64> {
    let is_word = !number.as_str().contains(char::is_numeric);
    number.as_str().parse().ok().filter(|number: &f64| number.is_finite() || is_word)
}

/// Returns `true` if no usual type has such numbers.
fn is_large(number: i128) -> bool {
    i64::try_from(number).is_err() && u64::try_from(number).is_err()
}

fn shown(number: i128) -> String {
    format!("integer `{number}`{}", if is_large(number) { " as i128" } else { "" })
}
