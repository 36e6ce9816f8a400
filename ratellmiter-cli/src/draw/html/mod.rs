//! A page of a log that needs nothing else: no network, no other file.
//!
//! What is fixed about it is in `html/`; what is in here is the data that goes with it. Long logs are thinned: a stretch of
//! seconds keeps its first and last height of each line, its least and its most.

use serde::Serialize;

use crate::{
    draw::theme::Theme,
    series::{Axis, LINES, Line, Lines, Second, Series},
    summary::Summary,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// So many seconds, or rows, are kept as they are; more are thinned to so many stretches.
const STRETCHES: u64 = 4000;

/// What is on the page.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    /// The log's name.
    pub(crate) log: &'a str,
    pub(crate) models: &'a [(&'a str, &'a Series)],
    /// One for each of the models.
    pub(crate) summaries: &'a [Summary],
    /// Which of the models is shown first.
    pub(crate) shown: usize,
    /// The lines that are switched on.
    pub(crate) lines: &'a Lines,
    pub(crate) theme: Theme,
}

pub(crate) fn page(page: &Page<'_>) -> String {
    let theme = match page.theme {
        Theme::Light => "light",
        Theme::Dark => "dark",
    };
    // The data last: a name in it may look like a place to fill in.
    let fixed = PAGE.replace("{{theme}}", theme).replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    fixed.replace("{{data}}", &embedded(&Data::of(page)))
}

/// JSON that ends no script, whatever the names in it are.
fn embedded(data: &Data<'_>) -> String {
    let json = serde_json::to_string(data).expect("text, numbers, and letters for keys");
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    log: &'a str,
    shown: usize,
    /// The letters of the lines that are switched on.
    on: &'a str,
    /// In the order of drawing. Those of tokens only where any model tells of some.
    lines: Vec<Drawn>,
    models: Vec<Model<'a>>,
}

#[derive(Debug, Serialize)]
struct Drawn {
    letter: char,
    name: &'static str,
    light: String,
    dark: String,
    width: u32,
    axis: &'static str,
}

#[derive(Debug, Serialize)]
struct Model<'a> {
    name: &'a str,
    summary: &'a Summary,
    /// The first second since the epoch, and how many there are.
    start: u64,
    length: u64,
    /// How many seconds a stretch is long; 1 if nothing was thinned.
    stretch: u64,
    /// How many cells there are, and how many seconds each is long.
    cells: usize,
    seconds: Column<u64>,
    /// Of each line, in their order: first height, least, most, last; the first alone if they are the same throughout.
    heights: Vec<Vec<Column<Option<Number>>>>,
    /// The first and the last second's offset.
    pauses: Vec<(u64, u64)>,
}

/// What each cell has, or all of them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Column<T> {
    All(T),
    Each(Vec<T>),
}

/// A number in as few letters as it takes.
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
        let tells_tokens = page.models.iter().any(|(_, series)| series.tells_tokens());
        let told = |line: &Line| line.axis != Axis::Tokens || tells_tokens;
        let drawn = |line: &Line| Drawn {
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
            log: page.log,
            shown: page.shown,
            on: page.lines.letters(),
            lines: LINES.iter().filter(|line| told(line)).map(drawn).collect(),
            models: models.map(|((name, series), summary)| Model::of(name, series, summary, told)).collect(),
        }
    }
}

impl<'a> Model<'a> {
    fn of(name: &'a str, series: &Series, summary: &'a Summary, told: impl Fn(&Line) -> bool) -> Self {
        let length = series.length();
        let short = length.min(series.seconds().len() as u64) <= STRETCHES;
        let stretch = if short { 1 } else { length.div_ceil(STRETCHES) };
        let cells = cells(series, stretch);
        Self {
            name,
            summary,
            start: series.start(),
            length,
            stretch,
            cells: cells.len(),
            seconds: Column::of(cells.iter().map(|cell| cell.seconds)),
            heights: (0..LINES.len()).filter(|line| told(&LINES[*line])).map(|line| columns(&cells, line)).collect(),
            pauses: pauses(series, stretch),
        }
    }
}

