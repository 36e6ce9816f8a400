//! One budget of tokens or of a day: a meter that spreads what calls are expected to be charged, and a ledger of what they
//! may be charged at most.

use std::{num::NonZeroU64, time::Duration};

use crate::{
    engine::{
        congestion::adaptive::AdaptiveLimit,
        lease::{Ages, micros},
        pace::{
            gcra::Gcra,
            server_limit::{Configured, ServerLimit},
            sliding_window::SlidingWindow,
        },
    },
    judge::{LimitKind, LimitReading, LimitUnit},
    log::row::{self, BudgetKind as Kind},
    providers::provider::TokenCharge,
};

/// What calls did not use after all goes to others, even if the time for it has passed; no more than this part of a minute.
pub(crate) const CREDIT_DIVISOR: u64 = 6;
/// So much unused time may be made up for: a call that waited for another limit loses nothing of this one.
pub(crate) const SLACK: Duration = Duration::from_millis(250);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// Others are told what was taken, by its age, in as many parts of the time since it began.
pub(crate) const REPORTED_AGES: usize = 24;
/// Usage over less time is measured as over this.
pub(crate) const MIN_USAGE_SPAN: Duration = Duration::from_secs(5);
/// An adapted budget is at least this part of the configured one.
pub(crate) const FLOOR_DIVISOR: u32 = 100;
/// No estimate is longer.
const LONGEST: Duration = Duration::from_hours(24 * 365);

#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) kind: Kind,
    /// What is configured.
    limit: NonZeroU64,
    /// A day's budget is not spread: it goes as it is needed.
    meter: Option<Gcra>,
    pace: NonZeroU64,
    /// What calls did not use after all, though its time has passed.
    credit: u64,
    ledger: SlidingWindow,
    /// What calls have cost in all, as far as it was spread. What counts is by how much it changes.
    spread: i64,
    learner: AdaptiveLimit,
    served: ServerLimit,
    /// What of it is ours, where it is shared with other processes.
    leased: Option<BudgetLease>,
    /// What is ours of a day, while those who share it are out of reach.
    apart: Option<DetachedDay>,
}

/// A day's budget without those who share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct DetachedDay {
    /// What they had taken, and how much of ours may count until they are back.
    others: u64,
    most: u64,
}

/// A process's part of a budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BudgetLease {
    /// How much a minute all may spread together, which slots see to, and what part of that is for those of ours who wait.
    pub(crate) pace: u64,
    pub(crate) share: f64,
    /// How much of ours may count against the budget, how much of others does, how much more of theirs may before they see that
    /// the server is out of reach, and when a call like our next may fit.
    pub(crate) room: u64,
    pub(crate) others: u64,
    pub(crate) soon: u64,
    pub(crate) frees: Duration,
    /// What refusals taught all of its limit.
    pub(crate) learned: Option<f64>,
}

impl Budget {
    pub(crate) fn new(kind: Kind, limit: NonZeroU64, burst: Duration) -> Self {
        let (width, grain) = match kind {
            // A thousandth: a day's ledger is kept on disk.
            Kind::RequestsPerDay | Kind::TokensPerDay => (DAY, DAY / 1000),
            _ => (MINUTE, Duration::from_millis(1)),
        };
        let mut meter = (width == MINUTE).then(|| Gcra::new(limit));
        meter.iter_mut().for_each(|meter| meter.set_burst(burst.max(SLACK)));
        Self {
            kind,
            limit,
            meter,
            pace: limit,
            credit: 0,
            ledger: SlidingWindow::new(width, grain),
            spread: 0,
            learner: adaptive_limit(limit),
            served: ServerLimit::default(),
            leased: None,
            apart: None,
        }
    }

    /// Takes over our part of it; `None`: it is shared no longer.
    pub(crate) fn lease(&mut self, now: Duration, leased: Option<BudgetLease>) {
        (self.leased, self.apart) = (leased, None);
        self.apply_limits(now);
    }

