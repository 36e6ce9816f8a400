//! Summaries as text, as Markdown tables and as JSON.

use std::fmt::Write as _;

use clap::ValueEnum;
use ratellmiter_core::log::BudgetKind;

use crate::{
    names::{self, markdown},
    summary::{
        closed,
        figures::{self, Figure, Summary, Unit},
    },
    words::{duration, plural, precise_duration, printable, utc},
};

/// Format of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Md,
    Json,
}

/// Number of models up to which each is a column of a table in Markdown. More of them are its rows.
const MAX_COLUMNS: usize = 3;

impl Unit {
    fn display(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => "–".into(),
            (Self::Count, Some(value)) => format!("{value}"),
            (Self::Ratio, Some(value)) => format!("{value:.3}"),
            (Self::Seconds, Some(value)) => precise_duration(value, 1),
            (Self::Millis, Some(value)) => precise_duration(value, decimals(value).max(1)),
            (Self::Mean, Some(value)) => format!("{value:.1}"),
            (Self::Fraction, Some(value)) => format!("{:.0} %", value * 100.0),
        }
    }
}

/// Returns the number of decimals, at most three, that show all milliseconds of a time.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Positive and saturating.
fn decimals(seconds: f64) -> usize {
    let millis = (seconds * 1000.0).round() as u64;
    [1000, 100, 10].iter().position(|unit| millis.is_multiple_of(*unit)).unwrap_or(3)
}

impl Figure {
    /// Returns the figure as tables show it, as in "0.5–30.0 s" if only bounds are known.
    fn display(&self, run: &Summary) -> String {
        let most = self.unit.display(self.cell(run));
        match self.bounds(run).map(|bounds| self.unit.display(Some(bounds.least))) {
            Some(least) if self.unit.is_time() && self.cell(run).is_some() && least != most => {
                // The unit is written once.
                let least = if most.ends_with(" s") { least.trim_end_matches(" s") } else { &least };
                format!("{least}–{most}")
            }
            _ => most,
        }
    }
}

/// Renders the summaries of the models of a log.
pub(crate) fn summaries(format: Format, log: &str, runs: &[Summary]) -> String {
    match format {
        Format::Text => runs.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Md => {
            let columns: Vec<_> = runs.iter().collect();
            let headings: Vec<_> = runs.iter().map(|run| markdown(&names::of_model(&run.model))).collect();
            let table =
                if runs.len() > MAX_COLUMNS { rows(&headings, &columns) } else { table(&headings, &columns, false) };
            let mut page = format!("### rateLLMiter: {}\n\n{table}", markdown(log));
            for run in runs {
                let _ = writeln!(page, "\n**{}**: {}.", markdown(&names::of_model(&run.model)), markdown(&run.verdict));
                for (index, line) in closed::lines(run).iter().enumerate() {
                    let _ = writeln!(page, "{}- closed: {line}", if index == 0 { "\n" } else { "" });
                }
            }
            page
        }
        Format::Json => json(&serde_json::json!({ "log": log, "models": runs })),
    }
}

