//! A run that is under way: its rows so far, and what is to be seen of it now. It is told the time and does no I/O.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use ratellmiter_core::log::Row;

use crate::{
    choose_log::DEFAULT,
    draw::graph::{Curve, Graph},
    list::span,
    output::printable,
    read::parse::{Parsed, parse},
    series::{Lines, Second, Series, budgets},
};

/// How many rows of a model are kept; what is older is only in the totals.
const KEPT: usize = 4000;
/// How long the chart goes on without rows, in seconds. After that it stands still: the program idles, or has ended.
const GOES_ON: u64 = 60;
/// For how many seconds there is room at first. The more there are, the closer they stand, until they scroll.
const ROOMS: [u64; 6] = [30, 60, 120, 240, 480, 960];

/// What is known of the run.
#[derive(Debug, Default)]
pub(crate) struct Live {
    models: BTreeMap<String, Model>,
    /// The one whose row came first.
    first: Option<String>,
    /// The first and the last second of all.
    seconds: Option<(u64, u64)>,
    /// When the last row came, since the epoch; `None` if it was there long before.
    came: Option<Duration>,
    /// Whether the rows that come now were just written.
    caught_up: bool,
    /// Lines that were not understood.
    broken: u64,
}

#[derive(Debug, Default)]
struct Model {
    series: Series,
    last: Last,
    /// Calls, finished, refusals.
    totals: [u64; 3],
    /// How many waited again at last, in a log that tells that.
    again: u64,
}

/// What a model's last row says.
#[derive(Debug, Default)]
struct Last {
    at: u64,
    waiting: u64,
    /// What logs of counts alone do not tell.
    in_flight: Option<u32>,
    rate: Option<f64>,
    limit: Option<f64>,
    is_paused: bool,
    paused_for: Option<f64>,
    time_left: Option<f64>,
    /// How much is taken of the fullest budget.
    budget: Option<f64>,
}

/// Which model is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The one called `default`, else the first.
    Any,
    /// As typed, or as chosen.
    Named(String),
    All,
}

/// What is to be seen.
#[derive(Debug)]
pub(crate) enum View {
    /// Nothing yet: what is waited for.
    Waiting(String),
    Chart(Box<Chart>),
}

#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) figures: Vec<Figure>,
    /// Offsets are from the log's first second on.
    pub(crate) graph: Graph,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// One figure of the status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Something that a reader should see.
    pub(crate) alarms: bool,
}

impl Live {
    /// Adds a line of the log, which came now.
    pub(crate) fn add(&mut self, line: &[u8], now: Duration) {
        match parse(line) {
            Ok(Parsed::Header(_)) => {}
            Ok(Parsed::Row(row)) => self.add_row(&row, now),
            Ok(Parsed::Minute(model, seconds)) => {
                for second in seconds {
                    self.add_second(&model, second, Last::counted(&second), now);
                }
            }
            Err(_) if line.iter().all(u8::is_ascii_whitespace) => {}
            Err(_) => self.add_broken(),
        }
    }

    pub(crate) fn add_broken(&mut self) {
        self.broken += 1;
    }

    /// All that lay there was read: from now on rows come as they are written.
    pub(crate) fn caught_up(&mut self) {
        self.caught_up = true;
    }

    fn add_row(&mut self, row: &Row<'_>, now: Duration) {
        let second = Second::of(row);
        let last = Last {
            in_flight: Some(second.in_flight),
            // As it is written, and not as it is drawn.
            rate: Some(row.rate).filter(|rate| rate.is_finite()),
            limit: row.limit,
            paused_for: row.paused_for,
            time_left: row.time_left,
            budget: budgets::fullest(&row.budgets),
            ..Last::counted(&second)
        };
        self.add_second(&row.model, second, last, now);
    }

    fn add_second(&mut self, name: &str, second: Second, last: Last, now: Duration) {
        let at = second.at;
        let (start, end) = self.seconds.unwrap_or((at, at));
        self.seconds = Some((start.min(at), end.max(at)));
        let written = Duration::from_secs(at.saturating_add(1));
        // A row that lay there is from now if its own time says so.
        let recent = written <= now && now.saturating_sub(written) <= Duration::from_secs(GOES_ON);
        self.came = if self.caught_up { Some(now) } else { recent.then_some(written) };
        if !self.models.contains_key(name) {
            self.first.get_or_insert_with(|| name.to_owned());
            self.models.insert(name.to_owned(), Model::default());
        }
        let model = self.models.get_mut(name).expect("it was just inserted");
        let [requested, _, mut limited, finished, _] = second.counts;
        if !second.measured {
            // It is those who wait again: the ones that joined them were refused.
            limited = limited.saturating_sub(std::mem::replace(&mut model.again, limited));
        }
        for (total, count) in model.totals.iter_mut().zip([requested, finished, limited]) {
            *total = total.saturating_add(count);
        }
        if at >= model.last.at {
            model.last = last;
        }
        model.series.add(second);
        model.series.keep_last(KEPT);
    }

