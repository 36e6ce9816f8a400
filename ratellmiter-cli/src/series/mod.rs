//! Rows to the lines of a picture.

pub(crate) mod budgets;
pub(crate) mod processes;

use std::str::FromStr;

use ratellmiter_core::log::{Bottleneck, BudgetStatus, Quantiles, Row};

use crate::series::budgets::Budgets;

/// One line that can be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    pub(crate) letter: char,
    pub(crate) name: &'static str,
    pub(crate) color: Color,
    /// In pixels. What tends to lie below is wider, so that no line hides another that runs along it.
    pub(crate) width: u32,
    pub(crate) axis: Axis,
}

/// The same line on light paper and on dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color {
    pub(crate) light: (u8, u8, u8),
    pub(crate) dark: (u8, u8, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Calls,
    Seconds,
    Tokens,
}

impl Axis {
    /// Those that are on the right, from the frame outwards.
    pub(crate) const RIGHT: [Self; 2] = [Self::Seconds, Self::Tokens];

    /// What is on it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Calls => "Calls",
            Self::Seconds => "Seconds",
            Self::Tokens => "Tokens",
        }
    }

    /// The least that there is between two of its ticks.
    pub(crate) const fn least_step(self) -> f64 {
        match self {
            Self::Calls | Self::Tokens => 1.0,
            Self::Seconds => 0.01,
        }
    }
}

const fn line(
    letter: char,
    name: &'static str,
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
    width: u32,
    axis: Axis,
) -> Line {
    Line { letter, name, color: Color { light, dark }, width, axis }
}

/// All lines, from the one that is drawn first to the one on top.
pub(crate) const LINES: [Line; 12] = [
    line('t', "tokens reserved", (170, 200, 0), (178, 206, 40), 6, Axis::Tokens),
    line('b', "token budget", (80, 60, 0), (250, 240, 180), 4, Axis::Tokens),
    line('u', "tokens used", (230, 0, 140), (255, 80, 190), 4, Axis::Tokens),
    line('o', "overflow, waiting", (150, 170, 255), (96, 122, 230), 6, Axis::Calls),
    line('r', "requested", (255, 150, 0), (255, 166, 43), 6, Axis::Calls),
    line('n', "in flight", (0, 150, 160), (64, 200, 208), 4, Axis::Calls),
    line('a', "allowed rate", (120, 120, 120), (165, 165, 165), 4, Axis::Calls),
    line('i', "issued", (0, 135, 30), (62, 190, 88), 5, Axis::Calls),
    line('f', "finished", (140, 50, 160), (204, 120, 222), 3, Axis::Calls),
    line('e', "rate limited", (225, 0, 0), (255, 92, 92), 3, Axis::Calls),
    line('w', "wait p99, s", (180, 120, 60), (214, 164, 110), 3, Axis::Seconds),
    line('l', "latency p99, s", (30, 80, 160), (120, 170, 250), 3, Axis::Seconds),
];

/// The lines that were asked for, by their letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines(String);

impl Lines {
    /// In the order of drawing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static Line> {
        LINES.iter().filter(|line| self.0.contains(line.letter))
    }

    /// As they were typed.
    pub(crate) fn letters(&self) -> &str {
        &self.0
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self("riefo".into())
    }
}

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = "r requested, i issued, e rate limited, f finished, o overflow, a allowed rate, w wait, l latency, n in flight, t tokens reserved, u tokens used, b token budget";
        if text.is_empty() {
            return Err(format!("no letter; choose from {known}"));
        }
        match text.chars().find(|letter| LINES.iter().all(|line| line.letter != *letter)) {
            Some(unknown) => Err(format!("unknown letter {unknown:?}; choose from {known}")),
            None => Ok(Self(text.to_owned())),
        }
    }
}

/// What happened in one second: requested, issued, rate limited, finished, overflow.
pub(crate) type Counts = [u64; 5];