    /// Those who share it are out of reach: this part of what they left is ours, if it is a day's.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It is not negative.
    pub(crate) fn scale_day(&mut self, now: Duration, part: f64) {
        let (others, soon) = self.leased.map_or((0, 0), |leased| (leased.others, leased.soon));
        let taken = self.ledger.total(now);
        self.lease(now, None);
        if self.is_of_day() {
            let left = self.limit.get().saturating_sub(others.saturating_add(soon).saturating_add(taken));
            self.apart = Some(DetachedDay { others, most: taken.saturating_add((left as f64 * part) as u64) });
        }
    }

    /// No more than so much beside what is taken already may count, until our part is known again.
    pub(crate) fn hold_room(&mut self, more: u64) {
        let most = self.ledger.total_at_last_look().saturating_add(more);
        self.leased.iter_mut().for_each(|leased| leased.room = leased.room.min(most));
    }

    /// Whether a call that may be charged so much fits into our part, now, or if we are cut off from the others, ever.
    pub(crate) fn fits(&self, most: u64) -> bool {
        if let Some(apart) = self.apart {
            return most <= apart.most;
        }
        self.leased.is_none_or(|leased| self.ledger.total_at_last_look().saturating_add(most) <= leased.room)
    }

    /// Its limit as far as the headers of answers leave it, and what of that may be spread over a minute.
    pub(crate) fn limits_now(&self, now: Duration) -> (u64, u64) {
        let limit = self.limit.get();
        (self.served.limit(limit), self.served.pace(now, limit))
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.get()
    }

    pub(crate) fn set(&mut self, now: Duration, limit: NonZeroU64, burst: Duration, learn: bool) {
        if !learn {
            self.learner = adaptive_limit(limit);
        }
        let (most, least) = bounds(limit);
        self.learner.set_bounds(most, least);
        self.limit = limit;
        self.meter.iter_mut().for_each(|meter| meter.set_burst(burst.max(SLACK)));
        self.apply_limits(now);
    }

    /// What of a charge counts here.
    pub(crate) fn amount_of(&self, charge: &TokenCharge) -> u64 {
        match self.kind {
            Kind::RequestsPerDay => 1,
            Kind::InputTokensPerMinute => charge.input,
            Kind::OutputTokensPerMinute => charge.output,
            _ => charge.total,
        }
    }

    pub(crate) fn is_of_day(&self) -> bool {
        self.meter.is_none()
    }

    /// When a call would go if only the pace counted.
    pub(crate) fn scheduled(&self) -> Duration {
        self.meter.as_ref().map_or(Duration::ZERO, Gcra::due)
    }

    /// When there is room for a call that may be charged so much.
    pub(crate) fn due(&self, most: u64) -> Duration {
        self.scheduled().max(self.ledger.due(most, self.most()))
    }

    /// How much of what we take may count.
    fn most(&self) -> u64 {
        let served = self.served.limit(self.limit.get());
        self.apart.map_or(served, |apart| served.min(apart.most))
    }

    /// Takes what a call that goes now, and by the schedule at `slot`, is expected to be charged, and at most.
    pub(crate) fn charge(&mut self, now: Duration, slot: Duration, expected: u64, most: u64) {
        let credit = self.credit.min(expected);
        self.credit -= credit;
        self.spread = self.spread.saturating_add_unsigned(expected);
        self.meter.iter_mut().for_each(|meter| meter.admit(slot, expected - credit));
        self.ledger.charge(now, most);
    }

    /// A call that was to go at `at` was never made.
    pub(crate) fn refund(&mut self, at: Duration, expected: u64, most: u64) {
        self.spread = self.spread.saturating_sub_unsigned(expected);
        self.meter.iter_mut().for_each(|meter| meter.refund(expected));
        self.ledger.refund(at, most);
    }

    /// A call that went at `at` is charged this instead.
    pub(crate) fn settle(&mut self, now: Duration, at: Duration, expected: u64, most: u64, charged: u64) {
        self.spread = self.spread.saturating_add_unsigned(charged).saturating_sub_unsigned(expected);
        if let Some(meter) = &mut self.meter {
            if charged > expected {
                meter.charge(charged - expected);
            } else {
                let before = meter.unused(now);
                meter.refund(expected - charged);
                let late = meter.unused(now).saturating_sub(before);
                self.credit = (self.credit + late).min(self.pace.get() / CREDIT_DIVISOR);
            }
        }
        if charged > most {
            self.ledger.charge(now, charged - most);
        } else {
            self.ledger.refund(at, most - charged);
        }
    }

