//! All budgets of one limiter: their charges at admission, and the settlement by usage.
//!
//! A call's *estimated* charge follows from its token estimate, or by default from the 95th percentile of the usage of earlier
//! calls, by the provider's contract. Meters are charged with the *expected* charge, the mean charge of earlier calls with such an
//! estimate. Windows are charged with the *maximum* charge until the usage is known.

pub(crate) mod budget;
pub(crate) mod estimate;
#[cfg(feature = "redis")]
mod exchange;
pub(crate) mod forecast;
pub(crate) mod reservation;

use std::time::Duration;

use crate::{
    engine::{
        budgets::{
            budget::Budget,
            estimate::{Estimate, Ratio},
            reservation::{Reservation, equal_share},
        },
        call_state::CallEnd,
        congestion::adaptive::AdaptiveLimit,
    },
    judge::{LimitKind, LimitReading, LimitUnit, Period},
    limits::{Limits, MAX_AMOUNT, cost::TokenEstimate},
    log::row::{self, Bottleneck, BudgetKind},
    providers::{
        provider::{Provider, Refund, TokenCharge},
        usage::Usage,
    },
};

/// Usage above this multiple of the estimate is implausible.
const IMPLAUSIBLE_FACTOR: u64 = 100;
/// Usage below this number of tokens is always plausible.
const MIN_IMPLAUSIBLE: u64 = 10_000;
/// Calls that use up a budget by the default estimate, before any usage is known.
const CALLS_PER_INITIAL_BUDGET: u64 = 10;

/// The status of each configured budget.
pub(crate) type BudgetStatuses = [Option<row::BudgetStatus>; BudgetKind::ALL.len()];

#[derive(Debug)]
pub(crate) struct Budgets {
    contract: Provider,
    /// The model of the calls. The weight of output may depend on it.
    model: Box<str>,
    all: Vec<Budget>,
    /// The largest charge of a call: no call is charged more than a whole budget.
    max_charge: TokenCharge,
    /// Default estimates without usage data: a tenth of each budget at first; after five calls without usage, the budget divided
    /// by the calls a minute.
    initial_guess: TokenEstimate,
    equal_share: TokenEstimate,
    calls_without_usage: u32,
    estimate: Estimate,
    /// The default estimate of the fleet.
    fleet_estimate: Option<TokenEstimate>,
    /// For input, output and total.
    ratios: [Ratio; 3],
    /// The adaptation of the budget that a refusal in this episode has lowered, before that refusal.
    before_adaptation: Option<(BudgetKind, AdaptiveLimit)>,
}

impl Budgets {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut budgets = Self {
            contract: limits.provider,
            model: Box::default(),
            all: Vec::new(),
            max_charge: TokenCharge::default(),
            initial_guess: TokenEstimate::UNKNOWN,
            equal_share: TokenEstimate::UNKNOWN,
            calls_without_usage: 0,
            estimate: Estimate::default(),
            fleet_estimate: None,
            ratios: <[Ratio; 3]>::default(),
            before_adaptation: None,
        };
        budgets.set(Duration::ZERO, limits);
        budgets
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn set_model(&mut self, model: &str) {
        self.model = model.into();
    }

