//! All budgets of one limiter: what a call is charged when it goes, when all of them allow it, and what it was really
//! charged.
//!
//! What a call is *thought* to cost is what its caller said, or what 95 % of the calls before it used. The contract of the
//! provider makes a charge of it. From then on two numbers differ: what the call is *expected* to be charged in the mean,
//! which the meters spread, and what it may be charged at *most*, which the ledgers hold until it is known. Both follow from
//! how the last calls were charged compared with what they were thought to cost.

pub(crate) mod budget;
pub(crate) mod estimate;

use std::{collections::BTreeMap, num::NonZeroU64, time::Duration};

use crate::{
    engine::{
        budgets::{
            budget::{Budget, BudgetLease},
            estimate::{Estimate, Ratio},
        },
        lease::{ByLimit, CapacityMessage, LeaseGrant, LeaseRequest, RateMessage, duration, whole},
    },
    judge::{LimitKind, LimitReading, LimitUnit, Period},
    limits::{Limits, MAX_AMOUNT, cost::TokenEstimate},
    log::row::{self, Bottleneck, BudgetKind as Kind},
    providers::{
        provider::{Provider, Refund, TokenCharge},
        usage::Usage,
    },
};

/// Usage of so many times what was thought is worth a warning.
const IMPLAUSIBLE_FACTOR: u64 = 100;

/// What one call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reservation {
    /// What it is thought to cost.
    pub(crate) thought: TokenCharge,
    /// What it is charged in the mean.
    expected: TokenCharge,
    /// What it may be charged, until that is known.
    most: TokenCharge,
    /// Nothing was known at all: it is no measure.
    is_guess: bool,
    /// From which budgets it was taken, a bit for each: those that came later have nothing to give back.
    taken: u8,
}

#[derive(Debug)]
pub(crate) struct Budgets {
    contract: Provider,
    /// Whose calls these are: what output weighs may depend on it.
    model: Box<str>,
    all: Vec<Budget>,
    /// No call is charged more than a whole budget.
    caps: TokenCharge,
    /// A call's part of the budgets, for as long as nothing is known: at first a careful one, and when calls end that never tell,
    /// what it is if the calls of a minute share them.
    careful: TokenEstimate,
    share: TokenEstimate,
    untold: u32,
    estimate: Estimate,
    /// What those who share the limiter know of it.
    told: Option<TokenEstimate>,
    /// Of input, output and total.
    ratios: [Ratio; 3],
}

