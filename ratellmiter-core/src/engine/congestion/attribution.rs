//! The attribution of refusals: to a limit, which concerns all calls, or to the refused call alone.
//!
//! A server may refuse one call each time and accept all others, for example because of the size of the request. Such a call is
//! *responsible* for its refusals. A refusal is attributed to the call alone if the call was refused before and another call,
//! sent after that, was accepted. Once responsible calls are more frequent than refused calls that were accepted later, a first
//! refusal is attributed to the call as well. Neither applies to more refusals in a row than single calls explain: then the
//! refusals are attributed to a limit.
//!
//! Refused calls are queued before all others, and a further refusal of such a call is weak evidence: a limit refuses it as well. If
//! single calls may be responsible, calls that were never refused are therefore sent between them.

#[cfg(feature = "redis")]
mod exchange;

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
/// Number of calls that are responsible if they are refused again, one after the other, and no refused call was accepted.
const MIN_REPEATED: f64 = 3.0;
/// Maximum number of calls whose responsibility is pending, or confirmed and not yet recorded with the call.
const MAX_PENDING: usize = 1024;

/// The results of calls since the first refused call had one. Older results count less.
#[derive(Debug, Clone, Copy, Default)]
struct Results {
    accepted: f64,
    /// Refused calls that were accepted later.
    recovered: f64,
    responsible: f64,
    /// Refused calls of which neither is known yet.
    unresolved: f64,
    /// Calls in [`Attribution::repeated`].
    repeated: f64,
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
    /// The results in the other processes of a fleet.
    others: Results,
    /// Calls that were refused again after others were accepted, one after the other, and the times of these refusals. Empty once a
    /// refused call is accepted.
    repeated: Vec<(CallId, Duration)>,
    /// The call sent last was refused before.
    is_last_sent_again: bool,
}

impl Attribution {
    /// Records that a call with these refusals is sent.
    pub(crate) fn on_sent(&mut self, now: Duration, refusals: &RefusalHistory) {
        self.is_last_sent_again = refusals.last.is_some();
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
            self.results.on_recovered();
            self.repeated.clear();
            self.results.repeated = 0.0;
        } else if self.results.responsible + self.results.recovered > 0.0 {
            self.results.on_accepted();
        }
    }

    /// Records that a call is responsible for its refusals.
    pub(crate) fn on_responsible(&mut self, refusals: &mut RefusalHistory) {
        if !refusals.is_responsible {
            refusals.is_responsible = true;
            self.results.on_responsible();
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
        if refusals.last.is_none() {
            self.results.unresolved += 1.0;
        }
        let is_repeated = refusals.last.zip(self.accepted_sent).is_some_and(|(last, sent)| sent > last);
        if is_repeated {
            self.on_repeated(now, grant);
        }
        let is_after_accepted = self.accepted_sent.is_none_or(|sent| grant.at > sent);
        let is_counted = self.refused_in_a_row.iter().any(|(_, id)| *id == grant.id);
        // Once single calls are expected to be refused, it is no evidence of a limit that one of them is refused again.
        let is_evidence = !is_repeated || self.max_in_a_row() == 0;
        if is_after_accepted && !is_counted && is_evidence && self.refused_in_a_row.len() <= MAX_IN_A_ROW {
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
        } else if is_repeated && self.pending.len() < MAX_PENDING && !self.pending.iter().any(|(_, id)| *id == grant.id)
        {
            self.pending.push((grant.at, grant.id));
        }
        is_alone
    }

    /// Returns `true` if a call that was never refused is to be sent next, although refused calls are queued before it: its result
    /// decides whether a limit or the refused calls are responsible.
    pub(crate) fn skips_refused(&self, is_paused: bool) -> bool {
        !self.pending.is_empty() || (is_paused || self.is_last_sent_again) && self.max_in_a_row() > 0
    }

    /// Returns the number of first refusals in a row that are attributed to single calls.
    #[allow(clippy::cast_precision_loss)] // A small number.
    pub(crate) fn max_in_a_row(&self) -> usize {
        self.results.with(&self.others).max_in_a_row(self.refused_in_a_row.len() as f64)
    }

    fn set_accepted(&mut self, sent: Duration) {
        if self.accepted_sent.is_none_or(|before| before < sent) {
            self.accepted_sent = Some(sent);
            self.refused_in_a_row.retain(|(other, _)| *other > sent);
            let confirmed: Vec<_> = self.pending.extract_if(.., |(refused, _)| *refused < sent).collect();
            confirmed.into_iter().for_each(|(_, call)| self.confirm(call));
        }
    }

    /// Records that a call was refused again after others were accepted.
    fn on_repeated(&mut self, now: Duration, grant: &Grant) {
        let is_later = self.repeated.last().is_none_or(|(id, refused)| *id != grant.id && grant.at > *refused);
        if is_later {
            self.repeated.push((grant.id, now));
            self.results.repeated += 1.0;
        }
        let results = self.results.with(&self.others);
        if results.repeated >= MIN_REPEATED && results.recovered < 1.0 {
            self.results.repeated = 0.0;
            std::mem::take(&mut self.repeated).into_iter().for_each(|(call, _)| self.confirm(call));
        }
    }

    /// Records that a call is responsible, which is recorded with the call when it is refused next.
    fn confirm(&mut self, call: CallId) {
        if !self.confirmed.contains(&call) {
            self.results.on_responsible();
            if self.confirmed.len() < MAX_PENDING {
                self.confirmed.push(call);
            }
        }
    }
}

impl Results {
    /// Returns the sums of these results and others.
    fn with(&self, others: &Self) -> Self {
        Self {
            accepted: self.accepted + others.accepted,
            recovered: self.recovered + others.recovered,
            responsible: self.responsible + others.responsible,
            unresolved: self.unresolved + others.unresolved,
            repeated: self.repeated + others.repeated,
        }
    }

    fn on_accepted(&mut self) {
        self.accepted += 1.0;
        if self.accepted >= HALF_LIFE_CALLS {
            for count in [&mut self.accepted, &mut self.recovered, &mut self.responsible, &mut self.unresolved] {
                *count = if *count < 2.0 * MIN_COUNT { 0.0 } else { *count / 2.0 };
            }
        }
    }

    /// Returns the number of refusals in a row that single calls explain, whether or not they were refused before. The latest
    /// `in_a_row` refusals are no evidence of their own cause.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A small number.
    fn max_in_a_row(&self, in_a_row: f64) -> usize {
        if self.responsible <= self.recovered {
            return 0;
        }
        let share = self.responsible / (self.responsible + self.recovered);
        let unresolved = (self.unresolved - in_a_row).max(0.0);
        let responsible = self.responsible + share * unresolved;
        let results = self.accepted + self.recovered + self.responsible + unresolved + ASSUMED_ACCEPTED;
        ((MIN_PROBABILITY.ln() / (responsible / results).ln()) as usize).clamp(1, MAX_IN_A_ROW)
    }

    fn on_recovered(&mut self) {
        self.recovered += 1.0;
        self.unresolved = (self.unresolved - 1.0).max(0.0);
    }

    fn on_responsible(&mut self) {
        self.responsible += 1.0;
        self.unresolved = (self.unresolved - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests;
