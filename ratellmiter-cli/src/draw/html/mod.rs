//! Renders a log as a self-contained page, without network access or other files.
//!
//! The fixed parts are `page.html`, `page.css` and the scripts; this module adds the data. Long logs are thinned to cells: a cell
//! covers several seconds and keeps the mean, the smallest and the largest value of each line. The scripts divide what is visible
//! into steps and panels as in the pictures, since both depend on the zoom.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    draw::{
        course::{self, Bins, Event, Level, Mark, Span},
        theme::Theme,
    },
    names::{self, printable},
    series::{Axis, LINES, Line, Lines, Second, Series},
    summary::Summary,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = concat!(include_str!("page.css"), include_str!("page/chart.css"));
const SCRIPT: &str = concat!(
    include_str!("page.js"),
    include_str!("page/log.js"),
    include_str!("page/steps.js"),
    include_str!("page/chart.js"),
    include_str!("page/model.js"),
    include_str!("page/input.js"),
);

/// Number of seconds or rows up to which a log is not thinned, and the approximate number of cells of a thinned log.
const MAX_CELLS: u64 = 4000;

/// The content of a page.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// Name of the log.
    pub(crate) log: &'a str,
    pub(crate) models: &'a [(&'a str, &'a Series)],
    /// Summaries of `models`, in the same order.
    pub(crate) summaries: &'a [Summary],
    /// Index of the model that is shown first.
    pub(crate) shown: usize,
    /// Lines that are shown first.
    pub(crate) lines: &'a Lines,
    pub(crate) theme: Theme,
}

pub(crate) fn page(page: &Page<'_>) -> String {
    let theme = match page.theme {
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    // The data is inserted last, since a name in it may look like a placeholder.
    let fixed = PAGE.replace("{{theme}}", theme).replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    fixed.replace("{{data}}", &embedded(&Data::of(page)))
}

/// Returns JSON that cannot end the script element, whatever names it contains.
fn embedded(data: &Data<'_>) -> String {
    let json = serde_json::to_string(data).expect("text, numbers, and letters for keys");
    names::json(&json.replace('<', "\\u003c"))
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    log: String,
    shown: usize,
    /// Letters of the lines that are shown first.
    on: &'a str,
    /// Lines in drawing order, without those of tokens if no model has any.
    lines: Vec<Style>,
    models: Vec<Model<'a>>,
}

#[derive(Debug, Serialize)]
struct Style {
    letter: char,
    /// `true` for lines of the lower panel.
    queue: bool,
    name: &'static str,
    light: String,
    dark: String,
    width: u32,
    axis: &'static str,
}

#[derive(Debug, Serialize)]
struct Model<'a> {
    name: String,
    summary: &'a Summary,
    /// Names of lines, by letter, that differ from the names in other models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<char, &'static str>,
    /// Letters of the lines that are in the lower panel, unless they are so for each log.
    #[serde(skip_serializing_if = "String::is_empty")]
    queue: String,
    /// First second, since the epoch.
    start: u64,
    /// Number of seconds from the first to the last.
    length: u64,
    /// Seconds per cell; 1 if the log was not thinned.
    stretch: u64,
    /// Number of cells.
    cells: usize,
    /// Length of each cell in seconds. Cells in gaps may be longer than `stretch`.
    seconds: Column<u64>,
    /// Columns of each line: mean, smallest and largest value. The mean alone if all three are equal.
    heights: Vec<Vec<Column<Option<Number>>>>,
    /// Seconds of the unit of rates: 1, or 60 for a slow model.
    per: u64,
    /// Offsets of the first and last second of each pause, and its cause.
    pauses: Vec<Shade>,
    /// Offsets of the first and last second of each span in which the limiter was closed, and the reason.
    closed: Vec<Shade>,
    /// Offsets of the first and last second of each configured limit, and its calls per second.
    limit: Vec<(u64, u64, Number)>,
    /// As `limit`, for the adapted limit where it differs.
    adapted: Vec<(u64, u64, Number)>,
    /// Offsets and numbers of the events of each kind, in the order of [`Mark::ALL`].
    events: [Vec<(u64, u64)>; Mark::ALL.len()],
}

/// Offsets of the first and last second of a shaded span, and its cause; empty for several spans that are joined. A span that begins
/// or ends within a second has a fraction.
type Shade = (Number, Number, &'static str);

/// One value per cell, or one for all cells.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Column<T> {
    All(T),
    Each(Vec<T>),
}

/// A number that serializes to few characters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u64),
    Short(f32),
    Long(f64),
}

