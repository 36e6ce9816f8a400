//! The kinds of budgets, in one table that configuration, engine and log share.

use crate::providers::{
    charge::TokenCharge,
    limit_reading::{LimitUnit, Period},
};

macro_rules! budget_kinds {
    ($($(#[$doc:meta])* $kind:ident: $key:literal, $unit:ident per $period:ident;)*) => {
        /// Kind of a budget: the unit it counts, and its period.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum BudgetKind {
            $($(#[$doc])* $kind,)*
            /// Kind of a later version.
            Other,
        }

        impl BudgetKind {
            /// All kinds except [`Other`](Self::Other), in the order in which budgets are kept and logged.
            pub const ALL: [Self; Self::Other as usize] = [$(Self::$kind),*];

            /// Returns the key of the budget in configuration files and logs.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$kind => $key,)*
                    Self::Other => "other",
                }
            }

            /// Returns the unit and the period, or `None` for a kind of a later version.
            const fn counts(self) -> Option<(LimitUnit, Period)> {
                match self {
                    $(Self::$kind => Some((LimitUnit::$unit, Period::$period)),)*
                    Self::Other => None,
                }
            }
        }
    };
}

budget_kinds! {
    /// Input and output tokens a minute.
    TokensPerMinute: "tokens_per_minute", Tokens per Minute;
    /// Input tokens a minute.
    InputTokensPerMinute: "input_tokens_per_minute", InputTokens per Minute;
    /// Output tokens a minute.
    OutputTokensPerMinute: "output_tokens_per_minute", OutputTokens per Minute;
    /// Requests a day.
    RequestsPerDay: "requests_per_day", Requests per Day;
    /// Input and output tokens a day.
    TokensPerDay: "tokens_per_day", Tokens per Day;
}

impl BudgetKind {
    /// Returns the kind with this key, or `None` if there is none.
    pub(crate) fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// Returns the unit as a plural noun, as in "output tokens".
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.limit_unit().map_or("units", LimitUnit::noun)
    }

    /// Returns `true` for a budget of a day, `false` for one of a minute.
    #[must_use]
    pub fn is_daily(self) -> bool {
        matches!(self.counts(), Some((_, Period::Day)))
    }

    /// Returns the period as a noun: "day" or "minute".
    #[must_use]
    pub fn period(self) -> &'static str {
        if self.is_daily() { "day" } else { "minute" }
    }

    /// Returns the unit that the budget counts, or `None` for a kind of a later version.
    pub(crate) fn limit_unit(self) -> Option<LimitUnit> {
        self.counts().map(|(unit, _)| unit)
    }

    /// Returns `true` if the budget counts tokens.
    pub(crate) fn is_of_tokens(self) -> bool {
        self.limit_unit().is_some_and(|unit| unit != LimitUnit::Requests)
    }

    /// Returns the part of a call's charge that the budget counts: 1 for a budget of requests.
    pub(crate) fn amount_of(self, charge: &TokenCharge) -> u64 {
        match self.limit_unit() {
            Some(LimitUnit::Requests) => 1,
            Some(LimitUnit::Tokens) => charge.total,
            Some(LimitUnit::InputTokens) => charge.input,
            Some(LimitUnit::OutputTokens) => charge.output,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;