/// Renders two runs of one model, with the ratios of the first to the second.
pub(crate) fn comparison(format: Format, logs: [&str; 2], runs: [&Summary; 2]) -> String {
    let [this, other] = runs;
    match format {
        Format::Json => {
            let mut ratios: serde_json::Map<_, _> = figures::rows(&runs)
                .map(|figure| (figure.key.to_owned(), ratio(figure.cell(this), figure.cell(other)).into()))
                .collect();
            ratios.insert("finished_per_minute".into(), ratio(throughput(this), throughput(other)).into());
            json(&serde_json::json!({ "logs": logs, "models": runs, "ratios": ratios, "note": lengths(runs) }))
        }
        Format::Md => {
            let headings = logs.map(markdown);
            let note = lengths(runs).map_or_else(String::new, |note| format!("\n{note}.\n"));
            format!(
                "### rateLLMiter: {}\n\n{}{note}\n**{}**: {}.\n\n**{}**: {}.\n",
                markdown(&names::of_model(&this.model)),
                table(&headings, &runs, true),
                headings[0],
                markdown(&this.verdict),
                headings[1],
                markdown(&other.verdict)
            )
        }
        Format::Text => {
            let mut page = format!("{}\n", names::of_model(&this.model));
            let logs = logs.map(printable);
            let heading = [String::new(), logs[0].clone(), logs[1].clone(), "ratio".into()];
            let rows = figures::rows(&runs).map(|figure| {
                let (one, two) = (figure.cell(this), figure.cell(other));
                let ratio = display_ratio(ratio(one, two));
                [figure.label.into(), figure.display(this), figure.display(other), ratio]
            });
            let [one, two] = [throughput(this), throughput(other)];
            let [shown, compared] = [one, two].map(|value| Unit::Mean.display(value));
            let last = [THROUGHPUT.into(), shown, compared, display_ratio(ratio(one, two))];
            let lines: Vec<[String; 4]> = std::iter::once(heading).chain(rows).chain([last]).collect();
            let widths: Vec<_> =
                (0..4).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
            for [label, one, two, ratio] in &lines {
                let padded = format!(
                    "  {label:<0$}  {one:>1$}  {two:>2$}  {ratio:>3$}",
                    widths[0], widths[1], widths[2], widths[3]
                );
                let _ = writeln!(page, "{}", padded.trim_end());
            }
            lengths(runs).into_iter().for_each(|note| _ = writeln!(page, "  {note}"));
            let _ = writeln!(page, "  {}: {}\n  {}: {}", logs[0], this.verdict, logs[1], other.verdict);
            page
        }
    }
}

fn text(run: &Summary) -> String {
    let figure = |key| figures::by_key(key).map_or_else(String::new, |figure| figure.display(run));
    let Summary { calls, finished, given_up, refusals, pauses, paused_ms, line: max_queued, .. } = run;
    #[allow(clippy::cast_precision_loss)]
    let paused = *paused_ms as f64 / 1000.0;
    let mut page = format!("{}, from {} UTC\n", names::of_model(&run.model), utc(run.started));
    let failed = run.failed.map_or_else(String::new, |failed| format!(" ({failed} failed)"));
    let rejected = match run.rejected {
        0 => String::new(),
        rejected => format!(", {rejected} rejected"),
    };
    let at_end = [(run.waiting, "waiting"), (run.in_flight, "in flight")].into_iter().filter(|(calls, _)| *calls > 0);
    let at_end = at_end.fold(String::new(), |text, (calls, state)| format!("{text}, {calls} {state}"));
    let earlier = match run.earlier {
        0 => String::new(),
        earlier => format!("; {earlier} of them requested before the first row"),
    };
    let _ = writeln!(
        page,
        "  calls     {calls}: {finished} finished{failed}, {given_up} given up{rejected}{at_end}{earlier}"
    );
    let overloads = match run.overloaded {
        Some(overloads @ 1..) => format!(" ({})", plural(overloads, "overload")),
        _ => String::new(),
    };
    let _ = writeln!(
        page,
        "  refusals  {refusals}{overloads}, {:.3} per call; {}, {} in total",
        run.refusals_per_call,
        plural(*pauses, "pause"),
        precise_duration(paused, decimals(paused))
    );
    if run.transient > 0 {
        let _ = writeln!(page, "  transient {}, sent again", plural(run.transient, "failure"));
    }
    for line in closed::lines(run) {
        let _ = writeln!(page, "  closed    {line}");
    }
    let _ = writeln!(
        page,
        "  wait      {} mean, {} p99; at most {max_queued} queued",
        figure("mean_wait"),
        figure("p99_wait")
    );
    let _ = writeln!(page, "  latency   {} p99", figure("p99_latency"));
    if let Some((mean, max)) = run.in_flight_mean.zip(run.in_flight_most) {
        let _ = writeln!(page, "  in flight {mean:.1} mean, {max} max");
    }
    if let Some((reserved, used)) = run.reserved_tokens.zip(run.used_tokens) {
        let rounded = |tokens: Option<f64>| tokens.map_or_else(|| "–".into(), |tokens| format!("{tokens:.0}"));
        let (per_ticket, per_call) = (rounded(run.reserved_per_call), rounded(run.used_per_call));
        // Without a budget, nothing is reserved.
        let reserved =
            if reserved > 0 { format!("{reserved} reserved, {per_ticket} per call; ") } else { String::new() };
        let _ = writeln!(page, "  tokens    {reserved}{used} used, {per_call} per call");
    }
    for budget in &run.budgets {
        let percent = |fraction| Unit::Fraction.display(Some(fraction));
        let adapted = budget.learned.map_or_else(String::new, |adapted| format!(", adapted to {adapted:.0}"));
        let used = run.used_share.filter(|_| budget.meter == BudgetKind::TokensPerMinute);
        let used = used.map_or_else(String::new, |fraction| format!("; {} used", percent(fraction)));
        let (name, mean, peak) = (budget.name(), percent(budget.mean), percent(budget.peak));
        let _ = writeln!(page, "  budget    {name}{adapted}: {mean} charged on average, {peak} at most{used}");
    }
    for conflict in &run.budget_conflicts {
        let _ = writeln!(page, "  budget    the logs differ in their limits: {}", conflict.description());
    }
    let minimum = match (run.limit, run.physical) {
        (Some(limit), Some(minimum)) => format!("; at least {} at {limit} per minute", precise_duration(minimum, 1)),
        _ => run.limit_conflict.map_or_else(String::new, |[one, other]| {
            format!("; the logs differ in their limits: {one} and {other} per minute")
        }),
    };
    let _ = writeln!(page, "  duration  {}{minimum}", duration(run.duration));
    if let Some(processes) = run.processes {
        let _ = writeln!(page, "  processes {}", processes.description());
    }
    let _ = writeln!(page, "  verdict   {}", run.verdict);
    page
}

