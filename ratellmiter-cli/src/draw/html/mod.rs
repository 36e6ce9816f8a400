//! Renders a log as a self-contained page, without network access or other files.
//!
//! The fixed parts are `page.html`, `page.css` and `page.js`; this module adds the data. Long logs are thinned to cells: a cell
//! covers several seconds and keeps the first, smallest, largest and last value of each line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    draw::theme::Theme,
    names::{self, printable},
    series::{Axis, LINES, Line, Lines, Second, Series},
    summary::Summary,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

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
    /// Names of lines, by letter, that differ from those of other models.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    names: BTreeMap<char, &'static str>,
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
    /// Columns of each line: first, smallest, largest and last value. The first alone if all four are equal.
    heights: Vec<Vec<Column<Option<Number>>>>,
    /// Offsets of the first and last second of each pause.
    pauses: Vec<(u64, u64)>,
    /// Offsets of the first and last second of each span in which the limiter was closed.
    closed: Vec<(u64, u64)>,
}

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
        let style = |line: &Line| Style {
            letter: line.letter,
            name: line.name,
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
            start: series.start(),
            length,
            stretch,
            cells: cells.len(),
            seconds: Column::of(cells.iter().map(|cell| cell.seconds)),
            heights: (0..LINES.len())
                .filter(|line| is_known(&LINES[*line]))
                .map(|line| columns(&cells, line))
                .collect(),
            pauses: offsets(series.pauses().into_iter(), series.start(), stretch),
            closed: offsets(series.closed_spans().iter().map(|span| (span.from, span.to)), series.start(), stretch),
        }
    }
}

fn columns(cells: &[Cell], line: usize) -> Vec<Column<Option<Number>>> {
    let column = |of: fn(&Heights) -> f64| Column::of(cells.iter().map(|cell| Number::of(of(&cell.heights[line]))));
    let first = column(|heights| heights.first);
    if cells.iter().all(|cell| cell.heights[line].is_flat()) {
        return vec![first];
    }
    vec![first, column(|heights| heights.min), column(|heights| heights.max), column(|heights| heights.last)]
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
    first: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Heights {
    fn of(height: f64) -> Self {
        Self { first: height, min: height, max: height, last: height }
    }

    fn add(&mut self, height: f64) {
        if height.is_nan() {
            return;
        }
        if self.first.is_nan() {
            *self = Self::of(height);
        }
        (self.min, self.max, self.last) = (self.min.min(height), self.max.max(height), height);
    }

    #[allow(clippy::float_cmp)]
    fn is_flat(&self) -> bool {
        self.first.is_nan() || (self.min == self.max)
    }
}

fn cells(series: &Series, stretch: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut before: Option<&Second> = None;
    for second in series.seconds() {
        if let Some(last) = before.replace(second).filter(|last| last.at + 1 < second.at) {
            // In a gap counts are zero, calls stay in flight, and other values are unknown.
            let (in_flight, has_details) = (last.in_flight, last.has_details);
            let gap = Second { in_flight, has_details, ..Second::from_counts(last.at + 1, [0; 5]) };
            add(&mut cells, stretch, gap.at - series.start(), second.at - gap.at, heights(series, &gap));
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
                cell.heights.iter_mut().zip(heights).for_each(|(all, height)| all.add(height));
            }
            _ => {
                // Equal seconds that fill several cells become one longer cell.
                taken = taken.max(seconds - seconds % stretch);
                cells.push(Cell { seconds: taken, heights: heights.map(Heights::of) });
            }
        }
        // Saturates only at the last possible second.
        (offset, seconds) = (offset.saturating_add(taken), seconds - taken);
    }
}

/// Returns spans as offsets from `start`. Spans that touch the same cell are joined.
fn offsets(spans: impl Iterator<Item = (u64, u64)>, start: u64, stretch: u64) -> Vec<(u64, u64)> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans.map(|(from, to)| (from - start, to - start)) {
        match joined.last_mut() {
            Some((_, last)) if *last / stretch == from / stretch => *last = to,
            _ => joined.push((from, to)),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
