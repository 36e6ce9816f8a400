//! What is to be drawn, whatever it is drawn with: curves over seconds, and stretches of pauses.

use crate::{
    output::printable,
    series::{Axis, Color, Lines, Series, processes::Processes},
};

#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) title: String,
    /// What is on the left axis.
    pub(crate) unit: &'static str,
    /// The last second's offset.
    pub(crate) last: u64,
    pub(crate) curves: Vec<Curve>,
    /// First and last second's offset of each pause.
    pub(crate) pauses: Vec<(u64, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: String,
    /// What it is written in where there are no colors.
    pub(crate) letter: char,
    pub(crate) color: Color,
    pub(crate) width: u32,
    pub(crate) axis: Axis,
    /// Of another run, or one of so many that the colors begin anew.
    pub(crate) pale: bool,
    pub(crate) corners: Vec<(u64, f64)>,
}

/// Colors that are told apart also by those who see fewer of them (Okabe and Ito 2008), and their like on dark paper.
const MODELS: [Color; 7] = [
    Color { light: (0, 114, 178), dark: (86, 156, 230) },
    Color { light: (213, 94, 0), dark: (255, 142, 60) },
    Color { light: (0, 158, 115), dark: (60, 200, 160) },
    Color { light: (204, 121, 167), dark: (226, 150, 196) },
    Color { light: (150, 130, 0), dark: (240, 228, 66) },
    Color { light: (60, 160, 220), dark: (130, 205, 250) },
    Color { light: (80, 80, 80), dark: (190, 190, 190) },
];

impl Graph {
    /// The lines of one model, thinned to so many columns.
    pub(crate) fn of_model(model: &str, series: &Series, lines: &Lines, columns: u32) -> Self {
        let title = format!("Request Flow for {model}{}", by(Processes::of(series)));
        let mut graph = Self::titled(&title, series.length());
        graph.add(series, lines, columns, "", false);
        graph.shade(series);
        graph
    }

    /// The finished calls of several models.
    pub(crate) fn of_models(models: &[(&str, &Series)], columns: u32) -> Self {
        let start = models.iter().map(|(_, series)| series.start()).min().unwrap_or(0);
        let end = models.iter().map(|(_, series)| series.start().saturating_add(series.length())).max().unwrap_or(0);
        // What shared the most says how many they were.
        let processes = models.iter().filter_map(|(_, series)| Processes::of(series)).max_by_key(|all| all.members);
        let mut graph = Self::titled(&format!("Finished calls by model{}", by(processes)), end - start);
        for (index, (model, series)) in models.iter().enumerate() {
            let total = series.seconds().iter().fold(0_u64, |sum, second| sum.saturating_add(second.counts[3]));
            graph.curves.push(Curve {
                name: printable(&format!("{model}: {total}")),
                letter: ('a'..='z').chain('A'..='Z').nth(index).unwrap_or('*'),
                color: MODELS[index % MODELS.len()],
                width: 4,
                axis: Axis::Calls,
                pale: index / MODELS.len() % 2 == 1,
                corners: thinned(series.corners('f'), start, graph.last, columns),
            });
        }
        graph
    }

    /// Two runs of one model, from their starts on. `names` tells them apart.
    pub(crate) fn of_runs(model: &str, runs: [&Series; 2], names: [&str; 2], lines: &Lines, columns: u32) -> Self {
        let [this, other] = runs;
        let mut graph = Self::titled(
            &format!("Request Flow for {model}: {} and {} (pale)", names[0], names[1]),
            this.length().max(other.length()),
        );
        graph.add(other, lines, columns, " (other)", true);
        graph.add(this, lines, columns, "", false);
        graph.shade(this);
        graph
    }

    fn shade(&mut self, series: &Series) {
        let offset = |(from, to)| (from - series.start(), to - series.start());
        self.pauses = series.pauses().into_iter().map(offset).collect();
    }

    fn titled(title: &str, length: u64) -> Self {
        Self {
            title: printable(title),
            unit: "Number of requests",
            last: length.saturating_sub(1),
            curves: Vec::new(),
            pauses: Vec::new(),
        }
    }

    fn add(&mut self, series: &Series, lines: &Lines, columns: u32, suffix: &str, pale: bool) {
        for line in lines.iter() {
            self.curves.push(Curve {
                name: format!("{}{suffix}", line.name),
                letter: if pale { line.letter.to_ascii_uppercase() } else { line.letter },
                color: line.color,
                width: line.width,
                axis: line.axis,
                pale,
                corners: thinned(series.corners(line.letter), series.start(), self.last, columns),
            });
        }
    }

    /// The largest height on one of the axes; `None` if nothing is on it.
    pub(crate) fn largest(&self, axis: Axis) -> Option<f64> {
        let curves = self.curves.iter().filter(|curve| curve.axis == axis);
        curves.map(|curve| curve.corners.iter().map(|(_, height)| *height).fold(0.0, f64::max)).reduce(f64::max)
    }
}