impl Budgets {
    pub(crate) fn new(limits: &Limits) -> Self {
        let mut budgets = Self {
            contract: limits.provider,
            model: Box::default(),
            all: Vec::new(),
            caps: TokenCharge::default(),
            careful: TokenEstimate::UNKNOWN,
            share: TokenEstimate::UNKNOWN,
            untold: 0,
            estimate: Estimate::default(),
            told: None,
            ratios: <[Ratio; 3]>::default(),
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

    /// Changes the limits. What was taken stays taken.
    pub(crate) fn set(&mut self, now: Duration, limits: &Limits) {
        self.contract = limits.provider;
        for (kind, limit) in configured(limits) {
            let index = self.all.iter().position(|budget| budget.kind == kind);
            match (index, limit) {
                (Some(index), Some(limit)) => self.all[index].set(now, limit, limits.burst_window, limits.adaptive),
                (None, Some(limit)) => self.all.push(Budget::new(kind, limit, limits.burst_window)),
                (Some(index), None) => drop(self.all.remove(index)),
                (None, None) => {}
            }
        }
        let cap = |one: TokenCharge| {
            let caps =
                self.all.iter().filter(|budget| budget.kind != Kind::RequestsPerDay && budget.amount_of(&one) > 0);
            caps.map(Budget::limit).min().unwrap_or(MAX_AMOUNT)
        };
        self.caps = TokenCharge {
            input: cap(TokenCharge { input: 1, ..TokenCharge::default() }),
            output: cap(TokenCharge { output: 1, ..TokenCharge::default() }),
            total: cap(TokenCharge { total: 1, ..TokenCharge::default() }),
        };
        self.share = share(limits, limits.requests_per_minute.get().into());
        self.careful = share(limits, CALLS_PER_INITIAL_BUDGET.min(limits.requests_per_minute.get().into()));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether any of them counts tokens.
    pub(crate) fn count_tokens(&self) -> bool {
        self.all.iter().any(|budget| budget.kind != Kind::RequestsPerDay)
    }

    /// What a call costs that is thought to cost so much.
    pub(crate) fn reservation(&self, cost: TokenEstimate) -> Reservation {
        if self.all.is_empty() && cost == TokenEstimate::UNKNOWN {
            return Reservation::default();
        }
        let is_guess = self.estimate.most().is_none() && (cost.input.is_none() || cost.output.is_none());
        let usual = self.own_estimate().or(self.told).unwrap_or(self.careful);
        let usual_output = usual.output.unwrap_or_default();
        let input = cost.input.or(usual.input).unwrap_or_default();
        let output = match cost.output {
            // What is asked for at most plays no part where only what is produced counts, but no more is produced.
            Some(most) if self.contract.is_produced() => most.min(usual_output),
            Some(most) => most,
            None => usual_output,
        };
        let thought = self.capped(self.contract.reserve(input, output));
        let [by_input, by_output, by_total] = &self.ratios;
        let expected = self.capped(TokenCharge {
            input: by_input.mean(thought.input),
            output: by_output.mean(thought.output),
            total: by_total.mean(thought.total),
        });
        let most = |thought: u64, expected: u64| {
            // Where the server reserves nothing, no more is held for a call than it may well be charged.
            let held = if self.contract.is_produced() { thought.min(expected.saturating_mul(2)) } else { thought };
            held.max(expected)
        };
        let most = TokenCharge {
            input: most(thought.input, expected.input),
            output: most(thought.output, expected.output),
            total: most(thought.total, expected.total),
        };
        Reservation { thought, expected, most, is_guess, taken: 0 }
    }

    /// What a call uses of which nothing is said, as far as ours have shown it.
    fn own_estimate(&self) -> Option<TokenEstimate> {
        let used = self.estimate.most().map(|(input, output)| TokenEstimate::new(input, output));
        // Who never tells what calls use has them share all that there is.
        used.or_else(|| (self.untold >= MAX_CALLS_WITHOUT_USAGE).then_some(self.share))
    }

    /// Until when no call like our next fits into what others left of a day.
    pub(crate) fn exhausted_until(&self) -> Duration {
        self.all.iter().filter_map(Budget::exhausted_until).max().unwrap_or_default()
    }

    /// When a call would go if only the paces counted.
    pub(crate) fn scheduled(&self) -> Duration {
        self.all.iter().map(Budget::scheduled).max().unwrap_or_default()
    }

    /// When all of them allow a call.
    pub(crate) fn due(&self, price: &Reservation) -> Duration {
        self.all.iter().map(|budget| budget.due(budget.amount_of(&price.most))).max().unwrap_or_default()
    }

    /// The one that allows a call last, and when.
    pub(crate) fn binding(&self, price: &Reservation) -> Option<(Duration, &Budget)> {
        self.all.iter().map(|budget| (budget.due(budget.amount_of(&price.most)), budget)).max_by_key(|(due, _)| *due)
    }

    /// What one who waits for this budget is held by.
    pub(crate) fn bottleneck(&self, now: Duration, kind: Kind) -> Bottleneck {
        if self.all.iter().any(|budget| budget.kind == kind && budget.is_limited_by_server(now)) {
            return Bottleneck::Server;
        }
        match kind {
            Kind::RequestsPerDay => Bottleneck::RequestsPerDay,
            Kind::InputTokensPerMinute => Bottleneck::InputTokensPerMinute,
            Kind::OutputTokensPerMinute => Bottleneck::OutputTokensPerMinute,
            Kind::TokensPerDay => Bottleneck::TokensPerDay,
            _ => Bottleneck::TokensPerMinute,
        }
    }

    /// Charges a call that goes now, by the schedule at `slot`.
    pub(crate) fn charge(&mut self, now: Duration, slot: Duration, price: &mut Reservation) {
        for budget in &mut self.all {
            let (expected, most) = (budget.amount_of(&price.expected), budget.amount_of(&price.most));
            budget.charge(now, slot, expected, most);
            price.taken |= bit(budget.kind);
        }
    }

    /// A call that was to go at `at` was never made.
    pub(crate) fn refund(&mut self, at: Duration, price: &Reservation) {
        for budget in self.all.iter_mut().filter(|budget| price.taken & bit(budget.kind) > 0) {
            let (expected, most) = (budget.amount_of(&price.expected), budget.amount_of(&price.most));
            budget.refund(at, expected, most);
        }
    }

    /// A call that went at `at` ended. `false`: what it says that it used is not to be believed.
    pub(crate) fn finish(&mut self, now: Duration, at: Duration, price: &Reservation, usage: Option<Usage>) -> bool {
        let Some(usage) = usage else {
            self.untold = self.untold.saturating_add(u32::from(price.is_guess));
            return true;
        };
        if !self.count_tokens() {
            return true;
        }
        let thought = price.thought.input.saturating_add(price.thought.output).max(price.thought.total).max(1);
        let used = usage.input.saturating_add(usage.output);
        let plausible = used / IMPLAUSIBLE_FACTOR <= thought || used < MIN_IMPLAUSIBLE;
        let (input, output) = (usage.input.min(MAX_AMOUNT), usage.output.min(MAX_AMOUNT));
        self.estimate.add(input, output);
        let usage = Usage::new(input, output).cached(usage.cached);
        let charged = self.capped(self.contract.settle(&self.model, price.thought, usage));
        for budget in &mut self.all {
            if budget.kind == Kind::RequestsPerDay || price.taken & bit(budget.kind) == 0 {
                continue;
            }
            let (expected, most) = (budget.amount_of(&price.expected), budget.amount_of(&price.most));
            let charged = budget.amount_of(&charged);
            let charged = match self.contract.refund() {
                // The server shows what it counts: no more than that is given back.
                Refund::Headers => charged.max(most.saturating_sub(budget.uncounted_by_server(now))),
                _ => charged,
            };
            budget.settle(now, at, expected, most, charged);
            if price.is_guess {
                continue;
            }
            let (ratio, thought) = match budget.kind {
                Kind::InputTokensPerMinute => (&mut self.ratios[0], price.thought.input),
                Kind::OutputTokensPerMinute => (&mut self.ratios[1], price.thought.output),
                Kind::TokensPerMinute => (&mut self.ratios[2], price.thought.total),
                _ => continue,
            };
            ratio.add(thought, charged);
        }
        plausible
    }

    /// A call that went at `at` came back refused: what the contract does not keep is given back.
    pub(crate) fn refuse(&mut self, now: Duration, at: Duration, price: &Reservation) {
        let kept = self.contract.refused(price.most);
        for budget in self.all.iter_mut().filter(|budget| price.taken & bit(budget.kind) > 0) {
            let (expected, most) = (budget.amount_of(&price.expected), budget.amount_of(&price.most));
            if budget.kind == Kind::RequestsPerDay {
                if !self.contract.counts_refused_requests() {
                    budget.settle(now, at, expected, most, 0);
                }
            } else if budget.amount_of(&kept) == 0 {
                budget.settle(now, at, expected, most, 0);
            }
        }
    }

    /// Takes from a refusal what it teaches. `false`: it is none of theirs.
    pub(crate) fn adapt(&mut self, now: Duration, limit: LimitKind) -> bool {
        let meant = self.all.iter_mut().filter(|budget| budget.matches_refusal(limit));
        // The one that is fullest, if the server does not say which.
        let part =
            |budget: &mut Budget| u128::from(budget.taken(now)) * u128::from(MAX_AMOUNT) / u128::from(budget.limit());
        let Some((_, budget)) = meant.map(|budget| (part(budget), budget)).max_by_key(|(part, _)| *part) else {
            return false;
        };
        budget.on_refusal(now);
        true
    }

    /// Calls have waited for this budget for so long.
    pub(crate) fn on_backlogged(&mut self, now: Duration, kind: Kind, time: Duration) {
        self.all.iter_mut().filter(|budget| budget.kind == kind).for_each(|budget| budget.on_backlogged(now, time));
    }

    /// Lets go of what headers said of times that are over.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        self.all.iter_mut().for_each(|budget| budget.advance_to(now));
    }

    /// When a pace rises by itself.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.all.iter().filter_map(Budget::rises_at).min()
    }

    /// Reads what the answer to a call that went at `at` shows. `false`: it is not to be believed.
    pub(crate) fn apply_headers(&mut self, now: Duration, at: Duration, reading: &LimitReading) -> bool {
        let rounded = if reading.unit == LimitUnit::Requests { 1 } else { self.contract.remaining_rounded_to() };
        let is_day = reading.per == Period::Day;
        let mut believed = true;
        for budget in self.all.iter_mut().filter(|budget| budget.matches_reading(reading.unit, is_day)) {
            believed &= budget.apply_header(now, at, reading, rounded);
        }
        believed
    }

    /// How long until the last of so many calls has gone, of which the first cost so much.
    pub(crate) fn time_for(&self, now: Duration, calls: u64, first: impl Iterator<Item = Reservation>) -> Duration {
        if self.all.is_empty() {
            return Duration::ZERO;
        }
        let prices: Vec<_> = first.collect();
        let (known, last) = (prices.len().max(1) as u64, prices.last().copied().unwrap_or_default());
        let all = |of: &dyn Fn(&Reservation) -> u64| {
            let sum: u64 = prices.iter().map(of).sum();
            sum.saturating_add(sum / known * calls.saturating_sub(known))
        };
        let time = |budget: &Budget| {
            let before =
                all(&|price| budget.amount_of(&price.expected)).saturating_sub(budget.amount_of(&last.expected));
            budget.time_for(now, before, all(&|price| budget.amount_of(&price.most)))
        };
        self.all.iter().map(time).max().unwrap_or_default()
    }

    /// How they stand, for the log.
    pub(crate) fn status(&mut self, now: Duration) -> [Option<row::BudgetStatus>; 5] {
        let mut levels = [None; 5];
        for (level, budget) in levels.iter_mut().zip(&mut self.all) {
            *level = Some(budget.status(now));
        }
        levels
    }

    /// The same, told of these limits, of which they are this part.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn status_of(&mut self, now: Duration, whole: &Limits, part: f64) -> [Option<row::BudgetStatus>; 5] {
        let all = configured(whole);
        self.status(now).map(|level| {
            let level = level?;
            let limit = all.into_iter().find(|(kind, _)| *kind == level.meter)?.1?.get();
            let is_day = matches!(level.meter, Kind::RequestsPerDay | Kind::TokensPerDay);
            let learned = level.learned.map(|learned| if is_day { learned } else { learned / part });
            Some(row::BudgetStatus { limit, learned: learned.filter(|learned| *learned < limit as f64), ..level })
        })
    }