/// One second of one model. What a log does not tell is `NAN` or `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Second {
    pub(crate) at: u64,
    pub(crate) counts: Counts,
    pub(crate) failed: u64,
    pub(crate) overloaded: u32,
    /// Turned away.
    pub(crate) rejected: u32,
    pub(crate) in_flight: u32,
    /// In and out.
    pub(crate) reserved: u32,
    pub(crate) used: u32,
    /// The tightest budget of tokens a minute, by the second.
    pub(crate) budget: f32,
    /// Calls a second: allowed, and configured.
    pub(crate) rate: f32,
    pub(crate) limit: f32,
    pub(crate) held: Option<Bottleneck>,
    /// Whether the log tells waits, latencies, failures and calls in flight. In one that does not, refusals are those who
    /// wait again.
    pub(crate) measured: bool,
    /// How many processes shared the limiter; 0 if it was not shared.
    pub(crate) members: u32,
    /// The server that it is shared on was out of reach.
    pub(crate) is_lost: bool,
    /// Milliseconds: the median, the 99th percentile, the largest.
    pub(crate) waits: [u32; 3],
    pub(crate) calls: [u32; 3],
}

impl Second {
    /// Of a log that has counts alone.
    pub(crate) fn counted(at: u64, counts: Counts) -> Self {
        let (in_flight, reserved, used, failed, overloaded, rejected, members, is_lost, waits, calls) =
            Default::default();
        Self {
            at,
            counts,
            failed,
            overloaded,
            rejected,
            in_flight,
            reserved,
            used,
            budget: f32::NAN,
            rate: f32::NAN,
            limit: f32::NAN,
            held: None,
            measured: false,
            members,
            is_lost,
            waits,
            calls,
        }
    }

    #[allow(clippy::cast_possible_truncation)] // For a picture.
    pub(crate) fn of(row: &Row<'_>) -> Self {
        let short = |value| u32::try_from(value).unwrap_or(u32::MAX);
        let millis = |Quantiles { p50, p99, max }| [p50, p99, max].map(short);
        Self {
            at: row.at,
            counts: [row.requested, row.issued, row.rate_limited, row.finished, row.overflow],
            failed: row.failed,
            overloaded: short(row.overloaded),
            rejected: short(row.rejected),
            in_flight: short(row.in_flight),
            reserved: short(row.reserved_tokens),
            used: short(row.used_tokens),
            budget: budgets::tightest(&row.budgets).map_or(f32::NAN, |budget| (budget / 60.0) as f32),
            rate: row.rate as f32,
            limit: row.limit.map_or(f32::NAN, |limit| limit as f32),
            held: row.held,
            measured: true,
            members: short(row.members.unwrap_or(0)),
            is_lost: row.is_lost,
            waits: millis(row.wait_ms),
            calls: millis(row.call_ms),
        }
    }

    /// Nobody was allowed to go.
    pub(crate) fn is_paused(&self) -> bool {
        self.held == Some(Bottleneck::Pause) || self.rate == 0.0
    }

    /// Adds a row of the same second, which came later.
    fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
        self.failed = self.failed.saturating_add(other.failed);
        self.overloaded = self.overloaded.saturating_add(other.overloaded);
        self.rejected = self.rejected.saturating_add(other.rejected);
        self.reserved = self.reserved.saturating_add(other.reserved);
        self.used = self.used.saturating_add(other.used);
        let larger = |one: &mut [u32; 3], other: [u32; 3]| {
            one.iter_mut().zip(other).for_each(|(one, other)| *one = other.max(*one));
        };
        larger(&mut self.waits, other.waits);
        larger(&mut self.calls, other.calls);
        (self.in_flight, self.rate, self.limit, self.held) = (other.in_flight, other.rate, other.limit, other.held);
        (self.budget, self.members) = (other.budget, other.members);
        self.is_lost |= other.is_lost;
    }

    /// It says something of tokens.
    fn tells_tokens(&self) -> bool {
        self.reserved > 0 || self.used > 0 || self.budget.is_finite()
    }

    /// The height of a line, if this second has one.
    #[allow(clippy::cast_precision_loss)]
    fn value(&self, letter: char) -> Option<f64> {
        let [requested, issued, limited, finished, overflow] = self.counts;
        let seconds = |millis: u32| f64::from(millis) / 1000.0;
        match letter {
            'r' => Some(requested as f64),
            'i' => Some(issued as f64),
            'e' => Some(limited as f64),
            'f' => Some(finished as f64),
            'o' => Some(overflow as f64),
            'n' => self.measured.then(|| f64::from(self.in_flight)),
            'a' => Some(f64::from(self.rate)).filter(|rate| rate.is_finite()),
            't' => Some(self.reserved.into()),
            'u' => Some(self.used.into()),
            'b' => Some(f64::from(self.budget)).filter(|budget| budget.is_finite()),
            'w' => (issued > 0 && self.measured).then(|| seconds(self.waits[1])),
            _ => (finished > 0 && self.measured).then(|| seconds(self.calls[1])),
        }
    }
}

