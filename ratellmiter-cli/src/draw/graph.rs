//! The content of a chart, independent of its rendering: curves over time, pauses, and spans in which the limiter was closed.

use crate::{
    draw::time_axis,
    names,
    series::{Axis, Color, Lines, MODEL_COLORS, Series, processes::Processes},
    words::printable,
};

#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) title: String,
    /// Title of the left axis.
    pub(crate) unit: String,
    /// Title of the time axis.
    pub(crate) caption: String,
    /// Value at the upper edge of the axis of calls, if it is not the largest one.
    pub(crate) top: Option<f64>,
    /// Offset of the last second.
    pub(crate) last: u64,
    pub(crate) curves: Vec<Curve>,
    /// Offsets of the first and last second of each pause.
    pub(crate) pauses: Vec<(u64, u64)>,
    /// Offsets of the first and last second of each span in which the limiter was closed.
    pub(crate) closed: Vec<(u64, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// Character of the curve in a terminal without colors.
    #[cfg(feature = "terminal")]
    pub(crate) letter: char,
    pub(crate) color: Color,
    pub(crate) width: u32,
    pub(crate) axis: Axis,
    /// `true` for the other run of a comparison, and for models beyond the number of colors.
    pub(crate) is_pale: bool,
    pub(crate) corners: Vec<(u64, f64)>,
}

/// Name of the shade of a closed limiter in legends.
pub(crate) const CLOSED: &str = "closed";

impl Graph {
    /// Returns the lines of one model, thinned to `columns` columns.
    pub(crate) fn of_model(model: &str, series: &Series, lines: &Lines, columns: u32) -> Self {
        let title = format!("Request Flow for {}{}", names::of_model(model), with_processes(Processes::of(series)));
        let mut graph = Self::titled(&title, series.length(), Some(series.start()));
        graph.add(series, lines, columns, "", false);
        graph.shade(series);
        graph
    }

    /// Returns the finished calls of several models, thinned to `columns` columns.
    pub(crate) fn of_models(models: &[(&str, &Series)], columns: u32) -> Self {
        let start = models.iter().map(|(_, series)| series.start()).min().unwrap_or(0);
        let end = models.iter().map(|(_, series)| series.start().saturating_add(series.length())).max().unwrap_or(0);
        // The title names the processes of the most widely shared model.
        let processes = models.iter().filter_map(|(_, series)| Processes::of(series)).max_by_key(|all| all.members);
        let mut graph =
            Self::titled(&format!("Finished Calls by Model{}", with_processes(processes)), end - start, Some(start));
        for (index, (model, series)) in models.iter().enumerate() {
            let total = series.seconds().iter().fold(0_u64, |sum, second| sum.saturating_add(second.finished()));
            graph.curves.push(Curve {
                name: format!("{}: {total}", names::of_model(model)),
                #[cfg(feature = "terminal")]
                letter: ('a'..='z').chain('A'..='Z').nth(index).unwrap_or('*'),
                color: MODEL_COLORS[index % MODEL_COLORS.len()],
                width: 4,
                axis: Axis::Calls,
                is_pale: index / MODEL_COLORS.len() % 2 == 1,
                corners: thinned(series.corners('f'), start, graph.last, columns),
            });
        }
        graph
    }

    /// Returns the lines of two runs of one model, aligned at their starts. `names` are the names of their logs.
    pub(crate) fn of_runs(model: &str, runs: [&Series; 2], names: [&str; 2], lines: &Lines, columns: u32) -> Self {
        let [this, other] = runs;
        let mut graph = Self::titled(
            &format!("Request Flow for {}: {} and {} (pale)", names::of_model(model), names[0], names[1]),
            this.length().max(other.length()),
            None,
        );
        graph.add(other, lines, columns, " (other)", true);
        graph.add(this, lines, columns, "", false);
        graph.shade(this);
        graph
    }

