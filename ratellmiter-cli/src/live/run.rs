//! A run in progress: its rows so far, and its view at a given time.

mod figures;

use std::{collections::BTreeMap, time::Duration};

use ratellmiter_core::log::Row;

use crate::{
    choose_log::DEFAULT,
    draw::{
        course::{Bins, Course},
        graph::{Curve, Graph},
        time_axis,
    },
    series::{Lines, Second, Series, budgets},
};

/// Number of rows kept of a model. Older ones count in the totals only.
const MAX_ROWS: usize = 4000;
/// Seconds without a row after which the chart stops advancing, since the program is idle or has ended.
const MAX_IDLE_SECONDS: u64 = 60;
/// Seconds that a chart shows: the first of these that contains the run. Beyond the last, or if they do not fit, it scrolls.
const WINDOW_SECONDS: [u64; 6] = [30, 60, 120, 240, 480, 960];

/// The rows of a run so far.
#[derive(Debug, Default)]
pub(super) struct Run {
    models: BTreeMap<String, Model>,
    /// The model of the first row.
    first: Option<String>,
    /// First and last second of all models, since the epoch.
    seconds: Option<(u64, u64)>,
    /// Time at which the last row was read, since the epoch; `None` if it had been written long before.
    last_row_at: Option<Duration>,
}

#[derive(Debug, Default)]
struct Model {
    series: Series,
    last: Last,
    /// Calls, finished calls and refusals.
    totals: [u64; 3],
    /// The row that was read last.
    before: Option<Second>,
}

/// The last row of a model. Values that the log does not contain are `None`.
#[derive(Debug, Default)]
struct Last {
    at: u64,
    queued: u64,
    in_flight: Option<u32>,
    rate: Option<f64>,
    limit: Option<f64>,
    is_paused: bool,
    /// Remaining pause in seconds.
    paused_for: Option<f64>,
    is_closed: bool,
    /// Time until a closed limiter opens, in seconds.
    closed_for: Option<f64>,
    /// Estimated time until the queue is empty, in seconds.
    time_left: Option<f64>,
    /// Charged fraction of the fullest budget.
    budget: Option<f64>,
}

/// Selects the models to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The model `default`, else the first one.
    Default,
    /// One name, or several separated by commas.
    Named(String),
    All,
}

/// The content of the screen.
#[derive(Debug)]
pub(crate) enum View {
    /// There is nothing to draw yet, for the given reason.
    Waiting(String),
    Chart(Box<Chart>),
}

#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) figures: Vec<Figure>,
    /// The panels with their shares of the height. Offsets count from the first second of the log.
    pub(crate) graphs: Vec<(Graph, f64)>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// One figure of the status line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// `true` if it is to be highlighted.
    pub(crate) is_alarm: bool,
}

impl Run {
    /// Adds a row that was read at `now`. `is_new`: it has just been written, since the log was read to its end before.
    pub(super) fn add_row(&mut self, row: &Row<'_>, now: Duration, is_new: bool) {
        let second = Second::from_row(row);
        let last = Last {
            in_flight: Some(second.in_flight),
            // With the precision of the log, which `Second` reduces.
            rate: Some(row.rate).filter(|rate| rate.is_finite()),
            limit: row.limit,
            paused_for: row.paused_for,
            is_closed: row.closed.is_some(),
            closed_for: row.closed_for,
            time_left: row.time_left,
            budget: budgets::max_charged_fraction(&row.budgets),
            ..Last::counted(&second)
        };
        self.add_second(&row.model, second, last, now, is_new);
    }

    /// Adds a second of a log that contains counts alone.
    pub(super) fn add_counts(&mut self, name: &str, second: Second, now: Duration, is_new: bool) {
        self.add_second(name, second, Last::counted(&second), now, is_new);
    }

