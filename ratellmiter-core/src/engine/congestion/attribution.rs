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

/// Time after the last refusal for which sent calls are recorded.
const WATCHED_AFTER_REFUSAL: Duration = Duration::from_mins(10);
/// Calls that are sent within this time of each other are recorded as one entry.
const SENT_GRAIN: Duration = Duration::from_millis(50);
/// Maximum number of entries of sent calls.
const MAX_SENT_ENTRIES: usize = 128;
/// Number of accepted calls after which earlier results count half.
const HALF_LIFE_CALLS: f64 = 1000.0;
/// Results below this count are forgotten.
const MIN_COUNT: f64 = 0.25;
/// Accepted calls that are assumed beside the counted ones, so that few responsible calls do not explain many refusals.
const ASSUMED_ACCEPTED: f64 = 2.0;
/// Refusals in a row are attributed to a limit if their probability as refusals of single calls is below this.
const MIN_PROBABILITY: f64 = 0.01;
/// Maximum number of refusals in a row that are attributed to single calls.
const MAX_IN_A_ROW: usize = 8;
/// Maximum number of calls whose responsibility is pending, or confirmed and not yet recorded with the call.
const MAX_PENDING: usize = 64;

/// The results of calls since the first refused call had one. Older results count less.
#[derive(Debug, Default)]
struct Results {
    accepted: f64,
    /// Refused calls that were accepted later.
    recovered: f64,
    responsible: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Attribution {
    /// Time at which the last accepted call was sent.
    accepted_sent: Option<Duration>,
    /// The calls sent since the first refusal that were not refused: the time of the first of each entry, and their number.
    sent: VecDeque<(Duration, u32)>,
    watched_until: Duration,
    /// The calls sent after it that were refused, by the time of the first such attempt.
    refused_in_a_row: Vec<(Duration, CallId)>,
    /// Repeated refusals that are attributed to their calls, unless the next result is another refusal that is not.
    pending: Vec<(Duration, CallId)>,
    /// Calls that are responsible for such refusals, since a call that was sent later was accepted.
    confirmed: Vec<CallId>,
    results: Results,
}

impl Attribution {
    /// Records that a call is sent.
    pub(crate) fn on_sent(&mut self, now: Duration) {
        if now >= self.watched_until {
            return;
        }
        match self.sent.back_mut() {
            Some((at, count)) if now < *at + SENT_GRAIN => *count += 1,
            _ => self.sent.push_back((now, 1)),
        }
        if self.sent.len() > MAX_SENT_ENTRIES {
            self.sent.pop_front();
        }
    }

    /// Records that a call was accepted.
    pub(crate) fn on_accepted(&mut self, grant: &Grant, refusals: &RefusalHistory) {
        self.set_accepted(grant.at);
        if refusals.last.is_some() {
            self.results.recovered += 1.0;
        } else if self.results.responsible + self.results.recovered > 0.0 {
            self.results.on_accepted();
        }
    }

    /// Records that a call is responsible for its refusals.
    pub(crate) fn on_responsible(&mut self, refusals: &mut RefusalHistory) {
        if !refusals.is_responsible {
            refusals.is_responsible = true;
            self.results.responsible += 1.0;
        }
    }

    /// Records a refusal. Calls in flight for longer than `patience` count as accepted. Returns `true` if the refusal is attributed
    /// to the call alone.
    pub(crate) fn on_refusal(
        &mut self,
        now: Duration,
        grant: &Grant,
        refusals: &mut RefusalHistory,
        patience: Duration,
    ) -> bool {
        if now >= self.watched_until {
            self.sent.clear();
        }
        self.watched_until = now + WATCHED_AFTER_REFUSAL;
        if let Some((_, count)) = self.sent.iter_mut().rev().find(|(first, count)| *first <= grant.at && *count > 0) {
            *count -= 1;
        }
        let is_accepted = |(first, count): &&(Duration, u32)| *count > 0 && *first + patience <= now;
        if let Some(sent) = self.sent.iter().rev().find(is_accepted).map(|(first, _)| *first) {
            self.set_accepted(sent);
        }
        if let Some(index) = self.confirmed.iter().position(|id| *id == grant.id) {
            self.confirmed.swap_remove(index);
            refusals.is_responsible = true;
        }
        if refusals.is_responsible {
            return true;
        }
        let is_repeated = refusals.last.zip(self.accepted_sent).is_some_and(|(last, sent)| sent > last);
        let is_after_accepted = self.accepted_sent.is_none_or(|sent| grant.at > sent);
        let is_counted = self.refused_in_a_row.iter().any(|(_, id)| *id == grant.id);
        if is_after_accepted && !is_counted && self.refused_in_a_row.len() <= MAX_IN_A_ROW {
            self.refused_in_a_row.push((grant.at, grant.id));
        }
        let max_in_a_row = match self.max_in_a_row() {
            0 => usize::from(is_repeated),
            max if is_repeated => MAX_IN_A_ROW.max(max),
            max => max,
        };
        let is_alone = self.refused_in_a_row.len().max(1) <= max_in_a_row;
        if !is_alone {
            self.pending.clear();
        } else if is_repeated && self.pending.len() < MAX_PENDING {
            self.pending.push((grant.at, grant.id));
        }
        is_alone
    }

    /// Returns the number of first refusals in a row that are attributed to single calls.
    pub(crate) fn max_in_a_row(&self) -> usize {
        self.results.max_in_a_row()
    }

    fn set_accepted(&mut self, sent: Duration) {
        if self.accepted_sent.is_none_or(|before| before < sent) {
            self.accepted_sent = Some(sent);
            self.refused_in_a_row.retain(|(other, _)| *other > sent);
            for (_, call) in self.pending.extract_if(.., |(refused, _)| *refused < sent) {
                self.results.responsible += 1.0;
                if self.confirmed.len() < MAX_PENDING {
                    self.confirmed.push(call);
                }
            }
        }
    }
}

impl Results {
    fn on_accepted(&mut self) {
        self.accepted += 1.0;
        if self.accepted >= HALF_LIFE_CALLS {
            for count in [&mut self.accepted, &mut self.recovered, &mut self.responsible] {
                *count = if *count < 2.0 * MIN_COUNT { 0.0 } else { *count / 2.0 };
            }
        }
    }

    /// Returns the number of refusals in a row that single calls explain, whether or not they were refused before.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A small number.
    fn max_in_a_row(&self) -> usize {
        if self.responsible <= self.recovered {
            return 0;
        }
        let results = self.accepted + self.recovered + self.responsible + ASSUMED_ACCEPTED;
        ((MIN_PROBABILITY.ln() / (self.responsible / results).ln()) as usize).clamp(1, MAX_IN_A_ROW)
    }
}

#[cfg(test)]
mod tests;
