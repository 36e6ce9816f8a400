//! The values of the configuration file: their types and ranges, and the errors that name them.

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

use crate::{
    limits::{MAX_AMOUNT, MAX_BURST_WINDOW, on_exhausted::OnExhausted, ramp::Ramp},
    log::{InvalidKeepLogs, KeepLogs},
    providers::provider::Provider,
};

/// An error in the file.
#[derive(Debug)]
pub(super) struct FileError {
    /// Offset in the file, in bytes.
    pub(super) at: usize,
    /// Description of the error and of the allowed values.
    pub(super) problem: String,
}

/// A value of the file with its position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a>(pub(super) &'a Spanned<DeValue<'a>>);

/// Largest `max_wait` of a file, in seconds: a day.
const MAX_WAIT_SECONDS: f64 = 86_400.0;

/// Largest `give_up_after` and `wait_at_most` of a file, in seconds: 31 days.
const MAX_CLOSED_SECONDS: f64 = 31.0 * 86_400.0;

const INTEGER_OVERFLOW: &str = "integer number overflowed";
const FLOAT_OVERFLOW: &str = "floating-point number overflowed";

const ALLOWED_RAMPS: &str = "allowed is \"off\" or { start = 0.25, step = 0.10 }";

impl<'a> Value<'a> {
    /// Returns the offset of the value in the file, in bytes.
    pub(super) fn position(self) -> usize {
        self.0.span().start
    }

    pub(super) fn error(self, problem: impl Into<String>) -> FileError {
        FileError { at: self.position(), problem: problem.into() }
    }

    /// Returns the error for a value of another type than expected.
    fn wrong_type(self, expected: &str) -> FileError {
        self.unexpected_type(&format!(", expected {expected}"))
    }

    /// As [`wrong_type`](Self::wrong_type), with `suffix` at the end of the message.
    fn unexpected_type(self, suffix: &str) -> FileError {
        let found = match self.0.get_ref() {
            DeValue::Boolean(is_true) => Unexpected::Bool(*is_true),
            DeValue::Float(number) => match float(number) {
                Some(number) => Unexpected::Float(number),
                None => return self.error(FLOAT_OVERFLOW),
            },
            DeValue::Integer(number) => match integer(number) {
                Some(number) => return self.error(format!("invalid type: {}{suffix}", display(number))),
                None => return self.error(INTEGER_OVERFLOW),
            },
            DeValue::String(text) => Unexpected::Str(text),
            DeValue::Array(_) => Unexpected::Seq,
            DeValue::Table(_) => Unexpected::Map,
            DeValue::Datetime(_) => Unexpected::Other("date or time"),
        };
        self.error(format!("invalid type: {found}{suffix}"))
    }

    pub(super) fn table(self, expected: &str) -> Result<&'a DeTable<'a>, FileError> {
        self.as_table().ok_or_else(|| self.wrong_type(expected))
    }

    /// Returns the table, or `None` if the value is not a table.
    pub(super) fn as_table(self) -> Option<&'a DeTable<'a>> {
        self.0.get_ref().as_table()
    }

