//! Tests of `html`.

use ratellmiter_core::log::{Bottleneck, BudgetKind, BudgetStatus, ClosedReason, Quantiles, Row};
use serde_json::Value;

use super::*;
use crate::series::Counts;

fn html(log: &str, models: &[(&str, &Series)]) -> String {
    let summaries: Vec<_> = models.iter().map(|(name, series)| Summary::from_series(name, series)).collect();
    page(&Page { log, models, summaries: &summaries, shown: 0, lines: &Lines::default(), theme: Theme::Dark })
}

/// Returns the data of a page.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("<script id=\"data\" type=\"application/json\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn model(series: &Series) -> Value {
    data(&html("x.jsonl", &[("m", series)]))["models"][0].clone()
}

/// Returns the lines of a model. Those of tokens come first in the order of drawing and may be missing.
fn lines(model: &Value) -> &'static [Line] {
    &LINES[LINES.len() - model["heights"].as_array().unwrap().len()..]
}

/// Returns a column of a line, one value per cell: mean, smallest or largest.
fn column(model: &Value, letter: char, column: usize) -> Vec<Option<f64>> {
    let lines = lines(model);
    let line = lines.iter().position(|line| line.letter == letter).unwrap();
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
    rows.into_iter().map(|(at, counts)| Second::from_counts(at, counts)).collect()
}

fn row(at: u64) -> Row<'static> {
    let (wait_ms, call_ms) = (Quantiles { p50: 1, p99: 1501, max: 1501 }, Quantiles { p50: 2, p99: 343, max: 400 });
    let (issued, finished, in_flight, rate) = (2, 1, 3, 1.1);
    Row { at, issued, finished, in_flight, rate, wait_ms, call_ms, ..Row::default() }
}

#[test]
fn page_is_self_contained() {
    let html = html("x.jsonl", &[("m", &counted([(5, [1; 5])]))]);
    for outside in ["http://", "https://", "src=", "href=", "url(", "@import", "import(", "fetch(", "{{", "}}"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"));
    assert!(html.starts_with("<!doctype html>\n<html lang=\"en\" data-theme=\"dark\">") && html.ends_with("</html>\n"));
    assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("insertAdjacentHTML") && !SCRIPT.contains("</"));
}

fn model_name(name: &str) -> String {
    let page = html("x.jsonl", &[(name, &counted([(5, [1; 5])]))]);
    assert!(!page.contains(['\u{202e}', '\u{ffff}']));
    data(&page)["models"][0]["name"].as_str().unwrap().to_owned()
}

#[test]
fn names_cannot_inject_markup() {
    let series = counted([(5, [1; 5])]);
    let names =
        ["</script><img onerror=alert(1)>", "<!--<script>", "\"'\\\n\u{2028}\u{2029}\0🦀", "{{data}}{{script}}", ""];
    let html = html(names[0], &names.map(|name| (name, &series)));
    for raw in ["<img", "<!--", "\u{2028}", "\u{2029}", "\0"] {
        assert!(!html.contains(raw), "{raw:?}");
    }
    assert_eq!(html.matches("</script>").count(), 2);
    assert_eq!(model_name("gpt\u{202e}fdp\u{ffff}"), "gpt\\u{202e}fdp\\u{ffff}");
    let data = data(&html);
    assert_eq!(data["log"], names[0]);
    assert_eq!(
        names.map(printable),
        std::array::from_fn(|index| data["models"][index]["name"].as_str().unwrap().to_owned())
    );
}

#[test]
fn short_log_is_not_thinned() {
    let first = Row { rate: 0.0, held: Some(Bottleneck::Pause), ..row(10) };
    let series: Series = [first, row(11), row(1_000_000_000)].iter().map(Second::from_row).collect();
    let model = model(&series);
    assert_eq!((seconds(&model), &model["stretch"]), (vec![1, 1, 999_999_988, 1], &1.into()));
    assert_eq!(column(&model, 'i', 0), [2.0, 2.0, 0.0, 2.0].map(Some));
    assert_eq!(column(&model, 'n', 0), [Some(3.0); 4]);
    assert_eq!(column(&model, 'a', 0), [Some(0.0), Some(1.1), None, Some(1.1)]);
    assert_eq!(column(&model, 'w', 0), [Some(1.501), Some(1.501), None, Some(1.501)]);
    assert_eq!(column(&model, 'l', 0), [Some(0.343), Some(0.343), None, Some(0.343)]);
    assert_eq!((&model["pauses"], &model["start"]), (&serde_json::json!([[0, 0, "paused"]]), &10.into()));
    assert_eq!((&model["length"], &model["summary"]["calls"]), (&999_999_991.into(), &0.into()));
}