    /// Changes the limits. A budget that stays configured keeps its usage.
    pub(crate) fn set(&mut self, now: Duration, limits: &Limits) {
        self.contract = limits.provider;
        self.before_adaptation = None;
        for (kind, limit) in limits.budgets() {
            let index = self.all.iter().position(|budget| budget.kind == kind);
            match (index, limit) {
                (Some(index), Some(limit)) => {
                    self.all[index].set(now, limit, limits.burst_window, limits.adaptive);
                }
                (None, Some(limit)) => self.all.push(Budget::new(kind, limit, limits.burst_window)),
                (Some(index), None) => drop(self.all.remove(index)),
                (None, None) => {}
            }
        }
        let max = |unit: TokenCharge| {
            let charged = self.all.iter().filter(|budget| budget.kind.is_of_tokens() && budget.amount_of(&unit) > 0);
            charged.map(Budget::limit).min().unwrap_or(MAX_AMOUNT)
        };
        self.max_charge = TokenCharge {
            input: max(TokenCharge { input: 1, ..TokenCharge::default() }),
            output: max(TokenCharge { output: 1, ..TokenCharge::default() }),
            total: max(TokenCharge { total: 1, ..TokenCharge::default() }),
        };
        let per_minute = limits.requests_per_minute.get().into();
        self.equal_share = equal_share(limits, per_minute);
        self.initial_guess = equal_share(limits, CALLS_PER_INITIAL_BUDGET.min(per_minute));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns `true` if at least one budget counts tokens.
    pub(crate) fn count_tokens(&self) -> bool {
        self.all.iter().any(|budget| budget.kind.is_of_tokens())
    }

    /// Returns when the meters of all budgets allow the next call, ignoring the windows.
    pub(crate) fn scheduled(&self) -> Duration {
        self.all.iter().map(Budget::scheduled).max().unwrap_or_default()
    }

    /// Returns when all budgets allow a call.
    pub(crate) fn due(&self, reservation: &Reservation) -> Duration {
        self.binding(reservation).map_or(Duration::ZERO, |(due, _)| due)
    }

    /// Returns the budget that allows a call last, and when. `None` if there are no budgets.
    pub(crate) fn binding(&self, reservation: &Reservation) -> Option<(Duration, &Budget)> {
        let due = |budget: &Budget| budget.due(budget.amount_of(&reservation.maximum));
        self.all.iter().map(|budget| (due(budget), budget)).max_by_key(|(due, _)| *due)
    }

    /// Returns the budget with this name.
    pub(crate) fn named(&self, key: &str) -> Option<BudgetKind> {
        self.all.iter().map(|budget| budget.kind).find(|kind| kind.key() == key)
    }

    /// Returns the first budget whose leased share is too small for a call, or `None` if the call fits all of them.
    pub(crate) fn first_exhausted(&self, reservation: &Reservation) -> Option<BudgetKind> {
        let lacks_room = |budget: &&Budget| !budget.fits(budget.amount_of(&reservation.maximum));
        self.all.iter().find(lacks_room).map(|budget| budget.kind)
    }

    /// Returns when the daily budgets, as other processes have used them, are expected to have room for the next call.
    pub(crate) fn exhausted_until(&self) -> Duration {
        self.all.iter().filter_map(Budget::exhausted_until).max().unwrap_or_default()
    }

    /// Returns the bottleneck of a call that waits for this budget.
    pub(crate) fn bottleneck(&self, now: Duration, kind: BudgetKind) -> Bottleneck {
        if self.all.iter().any(|budget| budget.kind == kind && budget.is_limited_by_server(now)) {
            return Bottleneck::Server;
        }
        Bottleneck::Budget(kind)
    }

    /// Charges a call that is sent now, and was scheduled for `slot`.
    pub(crate) fn charge(&mut self, now: Duration, slot: Duration, reservation: &mut Reservation) {
        for budget in &mut self.all {
            let expected = budget.amount_of(&reservation.expected);
            let maximum = budget.amount_of(&reservation.maximum);
            budget.charge(now, slot, expected, maximum);
            reservation.set_charged(budget.kind);
        }
    }

    /// Refunds the charge of a call that was granted at `at` but not sent.
    pub(crate) fn refund(&mut self, at: Duration, reservation: &Reservation) {
        for budget in self.all.iter_mut().filter(|budget| reservation.has_charged(budget.kind)) {
            let expected = budget.amount_of(&reservation.expected);
            let maximum = budget.amount_of(&reservation.maximum);
            budget.refund(at, expected, maximum);
        }
    }

    /// Ends a call that was sent at `at`. Returns `false` if its usage is implausible.
    pub(crate) fn end(
        &mut self,
        now: Duration,
        at: Duration,
        reservation: &Reservation,
        end: CallEnd,
        usage: Option<Usage>,
    ) -> bool {
        match (usage, end) {
            (None, CallEnd::Uncharged) => self.refund_failed(now, at, reservation),
            (None, CallEnd::QuotaExhausted) => self.refuse(now, at, reservation),
            (usage, _) => return self.finish(now, at, reservation, usage),
        }
        true
    }

    /// Settles the charge of a call that was sent at `at` by its usage. Returns `false` if the usage is implausible.
    pub(crate) fn finish(
        &mut self,
        now: Duration,
        at: Duration,
        reservation: &Reservation,
        usage: Option<Usage>,
    ) -> bool {
        let Some(usage) = usage else {
            self.calls_without_usage = self.calls_without_usage.saturating_add(u32::from(reservation.is_default));
            return true;
        };
        if !self.count_tokens() {
            return true;
        }
        let TokenCharge { input, output, total } = reservation.estimated;
        let estimated = input.saturating_add(output).max(total).max(1);
        let used = usage.input.saturating_add(usage.output);
        let plausible = used / IMPLAUSIBLE_FACTOR <= estimated || used < MIN_IMPLAUSIBLE;
        let (input, output) = (usage.input.min(MAX_AMOUNT), usage.output.min(MAX_AMOUNT));
        self.estimate.add(input, output);
        let usage = Usage::new(input, output).cached(usage.cached);
        let charge = self.capped(self.contract.settle(&self.model, reservation.estimated, usage));
        for budget in &mut self.all {
            if !budget.kind.is_of_tokens() || !reservation.has_charged(budget.kind) {
                continue;
            }
            let expected = budget.amount_of(&reservation.expected);
            let maximum = budget.amount_of(&reservation.maximum);
            let charged = budget.amount_of(&charge);
            let charged = match self.contract.refund() {
                // The refund is at most the tokens that the headers show as not counted.
                Refund::Headers => charged.max(maximum.saturating_sub(budget.uncounted_by_server(now))),
                _ => charged,
            };
            budget.settle(now, at, expected, maximum, charged);
            if reservation.is_default || budget.is_of_day() {
                continue;
            }
            let ratio = match budget.kind.limit_unit() {
                Some(LimitUnit::InputTokens) => &mut self.ratios[0],
                Some(LimitUnit::OutputTokens) => &mut self.ratios[1],
                Some(LimitUnit::Tokens) => &mut self.ratios[2],
                Some(LimitUnit::Requests) | None => continue,
            };
            ratio.add(budget.amount_of(&reservation.estimated), charged);
        }
        plausible
    }

    /// Refunds the charge of a refused call that was sent at `at`, unless the contract keeps it.
    pub(crate) fn refuse(&mut self, now: Duration, at: Duration, reservation: &Reservation) {
        self.release(now, at, reservation, self.contract.refused(reservation.maximum));
    }

    /// As [`refuse`](Self::refuse), for a call that was refused after a part of its answer: the `usage` of that part stays charged.
    pub(crate) fn refuse_midway(
        &mut self,
        now: Duration,
        at: Duration,
        reservation: &Reservation,
        usage: Option<Usage>,
    ) {
        let is_refunded = self.contract.refused(reservation.maximum) == TokenCharge::default();
        if usage.is_some() && is_refunded {
            self.finish(now, at, reservation, usage);
        } else {
            self.refuse(now, at, reservation);
        }
    }

    /// Refunds the tokens of a failed call that was sent at `at` and is not charged. Its request stays counted, unless the
    /// contract does not count refused requests either.
    fn refund_failed(&mut self, now: Duration, at: Duration, reservation: &Reservation) {
        self.release(now, at, reservation, TokenCharge::default());
    }

    /// Refunds the charge of a call except for the tokens of the units of which some are `kept`.
    fn release(&mut self, now: Duration, at: Duration, reservation: &Reservation, kept: TokenCharge) {
        for budget in self.all.iter_mut().filter(|budget| reservation.has_charged(budget.kind)) {
            let is_refunded = if budget.kind.is_of_tokens() {
                budget.amount_of(&kept) == 0
            } else {
                !self.contract.counts_refused_requests()
            };
            if is_refunded {
                let expected = budget.amount_of(&reservation.expected);
                let maximum = budget.amount_of(&reservation.maximum);
                budget.settle(now, at, expected, maximum, 0);
            }
        }
    }

    /// Lowers the budget that a refusal is about: the fullest one, if several can be meant. Returns `false` if there is none.
    pub(crate) fn adapt(&mut self, now: Duration, limit: LimitKind) -> bool {
        let candidates = self.all.iter_mut().filter(|budget| budget.matches_refusal(limit));
        let fullness =
            |budget: &mut Budget| u128::from(budget.usage(now)) * u128::from(MAX_AMOUNT) / u128::from(budget.limit());
        let fullest = candidates.map(|budget| (fullness(budget), budget)).max_by_key(|(fullness, _)| *fullness);
        let Some((_, budget)) = fullest else {
            return false;
        };
        self.before_adaptation = Some((budget.kind, budget.adaptive().clone()));
        budget.on_refusal(now);
        true
    }

    /// Starts an episode of refusals, in which no budget is lowered yet.
    pub(crate) fn start_episode(&mut self) {
        self.before_adaptation = None;
    }

    /// Restores the budget as it was before the last refusal lowered it.
    pub(crate) fn undo_adaptation(&mut self, now: Duration) {
        let Some((kind, adaptive)) = self.before_adaptation.take() else { return };
        if let Some(budget) = self.all.iter_mut().find(|budget| budget.kind == kind) {
            budget.restore_adaptive(now, adaptive);
        }
    }

    /// Grows an adapted budget by `time` in which calls were queued for it.
    pub(crate) fn on_backlogged(&mut self, now: Duration, kind: BudgetKind, time: Duration) {
        self.all.iter_mut().filter(|budget| budget.kind == kind).for_each(|budget| budget.on_backlogged(now, time));
    }

    /// Discards throttles by headers that have ended.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        self.all.iter_mut().for_each(|budget| budget.advance_to(now));
    }