    /// What the budgets of days have taken, by age, oldest first.
    pub(crate) fn day_usage(&mut self, now: Duration) -> Vec<(Kind, Vec<(Duration, u64)>)> {
        let days = self.all.iter_mut().filter(|budget| budget.is_of_day());
        days.map(|budget| (budget.kind, budget.ages(now).collect())).collect()
    }

    /// Counts what an earlier run took.
    pub(crate) fn restore(&mut self, now: Duration, kind: Kind, age: Duration, amount: u64) {
        let of_day = self.all.iter_mut().filter(|budget| budget.kind == kind && budget.is_of_day());
        of_day.for_each(|budget| budget.restore(now, age, amount));
    }

    /// The budget of this name.
    pub(crate) fn named(&self, key: &str) -> Option<Kind> {
        self.all.iter().map(|budget| budget.kind).find(|kind| kind.key() == key)
    }

    /// The first budget of whose part that is ours a call does not fit.
    pub(crate) fn first_exhausted(&self, price: &Reservation) -> Option<Kind> {
        self.all.iter().find(|budget| !budget.fits(budget.amount_of(&price.most))).map(|budget| budget.kind)
    }

    /// Takes over our part of each. `None`: they are ours alone.
    pub(crate) fn lease(&mut self, now: Duration, answer: Option<&LeaseGrant>) {
        self.told = answer
            .and_then(|answer| answer.typical_cost)
            .map(|[input, output]| TokenEstimate::new(whole(input), whole(output)));
        for budget in &mut self.all {
            let key = budget.kind.key();
            let part = |told: &ByLimit| told.get(key).map_or(0, |part| whole(*part));
            let leased = answer.map(|answer| BudgetLease {
                pace: part(&answer.rates),
                share: answer.shares.get(key).copied().unwrap_or(answer.share),
                room: part(&answer.capacity),
                others: part(&answer.used_by_others),
                soon: part(&answer.overshoot_of_day),
                learned: answer.adapted.get(key).copied(),
                frees: answer.free_in.get(key).map_or(Duration::ZERO, |frees| now + duration(*frees)),
            });
            budget.lease(now, leased);
        }
    }

