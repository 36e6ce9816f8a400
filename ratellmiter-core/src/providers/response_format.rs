//! The format of a provider's responses: its header names, the places of its token usage, and its error codes.

use super::{
    error_signs::{Meaning, Sign, WindowHeaders},
    limit_reading::{LimitUnit, Period},
    usage_shapes::UsageShape,
};

/// The parts of a response that are named differently by each provider.
///
/// Formats are recognised whichever provider is configured, because many servers copy the format of another provider.
#[derive(Debug)]
pub(crate) struct ResponseFormat {
    /// The headers that show limits.
    pub(super) limit_headers: &'static [LimitHeaders],
    /// The headers that show the most restrictive of several limits, for responses that show neither input nor output
    /// tokens.
    pub(super) combined_limit_headers: &'static [LimitHeaders],
    /// The places of the token usage in a body or in an event of a stream, as JSON pointers.
    pub(super) usage_places: &'static [(&'static str, UsageShape)],
    /// The headers that show the usage of a call whose body may not.
    pub(super) usage_headers: &'static [UsageHeaders],
    /// The signs of errors, and their meaning.
    pub(crate) errors: &'static [(Sign, Meaning)],
    /// The statuses of the codes, in lower case, for errors whose status is lost.
    pub(crate) statuses: &'static [(&'static str, u16)],
    /// The headers of windows whose quota may be exhausted.
    pub(crate) windows: &'static [WindowHeaders],
    /// The offset from UTC, in hours, of the dates in messages that have no zone.
    pub(crate) zone_hours: Option<i64>,
    /// The hour, in UTC, at which a daily quota is refilled.
    pub(crate) day_starts_at: Option<u64>,
}

impl ResponseFormat {
    /// The format of a provider that has no names of its own.
    pub(super) const NONE: Self = Self {
        limit_headers: &[],
        combined_limit_headers: &[],
        usage_places: &[],
        usage_headers: &[],
        errors: &[],
        statuses: &[],
        windows: &[],
        zone_hours: None,
        day_starts_at: None,
    };
}

/// The three headers that show one limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitHeaders {
    pub(super) unit: LimitUnit,
    pub(super) period: Period,
    pub(super) limit: &'static str,
    pub(super) remaining: &'static str,
    pub(super) reset: &'static str,
}

/// The headers that show the usage of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsageHeaders {
    /// The parts of the input, each counted apart.
    pub(super) input: &'static [&'static str],
    /// The part of the input that was read from a cache.
    pub(super) cached: &'static str,
    pub(super) output: &'static str,
}

/// Creates [`LimitHeaders`] from their unit, their period, and the parts of their names before and after `limit`,
/// `remaining` and `reset`.
macro_rules! limit_headers {
    ($unit:ident, $period:ident, $before:literal, $after:literal) => {
        $crate::providers::response_format::LimitHeaders {
            unit: $crate::providers::limit_reading::LimitUnit::$unit,
            period: $crate::providers::limit_reading::Period::$period,
            limit: concat!($before, "limit", $after),
            remaining: concat!($before, "remaining", $after),
            reset: concat!($before, "reset", $after),
        }
    };
}

pub(super) use limit_headers;
