//! A page of a log that needs nothing else: no network, no other file.
//!
//! What is fixed about it is in `html/`; what is in here is the data that goes with it. Long logs are thinned: a stretch of
//! seconds keeps its first and last height of each line, its least and its most.

use serde::Serialize;

use crate::{
    chart::Theme,
    series::{Axis, LINES, Lines, Second, Series},
    summary::Summary,
};

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

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
    /// In the order of drawing.
    lines: [Drawn; LINES.len()],
    models: Vec<Model<'a>>,
}

#[derive(Debug, Serialize)]
struct Drawn {
    letter: char,
    name: &'static str,
    light: String,
    dark: String,
    width: u32,
    /// On the axis of seconds.
    right: bool,
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
        let lines = LINES.map(|line| Drawn {
            letter: line.letter,
            name: line.name,
            light: color(line.color.light),
            dark: color(line.color.dark),
            width: line.width,
            right: line.axis == Axis::Right,
        });
        let models = page.models.iter().zip(page.summaries);
        Data {
            log: page.log,
            shown: page.shown,
            on: page.lines.letters(),
            lines,
            models: models.map(|((name, series), summary)| Model::of(name, series, summary)).collect(),
        }
    }
}

impl<'a> Model<'a> {
    fn of(name: &'a str, series: &Series, summary: &'a Summary) -> Self {
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
            heights: (0..LINES.len()).map(|line| columns(&cells, line)).collect(),
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
            add(&mut cells, stretch, nothing.at - series.start(), second.at - nothing.at, &nothing);
        }
        add(&mut cells, stretch, second.at - series.start(), 1, second);
    }
    cells
}