impl Data<'_> {
    fn of<'a>(page: &Page<'a>) -> Data<'a> {
        let color = |(red, green, blue): (u8, u8, u8)| format!("rgb({red}, {green}, {blue})");
        let has_tokens = page.models.iter().any(|(_, series)| series.has_tokens());
        let is_known = |line: &Line| line.axis != Axis::Tokens || has_tokens;
        // What differs between the models is in the model.
        let unknown = Series::default();
        let common = match page.models {
            [(_, first), ..] if page.models.iter().all(|(_, series)| series.has_refused_queue()) => *first,
            _ => &unknown,
        };
        let style = |line: &Line| Style {
            letter: line.letter,
            queue: course::is_of_queue(line, common),
            name: common.name_of(line),
            light: color(line.color.light),
            dark: color(line.color.dark),
            width: line.width,
            axis: match line.axis {
                Axis::Calls => "calls",
                Axis::Seconds => "seconds",
                Axis::Tokens => "tokens",
            },
        };
        let models = page.models.iter().zip(page.summaries);
        Data {
            log: printable(page.log),
            shown: page.shown,
            on: page.lines.letters(),
            lines: LINES.iter().filter(|line| is_known(line)).map(style).collect(),
            models: models.map(|((name, series), summary)| Model::of(name, series, summary, is_known)).collect(),
        }
    }
}

impl<'a> Model<'a> {
    fn of(name: &str, series: &Series, summary: &'a Summary, is_known: impl Fn(&Line) -> bool) -> Self {
        let length = series.length();
        let short = length.min(series.seconds().len() as u64) <= MAX_CELLS;
        let stretch = if short { 1 } else { length.div_ceil(MAX_CELLS) };
        let cells = cells(series, stretch);
        Self {
            name: printable(name),
            summary,
            names: LINES
                .iter()
                .map(|line| (line, series.name_of(line)))
                .filter(|(line, name)| *name != line.name)
                .map(|(line, name)| (line.letter, name))
                .collect(),
            queue: LINES
                .iter()
                .filter(|line| course::is_of_queue(line, series) && !course::is_of_queue(line, &Series::default()))
                .map(|line| line.letter)
                .collect(),
            start: series.start(),
            length,
            stretch,
            cells: cells.len(),
            seconds: Column::of(cells.iter().map(|cell| cell.seconds)),
            heights: (0..LINES.len())
                .filter(|line| is_known(&LINES[*line]))
                .map(|line| columns(&cells, line))
                .collect(),
            per: Bins::of(series, MAX_CELLS).per(),
            pauses: shades(&course::pauses(series), stretch),
            closed: shades(&course::closed(series), stretch),
            limit: levels(&course::limits(series, 1)),
            adapted: levels(&course::adapted_limits(series, 1)),
            events: Mark::ALL.map(|mark| counts(&course::events(series), mark, stretch)),
        }
    }
}

fn columns(cells: &[Cell], line: usize) -> Vec<Column<Option<Number>>> {
    let column = |of: fn(&Heights) -> f64| Column::of(cells.iter().map(|cell| Number::of(of(&cell.heights[line]))));
    let mean = column(Heights::mean);
    if cells.iter().all(|cell| cell.heights[line].is_flat()) {
        return vec![mean];
    }
    vec![mean, column(|heights| heights.min), column(|heights| heights.max)]
}

impl<T: PartialEq> Column<T> {
    fn of(values: impl Iterator<Item = T>) -> Self {
        let mut values: Vec<T> = values.collect();
        match values.pop() {
            Some(last) if values.iter().all(|value| *value == last) => Self::All(last),
            last => {
                values.extend(last);
                Self::Each(values)
            }
        }
    }
}

impl Number {
    /// Converts a value; `None` if it is not finite.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)] // Checked, or exact on purpose.
    fn of(value: f64) -> Option<Self> {
        let short = value as f32;
        match value {
            _ if !value.is_finite() => None,
            // The upper end is `u64::MAX + 1` and saturates.
            0.0..=18_446_744_073_709_551_616.0 if value.fract() == 0.0 => Some(Self::Whole(value as u64)),
            _ if f64::from(short) == value => Some(Self::Short(short)),
            _ => Some(Self::Long(value)),
        }
    }
}

/// Consecutive seconds that are shown as one: a second, `stretch` seconds, or a gap.
#[derive(Debug, Clone, Copy)]
struct Cell {
    seconds: u64,
    heights: [Heights; LINES.len()],
}