#[test]
fn closed_spans_are_offsets_apart_from_pauses() {
    let closed =
        |at| Row { issued: 0, rate: 0.0, closed: Some(ClosedReason::Quota), closed_for: Some(50.0), ..row(at) };
    let series: Series = [row(10), Row { rate: 0.0, ..row(11) }, closed(12), row(90)].into_iter().collect();
    let model = model(&series);
    assert_eq!(model["pauses"], serde_json::json!([[1, 1, "paused"]]));
    assert_eq!(model["closed"], serde_json::json!([[2, 52, "closed: quota"]]));
    assert_eq!(model["events"], serde_json::json!([[], [], [], [], [[2, 1]]]));
    // Spans within one cell of a long log are joined, and their causes may differ.
    let spans = [(0, 0, "refused"), (2, 20, "overloaded"), (50, 50, "paused")].map(|(from, to, cause)| Span {
        around_ms: [0; 2],
        from,
        to,
        cause,
    });
    let whole = Number::Whole;
    assert_eq!(shades(&spans, 20), [(whole(0), whole(20), ""), (whole(50), whole(50), "paused")]);
}

#[test]
fn limits_and_events_are_offsets() {
    let changed =
        |at| Row { limit: Some(if at < 15 { 1.0 } else { 10.0 }), learned_rate: (at > 18).then_some(8.0), ..row(at) };
    let refused = |at| Row { rate_limited: 2, overloaded: 1, ..changed(at) };
    let series: Series = (10..20).map(|at| if at == 12 { refused(at) } else { changed(at) }).collect();
    let model = model(&series);
    assert_eq!(model["limit"], serde_json::json!([[0, 4, 1], [5, 9, 10]]));
    assert_eq!(model["adapted"], serde_json::json!([[9, 9, 8]]));
    assert_eq!((&model["events"], &model["per"]), (&serde_json::json!([[[2, 1]], [[2, 1]], [], [], []]), &1.into()));
    let events = [0, 3, 21].map(|at| Event { at, mark: Mark::Refusal, count: 2 });
    assert_eq!(counts(&events, Mark::Refusal, 20), [(0, 4), (21, 2)]);
}

#[test]
fn token_lines_are_present_if_any_model_has_tokens() {
    let quiet: Series = [row(10), row(11)].into_iter().collect();
    let budget = BudgetStatus { meter: BudgetKind::TokensPerMinute, limit: 6000, taken: 0, others: 0, learned: None };
    let used: Series =
        [Row { budgets: vec![budget], ..row(10) }, Row { used_tokens: 5, ..row(14) }].into_iter().collect();
    let both = data(&html("x.jsonl", &[("quiet", &quiet), ("used", &used)]));
    let (quiet_too, used) = (&both["models"][0], &both["models"][1]);
    assert_eq!((column(quiet_too, 't', 0), column(quiet_too, 'b', 0)), (vec![None; 2], vec![None; 2]));
    assert_eq!(column(used, 'u', 0), [0.0, 0.0, 5.0].map(Some));
    assert_eq!(column(used, 'b', 0), [Some(100.0), None, None]);
    assert_eq!((&both["lines"][0]["axis"], &both["lines"][11]["axis"]), (&"tokens".into(), &"seconds".into()));
    let quiet = data(&html("x.jsonl", &[("quiet", &quiet)]));
    assert_eq!((quiet["lines"].as_array().unwrap().len(), lines(&quiet["models"][0]).len()), (9, 9));
    assert_eq!(quiet["models"][0]["summary"].get("used_tokens"), None);
}

#[test]
fn page_and_pictures_draw_gaps_alike() {
    let series: Series =
        [3, 4, 9, 11].map(|at| Row { reserved_tokens: 7, used_tokens: 5, ..row(at) }).into_iter().collect();
    let model = model(&series);
    assert_eq!(lines(&model).len(), LINES.len());
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
        assert!(known.len() == corners.len() && known.iter().zip(&corners).all(close), "{}: {known:?}", line.letter);
    }
}

#[test]
fn short_pauses_are_parts_of_their_seconds() {
    let row_with_pause = |at| Row { pauses: 1, paused_ms: 400, ..row(at) };
    let pauses = model(&[row(3), row_with_pause(4), row_with_pause(5)].into_iter().collect())["pauses"].clone();
    let ends: Vec<_> =
        pauses.as_array().unwrap().iter().map(|span| [0, 1].map(|end| span[end].as_f64().unwrap())).collect();
    let length = |[from, to]: [f64; 2]| to - from + 1.0;
    assert!(ends.len() == 2 && ends.iter().all(|span| (length(*span) - 0.4).abs() < 1e-9), "{ends:?}");
}