    fn add_second(&mut self, name: &str, second: Second, last: Last, now: Duration, is_new: bool) {
        let at = second.at;
        let (start, end) = self.seconds.unwrap_or((at, at));
        self.seconds = Some((start.min(at), end.max(at)));
        let written = Duration::from_secs(at.saturating_add(1));
        // Before the end of the log is reached, a row counts as recent by its own time.
        let recent = written <= now && now.saturating_sub(written) <= Duration::from_secs(MAX_IDLE_SECONDS);
        self.last_row_at = if is_new { Some(now) } else { recent.then_some(written) };
        if !self.models.contains_key(name) {
            self.first.get_or_insert_with(|| name.to_owned());
            self.models.insert(name.to_owned(), Model::default());
        }
        let model = self.models.get_mut(name).expect("it was just inserted");
        let [requested, _, _, finished, _] = second.counts;
        let refused = second.newly_refused(model.before.as_ref());
        model.before = Some(second);
        for (total, count) in model.totals.iter_mut().zip([requested, finished, refused]) {
            *total = total.saturating_add(count);
        }
        if at >= model.last.at {
            model.last = last;
        }
        // Rows that would be dropped are not inserted: in a log in reverse order that takes long.
        if !model.series.is_beyond_last(MAX_ROWS, at) {
            model.series.add(second);
            model.series.keep_last(MAX_ROWS);
        }
    }

    /// Returns the models in alphabetical order.
    pub(super) fn models(&self) -> impl Iterator<Item = &str> {
        self.models.keys().map(String::as_str)
    }

    /// Returns the selected models; `None` unless all of them have rows.
    pub(super) fn chosen<'a>(&'a self, selection: &'a Selection) -> Option<Vec<&'a str>> {
        match selection {
            Selection::All => Some(self.models().collect()).filter(|models: &Vec<_>| !models.is_empty()),
            Selection::Default if self.models.contains_key(DEFAULT) => Some(vec![DEFAULT]),
            Selection::Default => self.first.as_deref().map(|first| vec![first]),
            // A name may contain a comma.
            Selection::Named(names) if self.models.contains_key(names) => Some(vec![names]),
            Selection::Named(names) => {
                let names: Vec<_> = names.split(',').collect();
                names.iter().all(|name| self.models.contains_key(*name)).then_some(names)
            }
        }
    }

    /// Returns the view of the selected models at `now`, on a screen with room for `room` seconds.
    pub(super) fn view(&self, selection: &Selection, lines: &Lines, room: u64, now: Duration) -> View {
        let Some((start, end)) = self.seconds else {
            return View::Waiting("waiting for the first row".into());
        };
        let Some(chosen) = self.chosen(selection) else {
            let wanted = if let Selection::Named(names) = selection { names.as_str() } else { DEFAULT };
            let present: Vec<_> = self.models().map(|model| format!("{model:?}")).collect();
            return View::Waiting(format!("waiting for the model {wanted:?}; the log contains {}", present.join(", ")));
        };
        let end = end.saturating_add(self.idle_seconds(now).saturating_sub(1).min(MAX_IDLE_SECONDS)) - start;
        let room = WINDOW_SECONDS.into_iter().find(|room| *room > end).unwrap_or(room).min(room).max(2);
        let from = end.saturating_add(1).saturating_sub(room);
        let models: Vec<_> = chosen.iter().map(|name| (*name, &self.models[*name])).collect();
        let windows: Vec<_> =
            models.iter().map(|(_, model)| window(&model.series, start.saturating_add(from))).collect();
        let is_one = *selection != Selection::All && models.len() == 1;
        let (figures, course) = match models[..] {
            [(_, model)] if is_one => {
                let bins = Bins::of_length(windows[0].length(), MAX_ROWS as u64);
                (self.figures(model, now), Course::of_rows(&windows[0], lines, &bins))
            }
            _ => {
                let totals =
                    models.iter().zip(&windows).map(|((name, model), window)| (*name, window, model.totals[1]));
                (self.summed_figures(&models, now), Course::of_totals(&totals.collect::<Vec<_>>(), MAX_ROWS as u64))
            }
        };
        let offset = course.start.unwrap_or(start) - start;
        let mut graphs = course.graphs();
        for (graph, _) in &mut graphs {
            for curve in &mut graph.curves {
                let letter = if is_one { curve.letter } else { 'f' };
                extend_to(curve, letter, offset, end);
                clip(curve, from);
            }
            let spans = graph.pauses.iter_mut().chain(&mut graph.closed);
            spans.for_each(|(from, to)| (*from, *to) = (*from + offset, *to + offset));
            // A closed limiter without calls has no rows.
            if let ([(_, model)], Some((_, to))) = (&models[..], graph.closed.last_mut())
                && self.is_closed(model, now)
            {
                *to = end.max(*to);
            }
            graph.caption = time_axis::caption(Some(start));
        }
        View::Chart(Box::new(Chart { figures, graphs, from, to: from.saturating_add(room - 1) }))
    }