/// Adds so many seconds that are all alike. They come in order.
fn add(cells: &mut Vec<Cell>, stretch: u64, mut offset: u64, mut seconds: u64, like: &Second) {
    let heights = LINES.map(|line| like.value(line.letter).unwrap_or(f64::NAN));
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
mod tests {
    use ratellmiter_core::record::{Held, Quantiles, Row};
    use serde_json::Value;

    use super::*;
    use crate::series::Counts;

    fn html(log: &str, models: &[(&str, &Series)]) -> String {
        let summaries: Vec<_> = models.iter().map(|(name, series)| Summary::of(name, series)).collect();
        page(&Page { log, models, summaries: &summaries, shown: 0, lines: &Lines::default(), theme: Theme::Dark })
    }

    /// The data in a page.
    fn data(html: &str) -> Value {
        let (_, rest) = html.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    fn model(series: &Series) -> Value {
        data(&html("x.jsonl", &[("m", series)]))["models"][0].clone()
    }

    /// One of the columns of a line, cell by cell.
    fn column(model: &Value, letter: char, column: usize) -> Vec<Option<f64>> {
        let line = LINES.iter().position(|line| line.letter == letter).unwrap();
        let columns = model["heights"][line].as_array().unwrap();
        let cells = model["cells"].as_u64().unwrap();
        match columns.get(column).unwrap_or(&columns[0]) {
            Value::Array(each) => each.iter().map(Value::as_f64).collect(),
            all => (0..cells).map(|_| all.as_f64()).collect(),
        }
    }

    fn seconds(model: &Value) -> Vec<u64> {
        match &model["seconds"] {
            Value::Array(each) => each.iter().map(|seconds| seconds.as_u64().unwrap()).collect(),
            all => (0..model["cells"].as_u64().unwrap()).map(|_| all.as_u64().unwrap()).collect(),
        }
    }

    fn counted(rows: impl IntoIterator<Item = (u64, Counts)>) -> Series {
        rows.into_iter().map(|(at, counts)| Second::counted(at, counts)).collect()
    }

    fn row(at: u64) -> Row<'static> {
        let (wait_ms, call_ms) = (Quantiles { p50: 1, p99: 1501, max: 1501 }, Quantiles { p50: 2, p99: 343, max: 400 });
        let (issued, finished, in_flight, rate) = (2, 1, 3, 1.1);
        Row { at, issued, finished, in_flight, rate, wait_ms, call_ms, ..Row::default() }
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let html = html("x.jsonl", &[("m", &counted([(5, [1; 5])]))]);
        for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "import(", "fetch(", "{{", "}}"] {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"));
        assert!(
            html.starts_with("<!doctype html>\n<html lang=\"en\" data-theme=\"dark\">") && html.ends_with("</html>\n")
        );
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("insertAdjacentHTML") && !SCRIPT.contains("</"));
    }

    #[test]
    fn names_are_data_whatever_they_look_like() {
        let series = counted([(5, [1; 5])]);
        let names = [
            "</script><img onerror=alert(1)>",
            "<!--<script>",
            "\"'\\\n\u{2028}\u{2029}\0🦀",
            "{{data}}{{script}}",
            "",
        ];
        let html = html(names[0], &names.map(|name| (name, &series)));
        for raw in ["<img", "<!--", "\u{2028}", "\u{2029}", "\0"] {
            assert!(!html.contains(raw), "{raw:?}");
        }
        assert_eq!(html.matches("</script>").count(), 2);
        let data = data(&html);
        assert_eq!(data["log"], names[0]);
        assert_eq!(names, std::array::from_fn(|index| data["models"][index]["name"].as_str().unwrap().to_owned()));
    }

    #[test]
    fn short_logs_are_kept_whole_with_their_gaps() {
        let first = Row { rate: 0.0, held: Some(Held::Pause), ..row(10) };
        let series: Series = [first, row(11), row(1_000_000_000)].iter().map(Second::of).collect();
        let model = model(&series);
        assert_eq!((seconds(&model), &model["stretch"]), (vec![1, 1, 999_999_988, 1], &1.into()));
        assert_eq!(column(&model, 'i', 0), [2.0, 2.0, 0.0, 2.0].map(Some));
        assert_eq!(column(&model, 'n', 0), [Some(3.0); 4]);
        assert_eq!(column(&model, 'a', 0), [Some(0.0), Some(1.1), None, Some(1.1)]);
        assert_eq!(column(&model, 'w', 0), [Some(1.501), Some(1.501), None, Some(1.501)]);
        assert_eq!(column(&model, 'l', 0), [Some(0.343), Some(0.343), None, Some(0.343)]);
        assert_eq!((&model["pauses"], &model["start"]), (&serde_json::json!([[0, 0]]), &10.into()));
        assert_eq!((&model["length"], &model["summary"]["calls"]), (&999_999_991.into(), &0.into()));
    }

    #[test]
    fn what_is_drawn_of_gaps_is_what_other_pictures_draw() {
        let series: Series = [3, 4, 9, 11].map(row).iter().map(Second::of).collect();
        let model = model(&series);
        for line in LINES {
            let heights = column(&model, line.letter, 0);
            let mut offset = 0;
            let mut known = Vec::new();
            for (seconds, height) in seconds(&model).into_iter().zip(heights) {
                known.extend(height.into_iter().flat_map(|height| [(offset, height), (offset + seconds - 1, height)]));
                offset += seconds;
            }
            known.dedup();
            let mut corners: Vec<_> = series.corners(line.letter).map(|(at, height)| (at - 3, height)).collect();
            corners.dedup();
            let close = |(one, other): (&(u64, f64), &(u64, f64))| one.0 == other.0 && (one.1 - other.1).abs() < 1e-6;
            assert!(
                known.len() == corners.len() && known.iter().zip(&corners).all(close),
                "{}: {known:?}",
                line.letter
            );
        }
    }

    #[test]
    fn a_peak_of_one_second_in_a_day_is_kept_and_the_rest_is_thinned() {
        let day: Series = (0..86_400)
            .map(|at| {
                let mut row = row(1_795_502_400 + at);
                (row.requested, row.overflow, row.rate) =
                    (1000 + at % 977, at * 7 % 12_345, 5.0 + f64::from(u8::try_from(at % 13).unwrap()) / 7.0);
                (row.wait_ms.p99, row.call_ms.p99) = (12_000 + at % 20_011, 300 + at % 1009);
                row.issued = if at == 54_321 { 99 } else { 1 + at % 3 };
                row.rate_limited = u64::from(at == 86_399);
                row.held = at.is_multiple_of(2).then_some(Held::Pause);
                Second::of(&row)
            })
            .collect();
        let html = html("x.jsonl", &[("m", &day)]);
        assert!(html.len() < 3_000_000, "{}", html.len());
        let model = &data(&html)["models"][0];
        assert_eq!((&model["stretch"], seconds(model).iter().sum::<u64>()), (&22.into(), 86_400));
        assert!(seconds(model).len() <= 4000);
        let peak = 54_321 / 22;
        assert_eq!((column(model, 'i', 2)[peak], column(model, 'i', 1)[peak]), (Some(99.0), Some(1.0)));
        assert_eq!(column(model, 'i', 2).iter().flatten().filter(|height| **height > 3.0).count(), 1);
        assert_eq!((column(model, 'i', 0)[0], column(model, 'e', 3).pop().unwrap()), (Some(1.0), Some(1.0)));
        assert!(model["pauses"].as_array().unwrap().len() <= 4000);
    }

    #[test]
    fn long_times_without_anything_in_long_logs_are_one_cell() {
        let rows = (0..5000).chain(10_000_000..10_005_000).map(|at| (at, [at % 7, 0, 0, 0, 0]));
        let model = model(&counted(rows));
        let seconds = seconds(&model);
        assert_eq!(seconds.iter().sum::<u64>(), 10_005_000);
        assert!(seconds.len() < 10, "{seconds:?}");
        assert!(seconds.iter().all(|cell| *cell == 10_005_000 || cell % 2502 == 0 || *cell <= 2502), "{seconds:?}");
        assert!(column(&model, 'r', 2).contains(&Some(6.0)));
    }

    #[test]
    fn the_largest_numbers_there_are_break_nothing() {
        let ends = counted([(0, [u64::MAX; 5]), (u64::MAX, [u64::MAX; 5])]);
        let both = model(&ends);
        assert_eq!(
            column(&both, 'r', 0),
            [Some(18_446_744_073_709_551_615.0), Some(0.0), Some(18_446_744_073_709_551_615.0)]
        );
        let many = model(&counted((0..5000).map(|at| (u64::MAX - at * 1_000_000_000, [u64::MAX; 5]))));
        assert!(many["cells"].as_u64().unwrap() <= 8000, "{}", many["cells"]);
        let none = data(&html("", &[("", &Series::default())]));
        assert_eq!((&none["models"][0]["cells"], &none["models"][0]["seconds"]), (&0.into(), &serde_json::json!([])));
    }

    #[test]
    fn numbers_take_few_letters() {
        let written = |value: f64| serde_json::to_string(&Number::of(value)).unwrap();
        let values = [0.0, 12.0, f64::from(1.1_f32), 1.501, -2.0, f64::NAN, 1e30, 18_446_744_073_709_551_616.0];
        assert_eq!(values.map(written).join(" "), "0 12 1.1 1.501 -2.0 null 1e+30 18446744073709551615");
    }
}
