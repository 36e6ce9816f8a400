//! Warnings of a limiter, each logged at most once.

use super::Limiter;
use crate::engine::budgets::reservation::OversizedEstimate;

/// Calls in a row without an estimate and without usage after which a warning is logged.
const WARN_AFTER_CALLS_WITHOUT_USAGE: u8 = 20;

/// Record of the warnings logged so far.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // They are independent of each other.
pub(crate) struct Warnings {
    /// An implausible header was logged.
    implausible_header: bool,
    /// An implausible usage was logged.
    implausible_usage: bool,
    /// An estimate that is larger than a budget was logged.
    pub(super) oversized: bool,
    /// A refusal of a call whose estimate is larger than a budget was logged.
    refused_alone: bool,
    /// Calls in a row without an estimate and without usage, at most [`WARN_AFTER_CALLS_WITHOUT_USAGE`].
    calls_without_usage: u8,
    /// A stream without usage was logged.
    stream_without_usage: bool,
}

impl Warnings {
    /// Counts a call. Returns `true` if the warning is due, which happens once.
    pub(crate) fn count_call(&mut self, is_without_usage: bool) -> bool {
        if self.calls_without_usage == WARN_AFTER_CALLS_WITHOUT_USAGE {
            return false;
        }
        self.calls_without_usage = if is_without_usage { self.calls_without_usage + 1 } else { 0 };
        self.calls_without_usage == WARN_AFTER_CALLS_WITHOUT_USAGE
    }

    /// Records the end of a stream. Returns `true` if it is the first whose usage is missing.
    pub(crate) fn count_stream(&mut self, is_complete: bool, is_usage_missing: bool) -> bool {
        if is_complete && !is_usage_missing {
            self.count_call(false);
        }
        is_usage_missing && !std::mem::replace(&mut self.stream_without_usage, true)
    }
}

impl Limiter {
    /// Logs the first implausible headers, and the first implausible usage. The arguments are `true` if headers and usage were
    /// plausible.
    pub(super) fn warn_implausible(&self, headers: bool, usage: bool) {
        if headers && usage {
            return;
        }
        let (model, is_first_header, is_first_usage) = {
            let mut state = self.0.lock();
            let warnings = &mut state.warnings;
            let is_first_header = !headers && !std::mem::replace(&mut warnings.implausible_header, true);
            let is_first_usage = !usage && !std::mem::replace(&mut warnings.implausible_usage, true);
            (state.scheduler.model().to_owned(), is_first_header, is_first_usage)
        };
        if is_first_usage {
            tracing::warn!(
                model,
                "a call used more than a hundred times the tokens estimated for it; it is charged at most one whole budget. Set \
                 better estimates with #[ratellmiter(tokens = ...)]"
            );
        }
        if is_first_header {
            tracing::warn!(
                model,
                "the rate-limit headers show less than a hundredth of the configured limit and are ignored"
            );
        }
    }

    /// Logs the first estimate that is larger than a whole budget.
    pub(super) fn warn_oversized(&self, oversized: OversizedEstimate) {
        let model = self.0.lock().scheduler.model().to_owned();
        let OversizedEstimate { kind, estimate, limit, parameter } = oversized;
        tracing::warn!(
            model,
            "a call is estimated at {estimate} {unit}, more than the whole budget of {limit} {unit} a {period}: it is charged \
             the whole budget, and waits until no other call is charged to it. {remedy}",
            unit = kind.unit(),
            period = kind.period(),
            remedy = remedy(parameter),
        );
    }

    /// Logs the first refusal of a call that is larger than a whole budget, so that the provider refuses it each time.
    pub(super) fn warn_refused_alone(&self, oversized: OversizedEstimate) {
        let model = {
            let mut state = self.0.lock();
            if std::mem::replace(&mut state.warnings.refused_alone, true) {
                return;
            }
            state.scheduler.model().to_owned()
        };
        let OversizedEstimate { kind, estimate, limit, parameter } = oversized;
        tracing::warn!(
            model,
            "a call of {estimate} {unit}, its maximum output included, was refused: the account allows {limit} {unit} a {period}, \
             so the call is not sent again, and no other call is delayed. {remedy}",
            unit = kind.unit(),
            period = kind.period(),
            remedy = remedy(parameter),
        );
    }

    /// Logs that a stream of a call with token limits showed no usage.
    pub(super) fn warn_no_usage_of_stream(&self) {
        let model = self.0.lock().scheduler.model().to_owned();
        tracing::warn!(
            model,
            "token limits are set, but no usage was found in a stream that ended, so the whole reservation of its call stays \
             charged: ask the provider for the usage (`stream_options.include_usage`, or \
             `ChatOptions::with_capture_usage`), return a stream of bytes, lines, events or JSON, or add \
             #[ratellmiter(usage = ...)]; `attach` needs `usage_from`"
        );
    }

    /// Logs that calls with token limits have neither an estimate nor usage.
    pub(super) fn warn_no_usage(&self) {
        let model = self.0.lock().scheduler.model().to_owned();
        tracing::warn!(
            model,
            "token limits are set, but none of the last {WARN_AFTER_CALLS_WITHOUT_USAGE} calls had an estimate or \
             reported its usage, so each is charged an equal share of the limits: add #[ratellmiter(tokens = ...)] or \
             #[ratellmiter(usage = ...)], return the client's own response, or call ratellmiter_core::call::report_usage"
        );
    }
}

/// Returns the advice for a call that is larger than a whole budget.
fn remedy(parameter: Option<&str>) -> String {
    match parameter {
        Some(parameter) => format!("Lower {parameter}, in the request and in the estimate, or raise the limit"),
        None => "Lower the input or raise the limit".to_owned(),
    }
}