fn table(headings: &[String], runs: &[&Summary], with_ratios: bool) -> String {
    let mut table = String::from("|");
    headings.iter().for_each(|heading| _ = write!(table, " | {heading}"));
    let last = if with_ratios { " | ratio |" } else { " |" };
    let _ = writeln!(table, "{last}\n| --- {}|", "| --: ".repeat(headings.len() + usize::from(with_ratios)));
    for figure in figures::rows(runs) {
        let _ = write!(table, "| {}", figure.label);
        runs.iter().for_each(|run| _ = write!(table, " | {}", figure.display(run)));
        if let ([one, two], true) = (runs, with_ratios) {
            let _ = write!(table, " | {}", display_ratio(ratio(figure.cell(one), figure.cell(two))));
        }
        table.push_str(" |\n");
    }
    if let ([one, two], true) = (runs, with_ratios) {
        let [one, two] = [throughput(one), throughput(two)];
        let [shown, other] = [one, two].map(|value| Unit::Mean.display(value));
        let _ = writeln!(table, "| {THROUGHPUT} | {shown} | {other} | {} |", display_ratio(ratio(one, two)));
    }
    table
}

/// Returns a table with a row for each run.
fn rows(names: &[String], runs: &[&Summary]) -> String {
    let mut table = String::from("| model");
    // Found once: each is searched for in all runs.
    let figures: Vec<_> = figures::rows(runs).collect();
    figures.iter().for_each(|figure| _ = write!(table, " | {}", figure.label));
    let _ = writeln!(table, " |\n| --- {}|", "| --: ".repeat(figures.len()));
    for (name, run) in names.iter().zip(runs) {
        let _ = write!(table, "| {name}");
        figures.iter().for_each(|figure| _ = write!(table, " | {}", figure.display(run)));
        table.push_str(" |\n");
    }
    table
}

/// Label of the row of [`throughput`] in comparisons.
const THROUGHPUT: &str = "finished per min";

/// Returns the finished calls per minute; `None` for a run without rows.
#[allow(clippy::cast_precision_loss)]
fn throughput(run: &Summary) -> Option<f64> {
    (run.duration > 0).then(|| run.finished as f64 * 60.0 / run.duration as f64)
}

/// Returns a remark if two runs are of different length, so that their totals cannot be compared.
fn lengths([this, other]: [&Summary; 2]) -> Option<String> {
    let [one, two] = [this, other].map(|run| duration(run.duration));
    (this.duration != other.duration)
        .then(|| format!("runs of {one} and {two}: totals differ by length, compare {THROUGHPUT}"))
}

/// Returns `one / two`; `None` if either is unknown or `two` is zero.
fn ratio(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    one.zip(two.filter(|two| *two > 0.0)).map(|(one, two)| one / two)
}

fn display_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"))
}

fn json(value: &serde_json::Value) -> String {
    names::json(&format!("{value:#}\n"))
}

#[cfg(test)]
mod tests;