    /// Returns when the next throttle by headers ends, or `None` if there is none.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.all.iter().filter_map(Budget::rises_at).min()
    }

    /// Applies a limit in the headers of the response to a call that was sent at `at`. Returns `false` if it is implausible.
    pub(crate) fn apply_headers(&mut self, now: Duration, at: Duration, reading: &LimitReading) -> bool {
        let rounded = if reading.unit == LimitUnit::Requests { 1 } else { self.contract.remaining_rounded_to() };
        let is_day = reading.per == Period::Day;
        let mut plausible = true;
        for budget in self.all.iter_mut().filter(|budget| budget.matches_reading(reading.unit, is_day)) {
            plausible &= budget.apply_header(now, at, reading, rounded);
        }
        plausible
    }

    /// Returns the status of the budgets.
    pub(crate) fn status(&mut self, now: Duration) -> BudgetStatuses {
        let mut statuses = BudgetStatuses::default();
        for (status, budget) in statuses.iter_mut().zip(&mut self.all) {
            *status = Some(budget.status(now));
        }
        statuses
    }

    /// Returns the status in terms of `limits`, of which the budgets in force are the fraction `part`.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn status_of(&mut self, now: Duration, limits: &Limits, part: f64) -> BudgetStatuses {
        self.status(now).map(|status| {
            let status = status?;
            let limit = limits.budgets().find(|(kind, _)| *kind == status.meter)?.1?.get();
            let adapted = status.learned.map(|adapted| if status.meter.is_daily() { adapted } else { adapted / part });
            Some(row::BudgetStatus { limit, learned: adapted.filter(|adapted| *adapted < limit as f64), ..status })
        })
    }

    /// Returns the usage of the daily budgets by age, oldest first.
    pub(crate) fn day_usage(&mut self, now: Duration) -> Vec<(BudgetKind, Vec<(Duration, u64)>)> {
        let days = self.all.iter_mut().filter(|budget| budget.is_of_day());
        days.map(|budget| (budget.kind, budget.ages(now).collect())).collect()
    }

    /// Charges a daily budget for usage of an earlier run.
    pub(crate) fn restore(&mut self, now: Duration, kind: BudgetKind, age: Duration, amount: u64) {
        let days = self.all.iter_mut().filter(|budget| budget.kind == kind && budget.is_of_day());
        days.for_each(|budget| budget.restore(now, age, amount));
    }
}

#[cfg(test)]
mod tests;