    /// The models, in the order in which they are chosen from.
    pub(crate) fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// Which of the models are meant; `None` if it is not there yet.
    pub(crate) fn chosen<'a>(&'a self, shown: &'a Shown) -> Option<Vec<&'a str>> {
        match shown {
            Shown::All => Some(self.models().collect()).filter(|models: &Vec<_>| !models.is_empty()),
            Shown::Any if self.models.contains_key(DEFAULT) => Some(vec![DEFAULT]),
            Shown::Any => self.first.as_deref().map(|first| vec![first]),
            // A name may have a comma in it.
            Shown::Named(names) if self.models.contains_key(names) => Some(vec![names]),
            Shown::Named(names) => {
                let names: Vec<_> = names.split(',').collect();
                names.iter().all(|name| self.models.contains_key(*name)).then_some(names)
            }
        }
    }

    /// What is to be seen of the models that are meant, with room for so many seconds.
    pub(crate) fn view(&self, shown: &Shown, lines: &Lines, room: u64, now: Duration) -> View {
        let Some((start, end)) = self.seconds else {
            return View::Waiting("waiting for its first row".into());
        };
        let Some(chosen) = self.chosen(shown) else {
            let wanted = if let Shown::Named(names) = shown { names.as_str() } else { DEFAULT };
            let there: Vec<_> = self.models().map(|model| format!("{model:?}")).collect();
            return View::Waiting(format!("waiting for the model {wanted:?}; there is {}", there.join(", ")));
        };
        let end = end.saturating_add(self.idle(now).saturating_sub(1).min(GOES_ON)) - start;
        let room = ROOMS.into_iter().find(|room| *room > end).unwrap_or(room).min(room).max(2);
        let from = end.saturating_add(1).saturating_sub(room);
        let models: Vec<_> = chosen.iter().map(|name| (*name, &self.models[*name])).collect();
        let (figures, mut graph) = match models[..] {
            [(name, model)] if *shown != Shown::All => {
                let mut graph = Graph::of_model(name, &model.series, lines, u32::MAX);
                let offset = model.series.start() - start;
                for (curve, line) in graph.curves.iter_mut().zip(lines.iter()) {
                    go_on(curve, line.letter, offset, end);
                }
                graph.pauses.iter_mut().for_each(|(from, to)| (*from, *to) = (*from + offset, *to + offset));
                (self.figures(model, now), graph)
            }
            _ => {
                let series: Vec<_> = models.iter().map(|(name, model)| (*name, &model.series)).collect();
                let mut graph = Graph::of_models(&series, u32::MAX);
                let offset = series.iter().map(|(_, series)| series.start()).min().unwrap_or(start) - start;
                for (curve, (name, model)) in graph.curves.iter_mut().zip(&models) {
                    curve.name = format!("{}: {}", printable(name), model.totals[1]);
                    go_on(curve, 'f', offset, end);
                }
                (self.sums(&models, now), graph)
            }
        };
        graph.curves.iter_mut().for_each(|curve| clip(curve, from));
        View::Chart(Box::new(Chart { figures, graph, from, to: from.saturating_add(room - 1) }))
    }

    /// What a reader should know beside the chart.
    pub(crate) fn note(&self, now: Duration) -> Option<String> {
        let (_, end) = self.seconds?;
        let idle = match self.came {
            Some(_) => self.idle(now),
            None => now.as_secs().saturating_sub(end.saturating_add(1)),
        };
        let broken = match self.broken {
            0 => None,
            1 => Some("1 line was not understood".to_owned()),
            lines => Some(format!("{lines} lines were not understood")),
        };
        let idle = (idle >= 3).then(|| format!("no row for {}", span(idle)));
        Some([idle, broken].into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|note| !note.is_empty())
    }

    /// The whole seconds since a row came.
    fn idle(&self, now: Duration) -> u64 {
        self.came.map_or(0, |came| now.saturating_sub(came).as_secs())
    }

    /// How long ago a model's last row was written.
    fn age(&self, model: &Model, now: Duration) -> f64 {
        let since = self.came.map_or(0.0, |came| now.saturating_sub(came).as_secs_f64());
        let end = self.seconds.map_or(0, |(_, end)| end);
        since + Duration::from_secs(end.saturating_sub(model.last.at)).as_secs_f64()
    }

    /// A model of which there is no row while others have some does nothing, and nobody waits for it.
    fn rests(&self, model: &Model) -> bool {
        self.seconds.is_some_and(|(_, end)| end > model.last.at.saturating_add(1))
    }

    fn waiting(&self, model: &Model) -> u64 {
        if self.rests(model) { 0 } else { model.last.waiting }
    }

    fn is_paused(&self, model: &Model) -> bool {
        model.last.is_paused && !self.rests(model)
    }