    /// Those who share them are out of reach: this part of what they left of a day is ours.
    pub(crate) fn scale_day(&mut self, now: Duration, part: f64) {
        self.all.iter_mut().for_each(|budget| budget.scale_day(now, part));
    }

    /// Where the server refused last.
    pub(crate) fn ceilings(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.all.iter().filter_map(|budget| Some((budget.kind.key(), budget.ceiling()?)))
    }

    /// Begins anew with where the server refused others last.
    pub(crate) fn restore_ceilings(&mut self, now: Duration, ceiling: impl Fn(&str) -> Option<f64>) {
        self.all.iter_mut().for_each(|budget| budget.restore_ceiling(now, ceiling(budget.kind.key())));
    }

    /// What the others who share them are told, of so many calls that are to come, for so many of which there are slots, and of
    /// which these are the first. Until the answer only those go that have slots.
    pub(crate) fn fill_request(
        &mut self,
        now: Duration,
        calls: u64,
        slots: u64,
        first: &[Reservation],
        report: &mut LeaseRequest,
    ) {
        report.typical_cost = self.own_estimate().map(|cost| [cost.input, cost.output].map(Option::unwrap_or_default));
        let usual = self.reservation(TokenEstimate::UNKNOWN);
        let first = if first.is_empty() { std::slice::from_ref(&usual) } else { first };
        for budget in &mut self.all {
            let mean = |of: &dyn Fn(&Reservation) -> u64| {
                let sum: u64 = first.iter().map(of).sum();
                sum.div_ceil(first.len() as u64)
            };
            let all = mean(&|price| budget.amount_of(&price.most)).saturating_mul(calls);
            let each = mean(&|price| budget.amount_of(&price.expected));
            let head = first.first().map_or(0, |price| budget.amount_of(&price.most));
            let (limit, pace) = budget.limits_now(now);
            let wants = all.max(head.min(calls * MAX_AMOUNT));
            let most = first.iter().map(|price| budget.amount_of(&price.most)).max().unwrap_or(head);
            let ages = Some(budget.ages_in_parts(now));
            let space = CapacityMessage {
                limit,
                taken: budget.taken(now),
                wanted: wants,
                head_cost: head,
                max_cost: most,
                ages,
            };
            report.capacity.insert(budget.kind.key(), space);
            // What is taken away is not used while the answer is on its way; but of this much nothing is.
            budget.hold_room(most.saturating_mul(slots));
            if !budget.is_of_day() {
                let reserved = budget.spread(each.saturating_mul(slots));
                report.rates.insert(budget.kind.key(), RateMessage { limit: pace, mean_cost: each, reserved });
            }
        }
    }