/// Values of one line in a cell; NaN if unknown.
#[derive(Debug, Clone, Copy)]
struct Heights {
    min: f64,
    max: f64,
    /// Sum over the seconds in which the value is known.
    sum: f64,
    /// Number of these seconds.
    known: f64,
}

impl Heights {
    fn of(height: f64, seconds: f64) -> Self {
        Self { min: height, max: height, sum: height * seconds, known: seconds }
    }

    fn add(&mut self, height: f64, seconds: f64) {
        if height.is_nan() {
            return;
        }
        if self.min.is_nan() {
            *self = Self::of(height, seconds);
            return;
        }
        (self.min, self.max) = (self.min.min(height), self.max.max(height));
        (self.sum, self.known) = (self.sum + height * seconds, self.known + seconds);
    }

    /// Returns the mean to three decimals, or the value itself if it is the same in the whole cell.
    #[allow(clippy::cast_possible_truncation)] // Precise enough for a chart.
    fn mean(&self) -> f64 {
        if self.is_flat() { self.min } else { f64::from((self.sum / self.known * 1000.0).round() as f32 / 1000.0) }
    }

    #[allow(clippy::float_cmp)]
    fn is_flat(&self) -> bool {
        self.min.is_nan() || self.min == self.max
    }
}

fn cells(series: &Series, stretch: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut before: Option<&Second> = None;
    for second in series.seconds() {
        if let Some(last) = before.replace(second).filter(|last| last.at + 1 < second.at) {
            let gap = LINES.map(|line| series.value_in_gap(last, line.letter).unwrap_or(f64::NAN));
            add(&mut cells, stretch, last.at + 1 - series.start(), second.at - last.at - 1, gap);
        }
        add(&mut cells, stretch, second.at - series.start(), 1, heights(series, second));
    }
    cells
}

fn heights(series: &Series, second: &Second) -> [f64; LINES.len()] {
    LINES.map(|line| series.value(second, line.letter).unwrap_or(f64::NAN))
}

/// Adds `seconds` equal seconds from `offset` on. Must be called in order of time.
fn add(cells: &mut Vec<Cell>, stretch: u64, mut offset: u64, mut seconds: u64, heights: [f64; LINES.len()]) {
    while seconds > 0 {
        let position = offset % stretch;
        let mut taken = seconds.min(stretch - position);
        match cells.last_mut() {
            Some(cell) if position > 0 => {
                cell.seconds += taken;
                cell.heights.iter_mut().zip(heights).for_each(|(all, height)| all.add(height, float(taken)));
            }
            _ => {
                // Equal seconds that fill several cells become one longer cell.
                taken = taken.max(seconds - seconds % stretch);
                cells.push(Cell { seconds: taken, heights: heights.map(|height| Heights::of(height, float(taken))) });
            }
        }
        // Saturates only at the last possible second.
        (offset, seconds) = (offset.saturating_add(taken), seconds - taken);
    }
}

#[allow(clippy::cast_precision_loss)]
fn float(seconds: u64) -> f64 {
    seconds as f64
}

/// Returns spans with their causes. Spans that touch the same cell are joined.
fn shades(spans: &[Span], stretch: u64) -> Vec<Shade> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.to / stretch == span.from / stretch => {
                (last.to, last.around_ms[1], last.cause) = (span.to, span.around_ms[1], "");
            }
            _ => joined.push(span.clone()),
        }
    }
    let number = |offset: u64, end: f64, part: u32| if part == 0 { Number::Whole(offset) } else { Number::Long(end) };
    let shade = |span: Span| {
        let ((from, to), [before, after]) = (span.ends(), span.around_ms);
        (number(span.from, from, before), number(span.to, to, after), span.cause)
    };
    joined.into_iter().map(shade).collect()
}

fn levels(levels: &[Level]) -> Vec<(u64, u64, Number)> {
    levels.iter().filter_map(|level| Some((level.from, level.to, Number::of(level.value)?))).collect()
}

/// Returns offsets and numbers of the events of one kind. Events in the same cell are summed.
fn counts(events: &[Event], mark: Mark, stretch: u64) -> Vec<(u64, u64)> {
    let mut counts: Vec<(u64, u64)> = Vec::new();
    for event in events.iter().filter(|event| event.mark == mark) {
        match counts.last_mut() {
            Some((at, count)) if *at / stretch == event.at / stretch => *count = count.saturating_add(event.count),
            _ => counts.push((event.at, event.count)),
        }
    }
    counts
}

#[cfg(test)]
mod tests;