#[test]
fn gap_after_queued_calls_is_unknown() {
    let model = |overflow| {
        let queued = Row { overflow, in_flight: 2, ..row(4) };
        model(&[row(3), queued, row(30), row(31)].into_iter().collect())
    };
    for letter in ['r', 'i', 'f', 'o', 'n'] {
        let gap = |overflow| column(&model(overflow), letter, 0)[2];
        assert!(gap(50).is_none() && gap(0).is_some(), "{letter}");
    }
}

#[test]
fn thinning_keeps_a_peak_of_one_second() {
    let day: Series = (0..86_400)
        .map(|at| {
            let mut row = row(1_795_502_400 + at);
            (row.requested, row.overflow, row.rate) =
                (1000 + at % 977, at * 7 % 12_345, 5.0 + f64::from(u8::try_from(at % 13).unwrap()) / 7.0);
            (row.wait_ms.p99, row.call_ms.p99) = (12_000 + at % 20_011, 300 + at % 1009);
            row.issued = if at == 54_321 { 99 } else { 1 + at % 3 };
            row.rate_limited = u64::from(at == 86_399);
            row.held = at.is_multiple_of(2).then_some(Bottleneck::Pause);
            Second::from_row(&row)
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
    assert_eq!((column(model, 'i', 0)[0], column(model, 'e', 2).pop().unwrap()), (Some(1.955), Some(1.0)));
    assert!(model["pauses"].as_array().unwrap().len() <= 4000);
}

#[test]
fn long_gap_is_one_cell() {
    let rows = (0..5000).chain(10_000_000..10_005_000).map(|at| (at, [at % 7, 0, 0, 0, 0]));
    let model = model(&counted(rows));
    let seconds = seconds(&model);
    assert_eq!(seconds.iter().sum::<u64>(), 10_005_000);
    assert!(seconds.len() < 10, "{seconds:?}");
    assert!(seconds.iter().all(|cell| *cell == 10_005_000 || cell % 2502 == 0 || *cell <= 2502), "{seconds:?}");
    assert!(column(&model, 'r', 2).contains(&Some(6.0)));
}

#[test]
fn extreme_numbers_are_rendered() {
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
fn numbers_are_written_in_few_characters() {
    let written = |value: f64| serde_json::to_string(&Number::of(value)).unwrap();
    let values = [0.0, 12.0, f64::from(1.1_f32), 1.501, -2.0, f64::NAN, 1e30, 18_446_744_073_709_551_616.0];
    assert_eq!(values.map(written).join(" "), "0 12 1.1 1.501 -2.0 null 1e+30 18446744073709551615");
}

#[test]
fn refused_calls_of_python_logs_are_part_of_the_queue() {
    let style = |series: &Series| {
        let data = data(&html("x.jsonl", &[("m", series)]));
        let lines = data["lines"].as_array().unwrap().clone();
        let line = lines.into_iter().find(|line| line["letter"] == "e").unwrap();
        (line["name"].as_str().unwrap().to_owned(), line["queue"].as_bool().unwrap())
    };
    let second = |newly_refused| Second { newly_refused, ..Second::from_counts(5, [5, 5, 3, 5, 9]) };
    assert_eq!(style(&[second(None)].into_iter().collect()), ("rate limited".into(), false));
    assert_eq!(style(&[second(Some(3))].into_iter().collect()), ("waiting after a refusal".into(), true));
}

#[test]
fn legend_names_the_refused_queue_of_python_logs() {
    let python = Second { newly_refused: Some(1), ..Second::from_counts(5, [1; 5]) };
    let [python, other] = [python, Second::from_counts(5, [1; 5])].map(|second| Series::from_iter([second]));
    let data = data(&html("x.jsonl", &[("p", &python), ("m", &other)]));
    assert_eq!(data["models"][0]["names"], serde_json::json!({ "e": "waiting after a refusal" }));
    assert_eq!(data["models"][1].get("names"), None);
    // It is in the panel of the queue.
    assert_eq!((&data["models"][0]["queue"], data["models"][1].get("queue")), (&"e".into(), None));
    let line = data["lines"].as_array().unwrap().iter().find(|line| line["letter"] == "e").unwrap();
    assert_eq!((&line["name"], &line["queue"]), (&"rate limited".into(), &false.into()));
}
