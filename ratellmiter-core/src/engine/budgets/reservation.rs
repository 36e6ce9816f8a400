//! The charge of one call, from its token estimate or by default from earlier calls.

use super::Budgets;
use crate::{
    judge::{LimitKind, LimitUnit, Verdict},
    limits::{Limits, cost::TokenEstimate},
    log::row::BudgetKind,
    providers::provider::TokenCharge,
};

/// Calls without usage after which no usage is expected.
const MAX_CALLS_WITHOUT_USAGE: u32 = 5;
const MINUTES_PER_DAY: u64 = 24 * 60;

/// The charge of one call before its usage is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reservation {
    /// The charge by the call's token estimate.
    pub(crate) estimated: TokenCharge,
    /// The mean charge of calls with this estimate. Meters are charged with it.
    pub(super) expected: TokenCharge,
    /// The largest plausible charge. Windows are charged with it.
    pub(super) maximum: TokenCharge,
    /// The estimate is a default, so it is not compared with the usage.
    pub(super) is_default: bool,
    /// Budgets charged at admission, one bit per kind. A budget configured later is not refunded.
    budgets: u8,
}

impl Reservation {
    pub(super) fn new(estimated: TokenCharge, expected: TokenCharge, maximum: TokenCharge, is_default: bool) -> Self {
        Self { estimated, expected, maximum, is_default, budgets: 0 }
    }

    /// Records that a budget was charged.
    pub(super) fn set_charged(&mut self, kind: BudgetKind) {
        self.budgets |= bit(kind);
    }

    /// Returns `true` if a budget was charged.
    pub(super) fn has_charged(&self, kind: BudgetKind) -> bool {
        self.budgets & bit(kind) > 0
    }
}

/// An estimate that is larger than a whole budget, both in the unit of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OversizedEstimate {
    pub(crate) kind: BudgetKind,
    pub(crate) estimate: u64,
    pub(crate) limit: u64,
    /// The parameter of the request that limits its output, or `None` if the input alone is too large.
    pub(crate) parameter: Option<&'static str>,
}

/// The sum of several reservations.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReservationSum {
    calls: u64,
    expected: TokenCharge,
    maximum: TokenCharge,
}

impl ReservationSum {
    /// Adds a reservation.
    pub(crate) fn add(&mut self, reservation: &Reservation) {
        let sum = |one: TokenCharge, other: TokenCharge| TokenCharge {
            input: one.input.saturating_add(other.input),
            output: one.output.saturating_add(other.output),
            total: one.total.saturating_add(other.total),
        };
        self.calls += 1;
        self.expected = sum(self.expected, reservation.expected);
        self.maximum = sum(self.maximum, reservation.maximum);
    }

    /// Returns the mean of the reservations.
    pub(crate) fn mean(&self) -> Reservation {
        let calls = self.calls.max(1);
        let mean = |sum: TokenCharge| TokenCharge {
            input: sum.input.div_ceil(calls),
            output: sum.output.div_ceil(calls),
            total: sum.total.div_ceil(calls),
        };
        Reservation { expected: mean(self.expected), maximum: mean(self.maximum), ..Reservation::default() }
    }
}

impl Budgets {
    /// Returns the reservation of a call with this token estimate.
    pub(crate) fn reservation(&self, cost: TokenEstimate) -> Reservation {
        if self.all.is_empty() && cost == TokenEstimate::UNKNOWN {
            return Reservation::default();
        }
        let is_default = self.estimate.p95().is_none() && (cost.input.is_none() || cost.output.is_none());
        let default = self.own_estimate().or(self.fleet_estimate).unwrap_or(self.initial_guess);
        let default_output = default.output.unwrap_or_default();
        let input = cost.input.or(default.input).unwrap_or_default();
        let output = match cost.output {
            // Output that is charged as it is generated is at most the output asked for, and usually less.
            Some(max) if self.contract.is_produced() => max.min(default_output),
            Some(max) => max,
            None => self.contract.unstated_output().unwrap_or(default_output),
        };
        let estimated = self.capped(self.contract.reserve(input, output));
        let [by_input, by_output, by_total] = &self.ratios;
        let expected = self.capped(TokenCharge {
            input: by_input.mean(estimated.input),
            output: by_output.mean(estimated.output),
            total: by_total.mean(estimated.total),
        });
        let maximum = |estimated: u64, expected: u64| {
            // If the server reserves nothing, twice the expected charge is enough.
            let reserved =
                if self.contract.is_produced() { estimated.min(expected.saturating_mul(2)) } else { estimated };
            reserved.max(expected)
        };
        let maximum = TokenCharge {
            input: maximum(estimated.input, expected.input),
            output: maximum(estimated.output, expected.output),
            total: maximum(estimated.total, expected.total),
        };
        Reservation::new(estimated, expected, maximum, is_default)
    }