/// How many processes a run tells of, behind what a title says.
fn by(processes: Option<Processes>) -> String {
    processes.and_then(Processes::title).map_or_else(String::new, |processes| format!(": {processes}"))
}

/// Offsets instead of seconds; where several share a column, its first and last stay, and its least and most.
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

/// The least of 1, 2, 5, 10, 20, ... that makes at most so many steps.
pub(crate) fn step(whole: f64, most: u32) -> f64 {
    let raw = (whole / f64::from(most)).max(1e-3);
    let power = 10_f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| power * factor >= raw * (1.0 - 1e-9));
    power * factor.unwrap_or(10.0)
}

/// Numbers too long for their place in millions and so on; fractions as far as their step needs.
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

/// What is written at a tick. Tokens come by the thousand.
pub(crate) fn tick(axis: Axis, value: f64, step: f64) -> String {
    match axis {
        Axis::Tokens if (1e3..1e6).contains(&value) => format!("{}k", (value / 100.0).round() / 10.0),
        _ => abbreviated(value, step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Counts, Second};

    fn series(rows: impl IntoIterator<Item = (u64, Counts)>) -> Series {
        rows.into_iter().map(|(at, counts)| Second::counted(at, counts)).collect()
    }

    fn lines(letters: &str) -> Lines {
        letters.parse().unwrap()
    }

    #[test]
    fn a_peak_of_one_second_in_a_day_is_kept_and_the_rest_is_thinned() {
        let day = series((0..86_400).map(|at| (at, [0, if at == 54_321 { 99 } else { at % 3 }, 0, 0, 0])));
        let graph = Graph::of_model("m", &day, &lines("i"), 1000);
        let corners = &graph.curves[0].corners;
        assert!(corners.len() <= 4 * 1001, "{}", corners.len());
        assert!(corners.contains(&(54_321, 99.0)));
        assert!(corners.is_sorted_by_key(|(offset, _)| *offset));
        assert_eq!(graph.largest(Axis::Calls), Some(99.0));
        assert_eq!(graph.largest(Axis::Seconds), None);
    }

    #[test]
    fn short_logs_are_kept_whole() {
        let graph = Graph::of_model("m", &series((5..15).map(|at| (at, [at, 0, 0, 0, 0]))), &lines("r"), 2000);
        assert_eq!(
            graph.curves[0].corners,
            (0_u32..10).map(|offset| (offset.into(), f64::from(offset + 5))).collect::<Vec<_>>()
        );
        assert_eq!(graph.last, 9);
    }

    #[test]
    fn models_share_the_clock_and_runs_their_starts() {
        let (one, other) = (series([(10, [0, 0, 0, 3, 0]), (12, [0, 0, 0, 4, 0])]), series([(11, [0, 0, 0, 5, 0])]));
        let graph = Graph::of_models(&[("a", &one), ("b\n", &other)], 100);
        assert_eq!(graph.curves.iter().map(|curve| curve.name.as_str()).collect::<Vec<_>>(), ["a: 7", "b : 5"]);
        assert_eq!((graph.last, &graph.curves[1].corners[..]), (2, &[(1, 5.0)][..]));
        let graph = Graph::of_runs("m", [&one, &other], ["x", "y"], &lines("f"), 100);
        assert_eq!((graph.last, &graph.curves[0].corners[..], graph.curves[0].pale), (2, &[(0, 5.0)][..], true));
        assert_eq!(graph.curves[1].corners[0], (0, 3.0));
    }

    #[test]
    fn ticks_are_round_and_few() {
        for (whole, most, expected) in [
            (1.0, 7, 0.2),
            (7.0, 7, 1.0),
            (8.0, 7, 2.0),
            (35.0, 12, 5.0),
            (100.0, 7, 20.0),
            (86_400.0, 12, 10_000.0),
            (0.0, 7, 0.001),
        ] {
            let step = step(whole, most);
            assert!((step - expected).abs() < 1e-9 * expected, "{whole}: {step}");
        }
        for (value, step, text) in [
            (0.0, 1.0, "0"),
            (999_999.0, 1.0, "999999"),
            (1e6, 1e5, "1M"),
            (1.5e6, 1e5, "1.5M"),
            (2e10, 1e9, "20G"),
            (0.4, 0.2, "0.4"),
            (0.25, 0.05, "0.25"),
        ] {
            assert_eq!(abbreviated(value, step), text);
        }
        for (value, text) in [(0.0, "0"), (500.0, "500"), (1500.0, "1.5k"), (20_000.0, "20k"), (2e6, "2M")] {
            assert_eq!(tick(Axis::Tokens, value, 500.0), text);
        }
    }
}