/// One model's seconds, in order. Seconds without a row are left out: nothing happened in them, and nobody waited.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Series {
    seconds: Vec<Second>,
    budgets: Budgets,
    /// Whether any second says something of tokens. In a log that does not, none being used means nothing.
    tells_tokens: bool,
    /// How many other logs are in it: it is the sum of one more.
    others: u32,
    /// The budgets of each row, where they are to be summed with those of other logs.
    kept: Vec<(u64, BudgetStatus)>,
}

impl Series {
    /// An empty sum of so many logs.
    pub(crate) fn of_logs(logs: usize) -> Self {
        Self { others: u32::try_from(logs.saturating_sub(1)).unwrap_or(u32::MAX), ..Self::default() }
    }

    pub(crate) fn add_row(&mut self, row: &Row<'_>) {
        self.add_with(Second::of(row), &row.budgets);
    }

    /// Adds a second and its budgets.
    pub(crate) fn add_with(&mut self, second: Second, budgets: &[BudgetStatus]) {
        self.budgets.add(second.at, budgets);
        self.add(second);
    }

    /// Keeps the budgets of a row that is added, for a sum.
    pub(crate) fn keep(&mut self, row: &Row<'_>) {
        self.kept.extend(row.budgets.iter().map(|budget| (row.at, *budget)));
    }

    /// Adds what came later.
    pub(crate) fn append(&mut self, later: Self) {
        later.seconds.into_iter().for_each(|second| self.add(second));
        self.budgets.append(&later.budgets);
        self.kept.extend(later.kept);
    }

    /// Adds a second. Those of the same time add up.
    pub(crate) fn add(&mut self, second: Second) {
        self.tells_tokens |= second.tells_tokens();
        // Logs are in order, so this is nearly always the end.
        let seconds = &mut self.seconds;
        match seconds.last_mut() {
            Some(last) if last.at == second.at => last.add(&second),
            Some(last) if last.at > second.at => match seconds.binary_search_by_key(&second.at, |second| second.at) {
                Ok(index) => seconds[index].add(&second),
                Err(index) => seconds.insert(index, second),
            },
            _ => seconds.push(second),
        }
    }

