//! The exchange of leased budgets: the parts of reports and grants that are about budgets.

use std::{collections::BTreeMap, time::Duration};

use super::Budgets;
use crate::{
    engine::{
        budgets::{budget::BudgetLease, reservation::Reservation},
        lease::{
            ByLimit,
            exchange::{CapacityMessage, LeaseGrant, LeaseRequest, RateMessage, duration, whole},
        },
    },
    judge::LimitKind,
    limits::{MAX_AMOUNT, cost::TokenEstimate},
};

impl Budgets {
    /// Takes over the leased share of each budget. Without a grant the budgets are no longer shared.
    pub(crate) fn lease(&mut self, now: Duration, grant: Option<&LeaseGrant>) {
        self.fleet_estimate = grant
            .and_then(|grant| grant.typical_cost)
            .map(|[input, output]| TokenEstimate::new(whole(input), whole(output)));
        for budget in &mut self.all {
            let key = budget.kind.key();
            let amount = |amounts: &ByLimit| amounts.get(key).map_or(0, |amount| whole(*amount));
            let lease = grant.map(|grant| BudgetLease {
                pace: amount(&grant.rates),
                share: grant.shares.get(key).copied().unwrap_or(grant.share),
                room: amount(&grant.capacity),
                others: amount(&grant.used_by_others),
                overshoot: amount(&grant.overshoot_of_day),
                adapted: grant.adapted.get(key).copied(),
                frees_at: grant.free_in.get(key).map_or(Duration::ZERO, |time| now + duration(*time)),
            });
            budget.lease(now, lease);
        }
    }

    /// Ends the leases and limits this process to `part` of the remaining daily budgets, while the fleet is disconnected.
    pub(crate) fn scale_day(&mut self, now: Duration, part: f64) {
        self.all.iter_mut().for_each(|budget| budget.scale_day(now, part));
    }

    /// Returns the throughput at the last refusal of each adapted budget, by its name.
    pub(crate) fn ceilings(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.all.iter().filter_map(|budget| Some((budget.kind.key(), budget.ceiling()?)))
    }

    /// Replaces the ceilings by those that `ceiling` returns for the names of the budgets.
    pub(crate) fn restore_ceilings(&mut self, now: Duration, ceiling: impl Fn(&str) -> Option<f64>) {
        self.all.iter_mut().for_each(|budget| budget.restore_ceiling(now, ceiling(budget.kind.key())));
    }

    /// Adds the budgets to a report: usage, and the demand of the next `calls` calls, for `slots` of which there are slots.
    /// `first` contains the reservations of the first ones. Until the next grant, only calls with slots are charged.
    pub(crate) fn fill_request(
        &mut self,
        now: Duration,
        calls: u64,
        slots: u64,
        first: &[Reservation],
        report: &mut LeaseRequest,
    ) {
        report.typical_cost = self.own_estimate().map(|cost| [cost.input, cost.output].map(Option::unwrap_or_default));
        let default = self.reservation(TokenEstimate::UNKNOWN);
        let first = if first.is_empty() { std::slice::from_ref(&default) } else { first };
        for budget in &mut self.all {
            let mean = |amount: &dyn Fn(&Reservation) -> u64| {
                let sum: u64 = first.iter().map(amount).sum();
                sum.div_ceil(first.len() as u64)
            };
            let demand = mean(&|reservation| budget.amount_of(&reservation.maximum)).saturating_mul(calls);
            let mean_cost = mean(&|reservation| budget.amount_of(&reservation.expected));
            let costs = first.iter().map(|reservation| budget.amount_of(&reservation.maximum));
            let head_cost = costs.clone().next().unwrap_or_default();
            let max_cost = costs.max().unwrap_or(head_cost);
            let (limit, pace) = budget.limits_now(now);
            let capacity = CapacityMessage {
                limit,
                taken: budget.usage(now),
                wanted: demand.max(head_cost.min(calls * MAX_AMOUNT)),
                head_cost,
                max_cost,
                ages: Some(budget.reported_ages(now)),
            };
            report.capacity.insert(budget.kind.key(), capacity);
            // The next grant may take away the rest of the room.
            budget.freeze_room(max_cost.saturating_mul(slots));
            if !budget.is_of_day() {
                let reserved = budget.charged_total(mean_cost.saturating_mul(slots));
                report.rates.insert(budget.kind.key(), RateMessage { limit: pace, mean_cost, reserved });
            }
        }
    }

    /// Returns the usage of the budgets that a refusal can be about, by their names.
    pub(crate) fn candidates(&mut self, now: Duration, limit: LimitKind) -> BTreeMap<&'static str, u64> {
        let candidates = self.all.iter_mut().filter(|budget| budget.matches_refusal(limit));
        candidates.map(|budget| (budget.kind.key(), budget.usage(now))).collect()
    }
}