    fn shade(&mut self, series: &Series) {
        let offset = |(from, to)| (from - series.start(), to - series.start());
        self.pauses = series.pauses().into_iter().map(offset).collect();
        self.closed = series.closed_spans().iter().map(|span| offset((span.from, span.to))).collect();
    }

    fn titled(title: &str, length: u64, start: Option<u64>) -> Self {
        Self {
            title: printable(title),
            unit: "Number of requests".into(),
            caption: time_axis::caption(start),
            top: None,
            last: length.saturating_sub(1),
            curves: Vec::new(),
            pauses: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn add(&mut self, series: &Series, lines: &Lines, columns: u32, suffix: &str, pale: bool) {
        for line in lines.iter() {
            self.curves.push(Curve {
                name: format!("{}{suffix}", series.name_of(line)),
                #[cfg(feature = "terminal")]
                letter: if pale { line.letter.to_ascii_uppercase() } else { line.letter },
                color: line.color,
                width: line.width,
                axis: line.axis,
                is_pale: pale,
                corners: thinned(series.corners(line.letter), series.start(), self.last, columns),
            });
        }
    }

    /// Returns the largest value on an axis; `None` if it has no curves.
    pub(crate) fn largest(&self, axis: Axis) -> Option<f64> {
        let curves = self.curves.iter().filter(|curve| curve.axis == axis);
        let top = self.top.filter(|_| axis == Axis::Calls);
        top.into_iter()
            .chain(curves.map(|curve| curve.corners.iter().map(|(_, height)| *height).fold(0.0, f64::max)))
            .reduce(f64::max)
    }
}

/// Returns the processes of a run as the end of a title, or nothing.
fn with_processes(processes: Option<Processes>) -> String {
    processes.and_then(Processes::title).map_or_else(String::new, |processes| format!(": {processes}"))
}

/// Converts times to offsets from `start`, and keeps the first, smallest, largest and last corner of each column.
fn thinned(corners: impl Iterator<Item = (u64, f64)>, start: u64, last: u64, columns: u32) -> Vec<(u64, f64)> {
    let column = |offset: u64| u128::from(offset) * u128::from(columns) / u128::from(last.max(1));
    let mut corners = corners.map(|(at, height)| (at - start, height)).peekable();
    let mut kept = Vec::new();
    while let Some(first) = corners.next() {
        let (mut low, mut high, mut end) = (first, first, first);
        while let Some(next) = corners.next_if(|(offset, _)| column(*offset) == column(first.0)) {
            if next.1 < low.1 {
                low = next;
            }
            if next.1 > high.1 {
                high = next;
            }
            end = next;
        }
        let (one, other) = if low.0 <= high.0 { (low, high) } else { (high, low) };
        for corner in [first, one, other, end] {
            if kept.last() != Some(&corner) {
                kept.push(corner);
            }
        }
    }
    kept
}

/// Returns the smallest of 1, 2, 5, 10, 20, ... and their decimal fractions that divides `length` into at most `max_steps` steps.
pub(crate) fn step(length: f64, max_steps: u32) -> f64 {
    let raw = (length / f64::from(max_steps)).max(1e-3);
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| power * factor >= raw * (1.0 - 1e-9));
    power * factor.unwrap_or(10.0)
}

/// Formats a number. From a million on it is abbreviated; below, it has the decimals that ticks at distance `step` need.
pub(crate) fn abbreviated(value: f64, step: f64) -> String {
    for (unit, letter) in [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")] {
        if value >= unit {
            let value = (value / unit * 10.0).round() / 10.0;
            return format!("{value}{letter}");
        }
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and 3.
    let decimals = (-step.log10().floor()).clamp(0.0, 3.0) as usize;
    format!("{value:.decimals$}")
}

/// Formats the label of a tick. Tokens are abbreviated to thousands.
pub(crate) fn tick(axis: Axis, value: f64, step: f64) -> String {
    match axis {
        Axis::Tokens if (1e3..1e6).contains(&value) => format!("{}k", (value / 100.0).round() / 10.0),
        _ => abbreviated(value, step),
    }
}

#[cfg(test)]
mod tests;