    /// Forgets the oldest rows and keeps so many, once there are twice as many.
    pub(crate) fn keep_last(&mut self, rows: usize) {
        if self.seconds.len() >= 2 * rows {
            self.seconds.drain(..self.seconds.len() - rows);
        }
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    pub(crate) fn tells_tokens(&self) -> bool {
        self.tells_tokens
    }

    /// Of how many logs it is the sum.
    pub(crate) fn logs(&self) -> u32 {
        self.others.saturating_add(1)
    }

    /// The budgets of each row that were kept.
    pub(crate) fn kept(&self) -> &[(u64, BudgetStatus)] {
        &self.kept
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.seconds.iter().fold(0, |sum, second| sum.saturating_add(second.counts[0]))
    }

    /// How many calls came back refused. Where the log tells how many wait again, at least as many as joined those.
    pub(crate) fn refusals(&self) -> u64 {
        let mut waited = 0;
        self.seconds.iter().fold(0, |sum: u64, second| {
            let before = if second.measured { 0 } else { std::mem::replace(&mut waited, second.counts[2]) };
            sum.saturating_add(second.counts[2].saturating_sub(before))
        })
    }

    /// The first second, since the epoch.
    pub(crate) fn start(&self) -> u64 {
        self.seconds.first().map_or(0, |second| second.at)
    }

    /// How many seconds there are from the first to the last, both counted.
    pub(crate) fn length(&self) -> u64 {
        self.seconds.last().map_or(0, |last| (last.at - self.start()).saturating_add(1))
    }

    /// The height of a line in one of its seconds, if it has one.
    pub(crate) fn value(&self, second: &Second, letter: char) -> Option<f64> {
        let told = self.tells_tokens || !matches!(letter, 't' | 'u');
        second.value(letter).filter(|_| told)
    }

    /// The corners of one line as seconds and heights: along a stretch of seconds without rows there are only its ends.
    pub(crate) fn corners(&self, letter: char) -> impl Iterator<Item = (u64, f64)> {
        let mut before: Option<&Second> = None;
        self.seconds.iter().flat_map(move |second| {
            let gap = before.replace(second).filter(|last| last.at + 1 < second.at);
            // What is counted is zero then, calls in flight stay out, and of the others nothing is known.
            let height = match letter {
                'r' | 'i' | 'e' | 'f' | 'o' => Some(0.0),
                't' | 'u' => self.tells_tokens.then_some(0.0),
                'n' => gap.and_then(|last| last.value(letter)),
                _ => None,
            };
            let ends = gap.zip(height).map(|(last, height)| [(last.at + 1, height), (second.at - 1, height)]);
            ends.into_iter().flatten().chain(self.value(second, letter).map(|height| (second.at, height)))
        })
    }

    /// The stretches in which nobody was allowed to go: first and last second.
    pub(crate) fn pauses(&self) -> Vec<(u64, u64)> {
        let mut pauses: Vec<(u64, u64)> = Vec::new();
        for second in self.seconds.iter().filter(|second| second.is_paused()) {
            match pauses.last_mut() {
                Some((_, last)) if *last + 1 == second.at => *last = second.at,
                _ => pauses.push((second.at, second.at)),
            }
        }
        pauses
    }
}

impl FromIterator<Second> for Series {
    fn from_iter<T: IntoIterator<Item = Second>>(rows: T) -> Self {
        let mut series = Self::default();
        rows.into_iter().for_each(|second| series.add(second));
        series
    }
}

impl<'a> FromIterator<Row<'a>> for Series {
    fn from_iter<T: IntoIterator<Item = Row<'a>>>(rows: T) -> Self {
        let mut series = Self::default();
        rows.into_iter().for_each(|row| series.add_row(&row));
        series
    }
}

#[cfg(test)]
mod tests {
    use ratellmiter_core::log::{BudgetKind, BudgetStatus};

    use super::*;

    fn series(rows: &[(u64, Counts)]) -> Series {
        rows.iter().map(|(at, counts)| Second::counted(*at, *counts)).collect()
    }

    fn row(at: u64, rate: f64, held: Option<Bottleneck>) -> Second {
        Second::of(&Row { at, rate, held, issued: 1, in_flight: 4, ..Row::default() })
    }

    fn counts(series: &Series) -> Vec<(u64, Counts)> {
        series.seconds().iter().map(|second| (second.at, second.counts)).collect()
    }