    /// Returns the first budget that is smaller than the charge by this token estimate alone, or `None` if there is none.
    pub(crate) fn oversized(&self, cost: TokenEstimate) -> Option<OversizedEstimate> {
        // Output that is charged as it is generated is not reserved.
        let output = cost.output.or_else(|| self.contract.unstated_output()).filter(|_| !self.contract.is_produced());
        let charge = |output| self.contract.reserve(cost.input.unwrap_or_default(), output);
        let (charge, of_input) = (charge(output.unwrap_or_default()), charge(0));
        let tokens = self.all.iter().filter(|budget| budget.kind.is_of_tokens());
        let mut all = tokens.map(|budget| {
            let (estimate, limit) = (budget.amount_of(&charge), budget.limit_in_force());
            let fits_without_output = budget.amount_of(&of_input) <= limit;
            let parameter = fits_without_output.then(|| self.contract.output_parameter());
            OversizedEstimate { kind: budget.kind, estimate, limit, parameter }
        });
        all.find(|oversized| oversized.estimate > oversized.limit)
    }

    /// Returns the budget of a minute that a refused call exceeds by its estimate alone, if the provider then refuses it each
    /// time. Such a refusal concerns no other call.
    pub(crate) fn refused_alone(&self, cost: TokenEstimate, verdict: &Verdict) -> Option<OversizedEstimate> {
        let is_of_tokens = matches!(
            verdict,
            Verdict::RateLimited {
                limit: LimitKind::Tokens | LimitKind::InputTokens | LimitKind::OutputTokens | LimitKind::Unknown,
                ..
            }
        );
        if !is_of_tokens || !self.contract.refuses_oversized() {
            return None;
        }
        self.oversized(cost).filter(|oversized| !oversized.kind.is_daily())
    }

    /// Returns the default estimate by the usage of this process's calls, or `None` if too few calls have ended.
    pub(super) fn own_estimate(&self) -> Option<TokenEstimate> {
        let used = self.estimate.p95().map(|(input, output)| TokenEstimate::new(input, output));
        used.or_else(|| (self.calls_without_usage >= MAX_CALLS_WITHOUT_USAGE).then_some(self.equal_share))
    }

    /// Limits a charge to whole budgets.
    pub(super) fn capped(&self, charge: TokenCharge) -> TokenCharge {
        TokenCharge {
            input: charge.input.min(self.max_charge.input),
            output: charge.output.min(self.max_charge.output),
            total: charge.total.min(self.max_charge.total),
        }
    }
}

fn bit(kind: BudgetKind) -> u8 {
    1 << kind as u8
}

/// Returns the tokens of one call if `calls` calls share the budgets of a minute. A budget of a day counts by its 1,440th part.
pub(super) fn equal_share(limits: &Limits, calls: u64) -> TokenEstimate {
    let share = |unit: LimitUnit| {
        let part = |is_daily: bool| {
            let mut budgets = limits.budgets().filter(|(kind, _)| kind.limit_unit() == Some(unit));
            let limit = budgets.find(|(kind, limit)| kind.is_daily() == is_daily && limit.is_some())?.1?;
            Some((limit.get() / calls).max(1))
        };
        part(false).or_else(|| part(true).map(|day| (day / MINUTES_PER_DAY).max(1)))
    };
    let (input, output) = share(LimitUnit::Tokens).map(|total| (total.div_ceil(2), total / 2)).unzip();
    TokenEstimate { input: share(LimitUnit::InputTokens).or(input), output: share(LimitUnit::OutputTokens).or(output) }
}