fn columns(cells: &[Cell], line: usize) -> Vec<Column<Option<Number>>> {
    let column = |of: fn(&Heights) -> f64| Column::of(cells.iter().map(|cell| Number::of(of(&cell.heights[line]))));
    let first = column(|heights| heights.first);
    if cells.iter().all(|cell| cell.heights[line].is_flat()) {
        return vec![first];
    }
    vec![first, column(|heights| heights.least), column(|heights| heights.most), column(|heights| heights.last)]
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
    /// `None` for what is not known.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)] // Checked, or meant so.
    fn of(value: f64) -> Option<Self> {
        let short = value as f32;
        match value {
            _ if !value.is_finite() => None,
            // The largest of all is a little too large, and becomes the largest that fits.
            0.0..=18_446_744_073_709_551_616.0 if value.fract() == 0.0 => Some(Self::Whole(value as u64)),
            _ if f64::from(short) == value => Some(Self::Short(short)),
            _ => Some(Self::Long(value)),
        }
    }
}

/// Seconds in a row that are told as one: a second, a stretch, or a time in which nothing changed.
#[derive(Debug, Clone, Copy)]
struct Cell {
    seconds: u64,
    heights: [Heights; LINES.len()],
}

/// Of one line; NaN where nobody knows.
#[derive(Debug, Clone, Copy)]
struct Heights {
    first: f64,
    least: f64,
    most: f64,
    last: f64,
}

impl Heights {
    fn of(height: f64) -> Self {
        Self { first: height, least: height, most: height, last: height }
    }

    fn add(&mut self, height: f64) {
        if height.is_nan() {
            return;
        }
        if self.first.is_nan() {
            *self = Self::of(height);
        }
        (self.least, self.most, self.last) = (self.least.min(height), self.most.max(height), height);
    }

    #[allow(clippy::float_cmp)]
    fn is_flat(&self) -> bool {
        self.first.is_nan() || (self.least == self.most)
    }
}

fn cells(series: &Series, stretch: u64) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut before: Option<&Second> = None;
    for second in series.seconds() {
        if let Some(last) = before.replace(second).filter(|last| last.at + 1 < second.at) {
            // Nothing is counted there, calls in flight stay out, and of the others nothing is known.
            let (in_flight, measured) = (last.in_flight, last.measured);
            let nothing = Second { in_flight, measured, ..Second::counted(last.at + 1, [0; 5]) };
            add(&mut cells, stretch, nothing.at - series.start(), second.at - nothing.at, heights(series, &nothing));
        }
        add(&mut cells, stretch, second.at - series.start(), 1, heights(series, second));
    }
    cells
}

fn heights(series: &Series, second: &Second) -> [f64; LINES.len()] {
    LINES.map(|line| series.value(second, line.letter).unwrap_or(f64::NAN))
}

/// Adds so many seconds that are all alike. They come in order.
fn add(cells: &mut Vec<Cell>, stretch: u64, mut offset: u64, mut seconds: u64, heights: [f64; LINES.len()]) {
    while seconds > 0 {
        let place = offset % stretch;
        let mut taken = seconds.min(stretch - place);
        match cells.last_mut() {
            Some(cell) if place > 0 => {
                cell.seconds += taken;
                cell.heights.iter_mut().zip(heights).for_each(|(all, height)| all.add(height));
            }
            _ => {
                // Whole stretches become one cell.
                taken = taken.max(seconds - seconds % stretch);
                cells.push(Cell { seconds: taken, heights: heights.map(Heights::of) });
            }
        }
        // There is nothing after the last second of all.
        (offset, seconds) = (offset.saturating_add(taken), seconds - taken);
    }
}

/// As offsets. Those that share a stretch become one.
fn pauses(series: &Series, stretch: u64) -> Vec<(u64, u64)> {
    let mut pauses: Vec<(u64, u64)> = Vec::new();
    for (from, to) in series.pauses() {
        let (from, to) = (from - series.start(), to - series.start());
        match pauses.last_mut() {
            Some((_, last)) if *last / stretch == from / stretch => *last = to,
            _ => pauses.push((from, to)),
        }
    }
    pauses
}

#[cfg(test)]
mod tests;