    fn figures(&self, model: &Model, now: Duration) -> Vec<Figure> {
        let last = &model.last;
        let left = |seconds: f64| span_of(seconds - self.age(model, now));
        let waiting = self.waiting(model);
        let pause = match last.paused_for {
            _ if !self.is_paused(model) => "–".into(),
            Some(seconds) => left(seconds),
            None => "paused".into(),
        };
        #[allow(clippy::cast_precision_loss)]
        let time_left = match (last.time_left, last.rate) {
            _ if waiting == 0 => "–".into(),
            (Some(seconds), _) => left(seconds),
            // Logs of earlier versions do not tell.
            (None, Some(rate)) if rate > 0.0 => format!("~{}", left(waiting as f64 / rate)),
            _ => "–".into(),
        };
        let rate = match (last.rate, last.limit) {
            (Some(rate), Some(limit)) if shown(rate) != shown(limit) => format!("{} of {}", shown(rate), shown(limit)),
            (Some(rate), _) => shown(rate),
            (None, _) => "–".into(),
        };
        let mut figures = vec![
            figure("waiting", waiting),
            figure("in flight", last.in_flight.map_or_else(|| "–".into(), |calls| calls.to_string())),
            figure("allowed/s", rate),
            figure("pause", pause),
            figure("time left", time_left),
        ];
        figures[3].alarms = self.is_paused(model);
        figures.extend(last.budget.map(|taken| {
            // It has refilled since, nobody knows how far.
            figure("budget", if self.rests(model) { "–".into() } else { format!("{:.0} %", taken * 100.0) })
        }));
        figures.extend(totals(model.totals));
        figures
    }

    fn sums(&self, models: &[(&str, &Model)], now: Duration) -> Vec<Figure> {
        let models = || models.iter().map(|(_, model)| *model);
        let paused = models().filter(|model| self.is_paused(model)).count();
        let longest = models()
            .filter(|model| self.waiting(model) > 0)
            .filter_map(|model| Some(model.last.time_left? - self.age(model, now)));
        let mut sums = [0_u64; 3];
        models().for_each(|model| {
            sums.iter_mut().zip(model.totals).for_each(|(sum, total)| *sum = sum.saturating_add(total));
        });
        let in_flight = models().filter_map(|model| model.last.in_flight);
        let mut figures = vec![
            figure("waiting", models().fold(0, |sum: u64, model| sum.saturating_add(self.waiting(model)))),
            figure("in flight", in_flight.map(u64::from).sum::<u64>()),
            figure("models", models().count()),
            figure("paused", paused),
            figure("time left", longest.reduce(f64::max).map_or_else(|| "–".into(), span_of)),
        ];
        figures[3].alarms = paused > 0;
        figures.extend(totals(sums));
        figures
    }
}

impl Last {
    fn counted(second: &Second) -> Self {
        let known = |rate: f32| Some(f64::from(rate)).filter(|rate| rate.is_finite());
        Self {
            at: second.at,
            waiting: second.counts[4],
            rate: known(second.rate),
            limit: known(second.limit),
            is_paused: second.is_paused(),
            ..Self::default()
        }
    }
}

fn figure(name: &'static str, value: impl Display) -> Figure {
    Figure { name, value: value.to_string(), alarms: false }
}

fn totals([calls, finished, refusals]: [u64; 3]) -> [Figure; 3] {
    let mut totals = [figure("calls", calls), figure("finished", finished), figure("refusals", refusals)];
    totals[2].alarms = refusals > 0;
    totals
}

/// Calls a second.
fn shown(rate: f64) -> String {
    let decimals = if rate >= 100.0 { 1.0 } else { 10.0 };
    ((rate * decimals).round() / decimals).to_string()
}

/// A second that has begun counts.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn span_of(seconds: f64) -> String {
    span(seconds.max(0.0).ceil() as u64)
}

/// Moves a curve by `offset`, and goes on to `end` as it does between rows: what is counted is zero, and calls in flight stay out.
fn go_on(curve: &mut Curve, letter: char, offset: u64, end: u64) {
    curve.corners.iter_mut().for_each(|(at, _)| *at += offset);
    let Some((last, height)) = curve.corners.last().copied().filter(|(last, _)| *last < end) else { return };
    match letter {
        'r' | 'i' | 'e' | 'f' | 'o' | 't' | 'u' => curve.corners.extend([(last + 1, 0.0), (end, 0.0)]),
        'n' => curve.corners.push((end, height)),
        _ => {}
    }
}

/// Cuts off what is left of `from`.
#[allow(clippy::cast_precision_loss)]
fn clip(curve: &mut Curve, from: u64) {
    let corners = &mut curve.corners;
    let inside = corners.partition_point(|(at, _)| *at < from);
    let Some((last, _)) = inside.checked_sub(1).map(|last| corners[last]) else { return };
    let edge = corners.get(inside).filter(|(next, _)| *next > from).map(|(next, height)| {
        let part = (from - last) as f64 / (next - last) as f64;
        (from, corners[inside - 1].1 * (1.0 - part) + height * part)
    });
    corners.drain(..inside);
    if let Some(edge) = edge {
        corners.insert(0, edge);
    }
}

#[cfg(test)]
mod tests;