    /// What calls have cost in all, as far as it was spread, with so much that is to come.
    pub(crate) fn spread(&self, ahead: u64) -> i64 {
        self.spread.saturating_add_unsigned(ahead)
    }

    /// What counts now.
    pub(crate) fn taken(&mut self, now: Duration) -> u64 {
        self.ledger.total(now)
    }

    /// How much less the server counts than we do, as the answer that is being settled shows it.
    pub(crate) fn uncounted_by_server(&mut self, now: Duration) -> u64 {
        self.served.counted(now).map_or(0, |counted| self.ledger.total(now).saturating_sub(counted))
    }

    /// The server refused because of this budget.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn on_refusal(&mut self, now: Duration) {
        let pace = self.pace.get() as f64;
        let since = self.ledger.since().unwrap_or(now);
        let over = now.saturating_sub(since).max(MIN_USAGE_SPAN).as_secs_f64();
        let through = self.ledger.total(now) as f64 * 60.0 / over;
        self.learner.on_refusal(through.min(pace));
        self.apply_limits(now);
    }

    /// Where the server refused last.
    pub(crate) fn ceiling(&self) -> Option<f64> {
        self.learner.ceiling()
    }

    /// Begins anew with where the server refused others last.
    pub(crate) fn restore_ceiling(&mut self, now: Duration, ceiling: Option<f64>) {
        self.learner = adaptive_limit(self.limit);
        ceiling.into_iter().for_each(|ceiling| self.learner.restore(ceiling));
        self.apply_limits(now);
    }

    /// Calls have waited for this budget for so long.
    pub(crate) fn on_backlogged(&mut self, now: Duration, time: Duration) {
        self.learner.on_backlogged(time);
        self.apply_limits(now);
    }

    /// Reads what the answer to a call that went at `at` shows.
    pub(crate) fn apply_header(&mut self, now: Duration, at: Duration, reading: &LimitReading, rounded: u64) -> bool {
        let out = self.ledger.taken_since(at);
        let believed = self.served.apply_header(now, at, reading, Configured { limit: self.limit.get(), rounded }, out);
        self.apply_limits(now);
        believed
    }

    /// Whether a reading is about this budget.
    pub(crate) fn matches_reading(&self, unit: LimitUnit, is_day: bool) -> bool {
        is_day == self.is_of_day() && self.unit() == unit
    }

    /// Whether a refusal may be about this budget.
    pub(crate) fn matches_refusal(&self, limit: LimitKind) -> bool {
        !self.is_of_day()
            && match limit {
                LimitKind::Tokens => true,
                LimitKind::InputTokens => self.unit() != LimitUnit::OutputTokens,
                LimitKind::OutputTokens => self.unit() != LimitUnit::InputTokens,
                _ => false,
            }
    }

    fn unit(&self) -> LimitUnit {
        match self.kind {
            Kind::RequestsPerDay => LimitUnit::Requests,
            Kind::InputTokensPerMinute => LimitUnit::InputTokens,
            Kind::OutputTokensPerMinute => LimitUnit::OutputTokens,
            _ => LimitUnit::Tokens,
        }
    }

    /// Whether it is the server's headers that set the pace.
    pub(crate) fn is_limited_by_server(&self, now: Duration) -> bool {
        self.pace < self.limit && self.pace.get() == self.served.pace(now, self.limit.get())
    }

    /// How long until a call has gone, before which others are expected to be charged so much, and all of them at most.
    #[allow(clippy::cast_precision_loss)] // For people to read.
    pub(crate) fn time_for(&self, now: Duration, before: u64, most: u64) -> Duration {
        let share = self.leased.map_or(1.0, |leased| leased.share.max(1e-3));
        let minutes = before as f64 / (self.pace.get() as f64 * share);
        let spread = Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(LONGEST);
        let paced = if self.is_of_day() { Duration::ZERO } else { self.scheduled().saturating_sub(now) + spread };
        let limit = self.most().max(1);
        let width = if self.is_of_day() { DAY } else { MINUTE };
        let rounds = u32::try_from(most.saturating_sub(1) / limit).unwrap_or(u32::MAX);
        let frees = self.leased.map_or(Duration::ZERO, |leased| leased.frees);
        let room = self.ledger.due(most.min(limit), limit).max(frees).saturating_sub(now);
        paced.max(room.saturating_add(width.saturating_mul(rounds))).min(LONGEST)
    }

    /// Until when no call like our next fits, since it is a day's and others took it.
    pub(crate) fn exhausted_until(&self) -> Option<Duration> {
        self.leased.map(|leased| leased.frees).filter(|_| self.is_of_day())
    }

    /// When the pace rises by itself.
    pub(crate) fn rises_at(&self) -> Option<Duration> {
        self.served.rises_at()
    }

    /// Lets go of what headers said of a time that is over.
    pub(crate) fn advance_to(&mut self, now: Duration) {
        if self.leased.is_some() {
            self.ledger.total(now);
        }
        if self.served.advance_to(now) {
            self.apply_limits(now);
        }
    }

    /// What is taken by its age, oldest first.
    pub(crate) fn ages(&mut self, now: Duration) -> impl Iterator<Item = (Duration, u64)> {
        self.ledger.ages(now)
    }

    /// The same in as many parts as the others are told of.
    pub(crate) fn ages_in_parts(&mut self, now: Duration) -> Ages {
        let width = micros(if self.is_of_day() { DAY } else { MINUTE });
        let oldest = self.ledger.ages(now).next().map_or(0, |(age, _)| micros(age));
        // The oldest is told exactly: it is the next to count no longer.
        let grain = (oldest / (REPORTED_AGES as u64 - 1)).max(1);
        let part = |age: u64| usize::try_from(age / grain).unwrap_or(REPORTED_AGES).min(REPORTED_AGES - 1);
        let mut parts = vec![0; part(oldest) + 1];
        self.ledger.ages(now).for_each(|(age, amount)| parts[part(micros(age))] += amount);
        Ages { window: width, grain, parts }
    }

    /// Counts what an earlier run took.
    pub(crate) fn restore(&mut self, now: Duration, age: Duration, amount: u64) {
        self.ledger.restore(now, age, amount);
    }

    /// How it stands, for the log.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn status(&mut self, now: Duration) -> row::BudgetStatus {
        let limit = self.limit.get();
        // A pace that only spreads what is left is no other limit.
        let learned = self.leased.map_or_else(|| self.learner.adapted(), |leased| leased.learned);
        let learned = learned.into_iter().chain([self.served.limit(limit) as f64]).reduce(f64::min);
        let learned = learned.filter(|learned| *learned < limit as f64);
        let others = self.leased.map(|leased| leased.others).or_else(|| self.apart.map(|apart| apart.others));
        let others = others.unwrap_or_default();
        row::BudgetStatus { meter: self.kind, limit, taken: self.ledger.total(now), others, learned }
    }

    /// Takes over what the learner and the headers allow.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
    fn apply_limits(&mut self, now: Duration) {
        let learned = self.leased.map_or_else(|| self.learner.allowed() as u64, |leased| leased.pace);
        let pace = learned.min(self.served.pace(now, self.limit.get()));
        let pace = NonZeroU64::new(pace).unwrap_or(NonZeroU64::MIN);
        if pace != self.pace {
            self.pace = pace;
            self.meter.iter_mut().for_each(|meter| meter.set_rate(now, pace));
        }
    }
}

fn adaptive_limit(limit: NonZeroU64) -> AdaptiveLimit {
    let (most, least) = bounds(limit);
    AdaptiveLimit::new(most, least)
}

/// Bounds of the adapted limit.
#[allow(clippy::cast_precision_loss)] // Limits are at most 2^48.
fn bounds(limit: NonZeroU64) -> (f64, f64) {
    (limit.get() as f64, (limit.get() as f64 / f64::from(FLOOR_DIVISOR)).max(1.0))
}