    /// Returns the whole seconds for which there was no row.
    pub(super) fn seconds_without_row(&self, now: Duration) -> u64 {
        let end = self.seconds.map_or(0, |(_, end)| end);
        match self.last_row_at {
            Some(_) => self.idle_seconds(now),
            None => now.as_secs().saturating_sub(end.saturating_add(1)),
        }
    }

    /// Returns the whole seconds since the last row was read.
    fn idle_seconds(&self, now: Duration) -> u64 {
        self.last_row_at.map_or(0, |came| now.saturating_sub(came).as_secs())
    }

    /// Returns the seconds since the last row of a model was written.
    fn age(&self, model: &Model, now: Duration) -> f64 {
        let since = self.last_row_at.map_or(0.0, |came| now.saturating_sub(came).as_secs_f64());
        let end = self.seconds.map_or(0, |(_, end)| end);
        since + Duration::from_secs(end.saturating_sub(model.last.at)).as_secs_f64()
    }

    /// Returns `true` if other models have later rows than this one, so that nothing of it is queued.
    fn is_idle(&self, model: &Model) -> bool {
        self.seconds.is_some_and(|(_, end)| end > model.last.at.saturating_add(1))
    }

    fn queued(&self, model: &Model) -> u64 {
        if self.is_idle(model) { 0 } else { model.last.queued }
    }

    fn is_paused(&self, model: &Model) -> bool {
        model.last.is_paused && !self.is_idle(model)
    }

    /// Returns `true` if the limiter of a model is closed. Without calls it has no rows, and stays closed until it opens.
    fn is_closed(&self, model: &Model, now: Duration) -> bool {
        let is_due = match model.last.closed_for {
            Some(seconds) => seconds <= self.age(model, now),
            None => self.is_idle(model),
        };
        model.last.is_closed && !is_due
    }
}

impl Last {
    fn counted(second: &Second) -> Self {
        let known = |rate: f32| Some(f64::from(rate)).filter(|rate| rate.is_finite());
        Self {
            at: second.at,
            queued: second.queued(),
            rate: known(second.rate),
            limit: known(second.limit),
            is_paused: second.is_paused(),
            ..Self::default()
        }
    }
}

/// Returns the seconds from `from` on, and the last one before. That is moved to just before `from` if it is earlier, since the
/// seconds between are empty.
fn window(series: &Series, from: u64) -> Series {
    let seconds = series.seconds();
    let inside = seconds.partition_point(|second| second.at < from);
    let before = inside.checked_sub(1).map(|last| &seconds[last]).map(|last| {
        if last.at + 1 == from || inside == seconds.len() {
            return *last;
        }
        let (in_flight, has_details, limit) = (last.in_flight, last.has_details, last.limit);
        Second { in_flight, has_details, limit, closed: last.closed, ..Second::from_counts(from - 1, [0; 5]) }
    });
    before.into_iter().chain(seconds[inside..].iter().copied()).collect()
}

/// Moves a curve by `offset` and extends it to `end` like a gap between rows: counts are zero, and calls stay in flight.
fn extend_to(curve: &mut Curve, letter: char, offset: u64, end: u64) {
    curve.corners.iter_mut().for_each(|(at, _)| *at += offset);
    let Some((last, height)) = curve.corners.last().copied().filter(|(last, _)| *last < end) else { return };
    match letter {
        'r' | 'i' | 'f' | 'o' | 't' | 'u' => curve.corners.extend([(last + 1, 0.0), (end, 0.0)]),
        // A limit keeps its value.
        'n' | '-' => curve.corners.push((end, height)),
        _ => {}
    }
}

/// Removes the part of a curve before `from`.
#[allow(clippy::cast_precision_loss)]
fn clip(curve: &mut Curve, from: u64) {
    let corners = &mut curve.corners;
    let inside = corners.partition_point(|(at, _)| *at < from);
    let Some((last, _)) = inside.checked_sub(1).map(|last| corners[last]) else { return };
    let edge = corners.get(inside).filter(|(next, _)| *next > from).map(|(next, height)| {
        let part = (from - last) as f64 / (next - last) as f64;
        (from, corners[inside - 1].1 * (1.0 - part) + height * part)
    });
    let edge = edge.filter(|(_, height)| height.is_finite());
    corners.drain(..inside);
    if let Some(edge) = edge {
        corners.insert(0, edge);
    }
}

#[cfg(test)]
mod tests;