    pub(super) fn text(self, expected: &str) -> Result<&'a str, FileError> {
        self.0.get_ref().as_str().ok_or_else(|| self.wrong_type(expected))
    }

    pub(super) fn path(self) -> Result<PathBuf, FileError> {
        self.text("the path of a directory").map(PathBuf::from)
    }

    /// Reads a rule for the logs that are kept.
    pub(super) fn keep_logs(self) -> Result<KeepLogs, FileError> {
        self.text(KeepLogs::ALLOWED)?.parse().map_err(|error: InvalidKeepLogs| self.error(error.to_string()))
    }

    pub(super) fn flag(self) -> Result<bool, FileError> {
        self.0.get_ref().as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// Reads a whole number in `range`. Errors name the range `allowed`, which may be smaller.
    fn whole(self, range: RangeInclusive<u64>, allowed: &RangeInclusive<u64>) -> Result<u64, FileError> {
        let DeValue::Integer(number) = self.0.get_ref() else {
            return Err(self.unexpected_type("").with_range(allowed));
        };
        let number = integer(number).ok_or_else(|| self.error(INTEGER_OVERFLOW).with_range(allowed))?;
        u64::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let wrong = if is_large(number) { "type" } else { "value" };
            self.error(format!("invalid {wrong}: {}", display(number))).with_range(allowed)
        })
    }

    /// Reads a whole number of at least 0.
    pub(super) fn count(self) -> Result<u32, FileError> {
        let allowed = 0..=u64::from(u32::MAX);
        let number = self.whole(allowed.clone(), &allowed)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Reads a whole number of at least 1.
    pub(super) fn positive(self) -> Result<NonZeroU32, FileError> {
        let allowed = 1..=u64::from(u32::MAX);
        let number = self.whole(allowed.clone(), &allowed)?;
        Ok(u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX))
    }

    /// Reads a limit of tokens, or of a day.
    pub(super) fn budget(self) -> Result<NonZeroU64, FileError> {
        let allowed = 1..=MAX_AMOUNT;
        let number = self.whole(1..=u64::MAX, &allowed)?;
        let fitting = NonZeroU64::new(number).filter(|amount| allowed.contains(&amount.get()));
        fitting.ok_or_else(|| self.error(format!("a limit of {number}")).with_range(&allowed))
    }

    fn number(self, expected: &str) -> Result<f64, FileError> {
        match self.0.get_ref() {
            DeValue::Float(number) => float(number).ok_or_else(|| self.error(FLOAT_OVERFLOW)),
            #[allow(clippy::cast_precision_loss)] // Numbers that lose precision are out of every range.
            DeValue::Integer(number) => {
                integer(number).map(|number| number as f64).ok_or_else(|| self.error(INTEGER_OVERFLOW))
            }
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// Reads the longest time that calls may wait, in seconds.
    pub(super) fn max_wait(self) -> Result<Duration, FileError> {
        self.wait(MAX_WAIT_SECONDS)
    }

    /// Reads the time without an accepted call after which a limiter closes, in seconds.
    pub(super) fn give_up_after(self) -> Result<Duration, FileError> {
        self.wait(MAX_CLOSED_SECONDS)
    }

    /// Reads the longest time that calls may wait for a quota, in seconds.
    pub(super) fn wait_at_most(self) -> Result<Duration, FileError> {
        self.wait(MAX_CLOSED_SECONDS)
    }

    /// Reads `"fail"` or `"wait"`.
    pub(super) fn on_exhausted(self) -> Result<OnExhausted, FileError> {
        const ALLOWED: &str = "\"fail\" or \"wait\"";
        match self.text(ALLOWED)? {
            "fail" => Ok(OnExhausted::Fail),
            "wait" => Ok(OnExhausted::Wait),
            other => Err(self.error(format!("{other:?} is not {ALLOWED}"))),
        }
    }

    /// Reads a time of at most `longest` seconds.
    fn wait(self, longest: f64) -> Result<Duration, FileError> {
        let range = format!("more than 0 and at most {longest}");
        let seconds = self.number(&format!("seconds of {range}"))?;
        let wait = Duration::try_from_secs_f64(seconds).ok();
        wait.filter(|wait| !wait.is_zero() && seconds <= longest)
            .ok_or_else(|| self.error(format!("a wait of {seconds} seconds; a wait must be {range} seconds")))
    }

    /// Reads a burst window in seconds.
    pub(super) fn burst_window(self) -> Result<Duration, FileError> {
        let longest = MAX_BURST_WINDOW.as_secs_f64();
        let seconds = self.number(&format!("seconds from 0 to {longest}"))?;
        if (0.0..=longest).contains(&seconds) {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(self.error(format!("a burst of {seconds} seconds; allowed are 0 to {longest} seconds")))
        }
    }

    /// Reads `"off"`, or a table of start and step.
    pub(super) fn ramp(self) -> Result<Option<Ramp>, FileError> {
        match self.0.get_ref() {
            DeValue::String(word) if word == "off" => Ok(None),
            DeValue::String(word) => Err(self.error(format!("{word:?} is not a ramp; {ALLOWED_RAMPS}"))),
            DeValue::Table(table) => {
                let part = |key| table.get(key).and_then(|value| Value(value).number("a fraction of the rate").ok());
                let (Some(start), Some(step), 2) = (part("start"), part("step"), table.len()) else {
                    return Err(self.error(ALLOWED_RAMPS));
                };
                Ramp::new(start, step).map(Some).map_err(|error| self.error(error.to_string()))
            }
            _ => Err(self.error(ALLOWED_RAMPS)),
        }
    }

    /// Reads the name of a provider.
    pub(super) fn provider(self) -> Result<Provider, FileError> {
        let names =
            Provider::ALL.iter().map(|provider| format!("{:?}", provider.name())).collect::<Vec<_>>().join(", ");
        self.text(&format!("one of {names}"))?.parse::<Provider>().map_err(|error| self.error(error.to_string()))
    }
}

impl FileError {
    /// Adds the range of allowed whole numbers.
    fn with_range(self, allowed: &RangeInclusive<u64>) -> Self {
        let (min, max) = (allowed.start(), allowed.end());
        let problem = format!("{}; allowed are whole numbers from {min} to {max}", self.problem);
        Self { problem, ..self }
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Parses a number. Returns `None` if it overflows; `inf` and `nan` are accepted.
fn float(number: &DeFloat<'_>) -> Option<f64> {
    let is_word = !number.as_str().contains(char::is_numeric);
    number.as_str().parse().ok().filter(|number: &f64| number.is_finite() || is_word)
}

/// Returns `true` if the number exceeds 64 bits.
fn is_large(number: i128) -> bool {
    i64::try_from(number).is_err() && u64::try_from(number).is_err()
}

fn display(number: i128) -> String {
    format!("integer `{number}`{}", if is_large(number) { " as i128" } else { "" })
}