    #[test]
    fn rows_of_a_second_add_up_in_whatever_order_they_come() {
        let sum = series(&[(7, [1, 0, 0, 0, 0]), (9, [1; 5]), (7, [1, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]);
        assert_eq!(counts(&sum), [(7, [2, 2, 3, 4, 5]), (8, [6; 5]), (9, [u64::MAX; 5])]);
        let (mut one, other) = (row(7, 5.0, None), row(7, 0.0, Some(Bottleneck::Pause)));
        one.waits = [1, 9, 9];
        let both: Series = [one, Second { waits: [2, 3, 4], ..other }].into_iter().collect();
        let second = both.seconds()[0];
        assert_eq!((second.waits, second.held, second.counts[1]), ([2, 9, 9], Some(Bottleneck::Pause), 2));
    }

    #[test]
    fn seconds_without_rows_are_zeros_and_long_stretches_only_their_ends() {
        let series = series(&[(10, [1; 5]), (11, [2; 5]), (13, [3; 5]), (100, [4; 5])]);
        let corners: Vec<_> = series.corners('r').collect();
        let expected = [(10, 1.0), (11, 2.0), (12, 0.0), (12, 0.0), (13, 3.0), (14, 0.0), (99, 0.0), (100, 4.0)];
        assert_eq!(corners, expected);
        assert_eq!((series.start(), series.length()), (10, 91));
        assert_eq!(series.corners('a').count() + series.corners('w').count(), 0, "such a log does not tell");
    }

    #[test]
    fn calls_stay_in_flight_and_rates_are_unknown_where_nothing_happened() {
        let series: Series = [row(10, 5.0, None), row(20, 2.5, None)].into_iter().collect();
        assert_eq!(series.corners('n').collect::<Vec<_>>(), [(10, 4.0), (11, 4.0), (19, 4.0), (20, 4.0)]);
        assert_eq!(series.corners('a').collect::<Vec<_>>(), [(10, 5.0), (20, 2.5)]);
        assert_eq!(series.corners('l').count(), 0, "no call ended");
    }

    #[test]
    fn tokens_are_none_between_rows_and_unknown_in_a_log_that_tells_of_none() {
        let budget = |meter, limit| BudgetStatus { meter, limit, taken: 0, others: 0, learned: None };
        let budgets =
            vec![budget(BudgetKind::TokensPerMinute, 60_000), budget(BudgetKind::OutputTokensPerMinute, 6000)];
        let row =
            |at, used_tokens| Row { at, used_tokens, reserved_tokens: 9, budgets: budgets.clone(), ..Row::default() };
        let mut series: Series = [row(10, 4), row(10, 1)].into_iter().collect();
        series.append([row(20, 7)].into_iter().collect());
        assert_eq!(series.corners('u').collect::<Vec<_>>(), [(10, 5.0), (11, 0.0), (19, 0.0), (20, 7.0)]);
        assert_eq!(series.corners('t').next(), Some((10, 18.0)));
        assert_eq!(series.corners('b').collect::<Vec<_>>(), [(10, 100.0), (20, 100.0)]);
        assert_eq!(series.budgets().filled().len(), 2);
        let quiet: Series = [Row { at: 1, ..Row::default() }, Row { at: 5, ..Row::default() }].into_iter().collect();
        assert_eq!(['t', 'u', 'b'].map(|letter| quiet.corners(letter).count()), [0; 3]);
    }

    #[test]
    fn refusals_are_counted_where_a_log_tells_who_waits_again() {
        let level =
            |waiting: &[u64]| series(&(0..).zip(waiting).map(|(at, e)| (at, [1, 1, *e, 1, 0])).collect::<Vec<_>>());
        assert_eq!(level(&[0, 5, 5, 5, 4, 2, 0, 3, 3]).refusals(), 8);
        let counted = |at| Second::of(&Row { at, rate_limited: 2, ..Row::default() });
        assert_eq!((0..3).map(counted).collect::<Series>().refusals(), 6);
    }

    #[test]
    fn pauses_are_stretches_of_seconds() {
        let rows = [(7, 0.0), (8, 0.0), (9, 5.0), (11, 0.0), (12, f64::NAN)];
        let series: Series = rows.map(|(at, rate)| row(at, rate, None)).into_iter().collect();
        assert_eq!(series.pauses(), [(7, 8), (11, 11)]);
        let series: Series = [row(7, 5.0, Some(Bottleneck::Pause))].into_iter().collect();
        assert_eq!(series.pauses(), [(7, 7)]);
    }

    #[test]
    fn letters_are_checked_and_drawn_in_one_order() {
        let letters: String = "rieo".parse::<Lines>().unwrap().iter().map(|line| line.letter).collect();
        assert_eq!(letters, "orie");
        assert_eq!("rr".parse::<Lines>().unwrap().iter().count(), 1);
        for text in ["", "x", "rx", "R", "r i", "🦀"] {
            let error = text.parse::<Lines>().unwrap_err();
            assert!(error.contains("r requested, i issued, e rate limited, f finished, o overflow"), "{error}");
        }
    }
}
