//! The attribution of refusals: to a limit, which concerns all calls, or to the refused call alone.
//!
//! A server may refuse one call each time and accept all others, for example because of the size of the request. Such a call is
//! *responsible* for its refusals. A refusal is attributed to the call alone if the call was refused before and another call,
//! sent after that, was accepted. Once responsible calls are more frequent than refused calls that were accepted later, a first
//! refusal is attributed to the call as well. Neither applies to more refusals in a row than single calls explain: then the
//! refusals are attributed to a limit.

use std::{collections::VecDeque, time::Duration};

use crate::engine::{
    call_id::{CallId, Grant},
    call_state::RefusalHistory,
};

/// Number of results that are kept.
pub(crate) const KEPT_RESULTS: usize = 64;
/// Accepted calls that are assumed beside the results, so that few responsible calls do not explain many refusals.
pub(crate) const ASSUMED_ACCEPTED: usize = 4;
/// Refusals in a row are attributed to a limit if their probability as refusals of single calls is below this.
pub(crate) const MIN_PROBABILITY: f64 = 0.05;
/// Maximum number of refusals in a row that are attributed to single calls.
pub(crate) const MAX_IN_A_ROW: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallResult {
    Accepted,
    /// Accepted after at least one refusal.
    Recovered,
    Responsible,
}

#[derive(Debug, Default)]
pub(crate) struct Attribution {
    /// Time at which the last accepted call was sent.
    accepted_sent: Option<Duration>,
    /// The calls sent after it that were refused, by the time of the first such attempt.
    refused_in_a_row: Vec<(Duration, CallId)>,
    /// The last results of calls. Empty until a refused call has a result.
    results: VecDeque<CallResult>,
}

impl Attribution {
    /// Records that a call was accepted.
    pub(crate) fn on_accepted(&mut self, grant: &Grant, refusals: &RefusalHistory) {
        if self.accepted_sent.is_none_or(|sent| sent < grant.at) {
            self.accepted_sent = Some(grant.at);
            self.refused_in_a_row.retain(|(sent, _)| *sent > grant.at);
        }
        let result = if refusals.last.is_some() { CallResult::Recovered } else { CallResult::Accepted };
        if result == CallResult::Recovered || !self.results.is_empty() {
            self.record(result);
        }
    }

    /// Records that a call is responsible for its refusals.
    pub(crate) fn on_responsible(&mut self, refusals: &mut RefusalHistory) {
        if !refusals.is_responsible {
            refusals.is_responsible = true;
            self.record(CallResult::Responsible);
        }
    }

    /// Records a refusal. Returns `true` if it is attributed to the call alone.
    pub(crate) fn on_refusal(&mut self, grant: &Grant, refusals: &mut RefusalHistory) -> bool {
        let is_after_accepted = self.accepted_sent.is_none_or(|sent| grant.at > sent);
        let is_counted = self.refused_in_a_row.iter().any(|(_, id)| *id == grant.id);
        if is_after_accepted && !is_counted && self.refused_in_a_row.len() <= MAX_IN_A_ROW {
            self.refused_in_a_row.push((grant.at, grant.id));
        }
        let is_repeated = refusals.last.zip(self.accepted_sent).is_some_and(|(last, sent)| sent > last);
        let max_in_a_row = self.max_in_a_row().max(usize::from(is_repeated));
        let is_alone = self.refused_in_a_row.len().max(1) <= max_in_a_row;
        if is_alone && is_repeated {
            self.on_responsible(refusals);
        }
        is_alone
    }

    /// Returns the number of refusals in a row that single calls explain, whether or not they were refused before.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Small numbers.
    fn max_in_a_row(&self) -> usize {
        let count = |result| self.results.iter().filter(|other| **other == result).count();
        let responsible = count(CallResult::Responsible);
        if responsible <= count(CallResult::Recovered) {
            return 0;
        }
        let share = responsible as f64 / (self.results.len() + ASSUMED_ACCEPTED) as f64;
        ((MIN_PROBABILITY.ln() / share.ln()) as usize).clamp(1, MAX_IN_A_ROW)
    }

    fn record(&mut self, result: CallResult) {
        if self.results.len() == KEPT_RESULTS {
            self.results.pop_front();
        }
        self.results.push_back(result);
    }
}

#[cfg(test)]
mod tests;