    /// Returns the usage of the budgets that a refusal may be about.
    pub(crate) fn candidates(&mut self, now: Duration, limit: LimitKind) -> BTreeMap<&'static str, u64> {
        let meant = self.all.iter_mut().filter(|budget| budget.matches_refusal(limit));
        meant.map(|budget| (budget.kind.key(), budget.taken(now))).collect()
    }

    fn capped(&self, charge: TokenCharge) -> TokenCharge {
        TokenCharge {
            input: charge.input.min(self.caps.input),
            output: charge.output.min(self.caps.output),
            total: charge.total.min(self.caps.total),
        }
    }
}

fn configured(limits: &Limits) -> [(Kind, Option<NonZeroU64>); 5] {
    [
        (Kind::TokensPerMinute, limits.tokens_per_minute),
        (Kind::InputTokensPerMinute, limits.input_tokens_per_minute),
        (Kind::OutputTokensPerMinute, limits.output_tokens_per_minute),
        (Kind::RequestsPerDay, limits.requests_per_day),
        (Kind::TokensPerDay, limits.tokens_per_day),
    ]
}

/// Less than this is never absurd.
const MIN_IMPLAUSIBLE: u64 = 10_000;

fn bit(kind: Kind) -> u8 {
    1 << kind as u8
}

/// Before any call has told what it used, so many take a whole budget.
const CALLS_PER_INITIAL_BUDGET: u64 = 10;
/// When so many have ended and told nothing, none is going to.
const MAX_CALLS_WITHOUT_USAGE: u32 = 5;

/// The part of each budget that is one call's if so many share it.
fn share(limits: &Limits, calls: u64) -> TokenEstimate {
    let minute = |limit: Option<NonZeroU64>| limit.map(|limit| (limit.get() / calls).max(1));
    let total =
        minute(limits.tokens_per_minute).or_else(|| minute(limits.tokens_per_day).map(|day| (day / 1440).max(1)));
    let (input, output) = total.map(|total| (total.div_ceil(2), total / 2)).unzip();
    TokenEstimate {
        input: minute(limits.input_tokens_per_minute).or(input),
        output: minute(limits.output_tokens_per_minute).or(output),
    }
}

#[cfg(test)]
mod tests;
