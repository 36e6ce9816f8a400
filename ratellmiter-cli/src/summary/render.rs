//! Summaries for people, for job summaries and for programs.

use std::fmt::Write as _;

use clap::ValueEnum;
use ratellmiter_core::log::BudgetKind;

use crate::{
    output::printable,
    summary::{Summary, counted},
};

/// How a summary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Md,
    Json,
}

/// The figures that are compared and tabled: their names, and how they are read.
type Row = (&'static str, fn(&Summary) -> Option<f64>, Unit);

#[derive(Clone, Copy)]
enum Unit {
    Count,
    PerCall,
    Seconds,
    /// Of something counted.
    Mean,
    Percent,
}

#[allow(clippy::cast_precision_loss)] // For people to read.
const ROWS: [Row; 14] = [
    ("calls", |run| Some(run.calls as f64), Unit::Count),
    ("finished", |run| Some(run.finished as f64), Unit::Count),
    ("failed", |run| run.failed.map(|failed| failed as f64), Unit::Count),
    ("given up", |run| Some(run.given_up as f64), Unit::Count),
    ("refusals", |run| Some(run.refusals as f64), Unit::Count),
    ("overloads", |run| run.overloaded.map(|overloaded| overloaded as f64), Unit::Count),
    ("refusals per call", |run| Some(run.refusals_per_call), Unit::PerCall),
    ("pauses", |run| Some(run.pauses as f64), Unit::Count),
    ("paused", |run| Some(run.paused as f64), Unit::Seconds),
    ("longest line", |run| Some(run.line as f64), Unit::Count),
    ("mean wait", |run| run.wait_mean, Unit::Seconds),
    ("p99 wait", |run| run.wait_p99, Unit::Seconds),
    ("p99 latency", |run| run.call_p99, Unit::Seconds),
    ("duration", |run| Some(run.duration as f64), Unit::Seconds),
];

/// Those that are there only where a log tells them.
#[allow(clippy::cast_precision_loss)]
const MORE: [Row; 13] = [
    ("turned away", |run| (run.turned_away > 0).then_some(run.turned_away as f64), Unit::Count),
    ("mean in flight", |run| run.in_flight_mean, Unit::Mean),
    ("most in flight", |run| run.in_flight_most.map(f64::from), Unit::Count),
    ("reserved tokens", |run| run.reserved_tokens.map(|tokens| tokens as f64), Unit::Count),
    ("used tokens", |run| run.used_tokens.map(|tokens| tokens as f64), Unit::Count),
    ("reserved tokens per call", |run| run.reserved_per_call, Unit::Mean),
    ("used tokens per call", |run| run.used_per_call, Unit::Mean),
    ("tokens a minute, used", |run| run.used_share, Unit::Percent),
    ("fullest budget, mean", |run| run.budget_mean, Unit::Percent),
    ("fullest budget, peak", |run| run.budget_peak, Unit::Percent),
    ("processes", |run| run.processes.map(|processes| processes.members.into()), Unit::Count),
    ("logs", |run| run.processes.map(|processes| processes.logs.into()), Unit::Count),
    ("server out of reach", |run| run.processes.map(|processes| processes.lost as f64), Unit::Seconds),
];

/// What there is to tell of some runs.
fn rows<'a>(runs: &'a [&Summary]) -> impl Iterator<Item = &'static Row> + 'a {
    let told = |(_, of, _): &&Row| runs.iter().any(|run| of(run).is_some());
    ROWS.iter().chain(MORE.iter().filter(told))
}

impl Unit {
    fn display(self, value: Option<f64>) -> String {
        match (self, value) {
            (_, None) => "–".into(),
            (Self::Count, Some(value)) => format!("{value}"),
            (Self::PerCall, Some(value)) => format!("{value:.3}"),
            (Self::Seconds, Some(value)) => format!("{value:.1} s"),
            (Self::Mean, Some(value)) => format!("{value:.1}"),
            (Self::Percent, Some(value)) => format!("{:.0} %", value * 100.0),
        }
    }
}

/// A name as a key of JSON.
fn key(name: &str) -> String {
    name.replace(',', "").replace(' ', "_")
}

/// All summaries of one log.
pub(crate) fn summaries(format: Format, log: &str, runs: &[Summary]) -> String {
    match format {
        Format::Text => runs.iter().map(text).collect::<Vec<_>>().join("\n"),
        Format::Md => {
            let columns: Vec<_> = runs.iter().collect();
            let heads: Vec<_> = runs.iter().map(|run| cell(&run.model)).collect();
            let mut page = format!("### rateLLMiter: {}\n\n{}", cell(log), table(&heads, &columns, false));
            for run in runs {
                let _ = writeln!(page, "\n**{}**: {}.", cell(&run.model), cell(&run.verdict));
            }
            page
        }
        Format::Json => json(&serde_json::json!({ "log": log, "models": runs })),
    }
}

/// Two runs of one model, with what the first is of the second.
pub(crate) fn comparison(format: Format, logs: [&str; 2], runs: [&Summary; 2]) -> String {
    let [this, other] = runs;
    match format {
        Format::Json => {
            let ratios: serde_json::Map<_, _> =
                rows(&runs).map(|(name, of, _)| (key(name), ratio(of(this), of(other)).into())).collect();
            json(&serde_json::json!({ "logs": logs, "models": runs, "ratios": ratios }))
        }
        Format::Md => {
            let heads = logs.map(cell);
            format!(
                "### rateLLMiter: {}\n\n{}\n**{}**: {}.\n\n**{}**: {}.\n",
                cell(&this.model),
                table(&heads, &runs, true),
                heads[0],
                cell(&this.verdict),
                heads[1],
                cell(&other.verdict)
            )
        }
        Format::Text => {
            let mut page = format!("{}\n", printable(&this.model));
            let lines: Vec<[String; 4]> =
                std::iter::once([String::new(), logs[0].into(), logs[1].into(), "ratio".into()])
                    .chain(rows(&runs).map(|(name, of, unit)| {
                        let (one, two) = (of(this), of(other));
                        [(*name).into(), unit.display(one), unit.display(two), display_ratio(ratio(one, two))]
                    }))
                    .collect();
            let widths: Vec<_> =
                (0..4).map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)).collect();
            for [name, one, two, ratio] in &lines {
                let padded = format!(
                    "  {name:<0$}  {one:>1$}  {two:>2$}  {ratio:>3$}",
                    widths[0], widths[1], widths[2], widths[3]
                );
                let _ = writeln!(page, "{}", padded.trim_end());
            }
            let _ = writeln!(page, "  {}: {}\n  {}: {}", logs[0], this.verdict, logs[1], other.verdict);
            page
        }
    }
}

fn text(run: &Summary) -> String {
    let seconds = |value| Unit::Seconds.display(value);
    let Summary { calls, finished, given_up, refusals, pauses, paused, line: longest, .. } = run;
    let mut page = format!("{}, from {}\n", printable(&run.model), when(run.started));
    let failed = run.failed.map_or_else(String::new, |failed| format!(", {failed} of them failed"));
    let turned_away = match run.turned_away {
        0 => String::new(),
        turned_away => format!(", {turned_away} turned away"),
    };
    let _ = writeln!(page, "  calls     {calls}: {finished} finished{failed}, {given_up} given up{turned_away}");
    let overloads = match run.overloaded {
        Some(overloaded @ 1..) => format!(" ({overloaded} of them overloads)"),
        _ => String::new(),
    };
    let _ = writeln!(
        page,
        "  refusals  {refusals}{overloads}, {:.3} a call; {}, {paused} s in all",
        run.refusals_per_call,
        counted(*pauses, "pause")
    );
    let _ = writeln!(
        page,
        "  wait      {} mean, {} p99; the line was at most {longest}",
        seconds(run.wait_mean),
        seconds(run.wait_p99)
    );
    let _ = writeln!(page, "  latency   {} p99", seconds(run.call_p99));
    if let Some((mean, most)) = run.in_flight_mean.zip(run.in_flight_most) {
        let _ = writeln!(page, "  in flight {mean:.1} mean, {most} at most");
    }
    if let Some((reserved, used)) = run.reserved_tokens.zip(run.used_tokens) {
        let rounded = |tokens: Option<f64>| tokens.map_or_else(|| "–".into(), |tokens| format!("{tokens:.0}"));
        let (a_ticket, a_call) = (rounded(run.reserved_per_call), rounded(run.used_per_call));
        let _ = writeln!(page, "  tokens    {reserved} reserved, {a_ticket} a call; {used} used, {a_call} a call");
    }
    for budget in &run.budgets {
        let percent = |share| Unit::Percent.display(Some(share));
        let learned = budget.learned.map_or_else(String::new, |learned| format!(", {learned:.0} learned"));
        let used = run.used_share.filter(|_| budget.meter == BudgetKind::TokensPerMinute);
        let used = used.map_or_else(String::new, |share| format!("; {} used", percent(share)));
        let (name, mean, peak) = (budget.name(), percent(budget.mean), percent(budget.peak));
        let _ = writeln!(page, "  budget    {name}{learned}: taken to {mean} in the mean, to {peak} at most{used}");
    }
    let least = match (run.limit, run.physical) {
        (Some(limit), Some(least)) => format!("; {limit} a minute take at least {least:.1} s"),
        _ => String::new(),
    };
    let _ = writeln!(page, "  time      {} s{least}", run.duration);
    if let Some(processes) = run.processes {
        let _ = writeln!(page, "  processes {}", processes.told());
    }
    let _ = writeln!(page, "  verdict   {}", run.verdict);
    page
}

fn table(heads: &[String], runs: &[&Summary], ratios: bool) -> String {
    let mut table = String::from("|");
    heads.iter().for_each(|head| _ = write!(table, " | {head}"));
    let last = if ratios { " | ratio |" } else { " |" };
    let _ = writeln!(table, "{last}\n| --- {}|", "| --: ".repeat(heads.len() + usize::from(ratios)));
    for (name, of, unit) in rows(runs) {
        let _ = write!(table, "| {name}");
        runs.iter().for_each(|run| _ = write!(table, " | {}", unit.display(of(run))));
        if let ([one, two], true) = (runs, ratios) {
            let _ = write!(table, " | {}", display_ratio(ratio(of(one), of(two))));
        }
        table.push_str(" |\n");
    }
    table
}

fn ratio(one: Option<f64>, two: Option<f64>) -> Option<f64> {
    one.zip(two.filter(|two| *two > 0.0)).map(|(one, two)| one / two)
}

fn display_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"))
}

/// A date and time, UTC.
pub(crate) fn when(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut month) = (1970, 1);
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
        if year > 9999 {
            return seconds.to_string();
        }
    }
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    let (day, hour, minute, second) = (days + 1, second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn days_of_year(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    365 + u64::from(is_leap)
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => days_of_year(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What would break a table, or begin something else in it, is quoted.
fn cell(text: &str) -> String {
    printable(text)
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('`', "\\`")
        .replace('*', "\\*")
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Second, Series};
    use ratellmiter_core::log::{BudgetStatus, Row};

    fn run(model: &str, calls: u64) -> Summary {
        let row = |at: u64| Row {
            at: 1_795_502_400 + at,
            requested: calls,
            issued: calls,
            finished: calls,
            rate: 5.0,
            limit: Some(5.0),
            ..Row::default()
        };
        Summary::of(model, &(0..20).map(|at| Second::of(&row(at))).collect::<Series>())
    }

    #[test]
    fn dates_are_those_of_the_gregorian_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_795_502_442, "2026-11-24 06:40:42"),
            (1_830_297_599, "2027-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (253_402_300_799, "9999-12-31 23:59:59"),
            (253_402_300_800, "253402300800"),
        ] {
            assert_eq!(when(seconds), date);
        }
        assert_eq!(when(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn text_is_for_people() {
        let text = summaries(Format::Text, "x.jsonl", &[run("gpt-4o", 5), run("a\nb", 1)]);
        insta::assert_snapshot!(text, @r#"
        gpt-4o, from 2026-11-24 06:40:00
          calls     100: 100 finished, 0 of them failed, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      0.0 s mean, 0.0 s p99; the line was at most 0
          latency   0.0 s p99
          in flight 0.0 mean, 0 at most
          time      20 s; 300 a minute take at least 19.8 s
          verdict   the line was never longer than 0: the limit does not bind

        a b, from 2026-11-24 06:40:00
          calls     20: 20 finished, 0 of them failed, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      0.0 s mean, 0.0 s p99; the line was at most 0
          latency   0.0 s p99
          in flight 0.0 mean, 0 at most
          time      20 s; 300 a minute take at least 3.8 s
          verdict   the line was never longer than 0: the limit does not bind
        "#);
    }

    #[test]
    fn tokens_and_budgets_are_told_where_there_are_any() {
        let row = |at: u64| Row {
            at: 1_795_502_400 + at,
            requested: 2,
            issued: 2,
            finished: 2,
            in_flight: 4,
            rate: 5.0,
            reserved_tokens: 8192,
            used_tokens: 4500,
            budgets: vec![BudgetStatus {
                meter: BudgetKind::TokensPerMinute,
                limit: 600_000,
                taken: 300_000,
                others: 0,
                learned: Some(400_000.0),
            }],
            ..Row::default()
        };
        let run = Summary::of("m", &(0..100).map(row).collect());
        insta::assert_snapshot!(text(&run), @r#"
        m, from 2026-11-24 06:40:00
          calls     200: 200 finished, 0 of them failed, 0 given up
          refusals  0, 0.000 a call; 0 pauses, 0 s in all
          wait      0.0 s mean, 0.0 s p99; the line was at most 0
          latency   0.0 s p99
          in flight 4.0 mean, 4 at most
          tokens    819200 reserved, 4096 a call; 450000 used, 2250 a call
          budget    600000 tokens a minute, 400000 learned: taken to 75 % in the mean, to 75 % at most; 45 % used
          time      100 s
          verdict   the line was never longer than 0: the limit does not bind
        "#);
        insta::assert_snapshot!(table(&["m".into()], &[&run], false).split_once("| mean in").unwrap().1, @r#"
         flight | 4.0 |
        | most in flight | 4 |
        | reserved tokens | 819200 |
        | used tokens | 450000 |
        | reserved tokens per call | 4096.0 |
        | used tokens per call | 2250.0 |
        | tokens a minute, used | 45 % |
        | fullest budget, mean | 75 % |
        | fullest budget, peak | 75 % |
        "#);
        let value: serde_json::Value = serde_json::from_str(&summaries(Format::Json, "x", &[run])).unwrap();
        let budget = &value["models"][0]["budgets"][0];
        assert_eq!((&budget["meter"], &budget["peak"]), (&"tokens_per_minute".into(), &0.75.into()));
    }

    #[test]
    fn a_job_summary_is_a_table_that_no_name_breaks() {
        let page = summaries(Format::Md, "a|b.jsonl", &[run("<b>|`x`", 5)]);
        assert!(
            page.starts_with(
                "### rateLLMiter: a\\|b.jsonl\n\n| | &lt;b>\\|\\`x\\` |\n| --- | --: |\n| calls | 100 |\n"
            ),
            "{page}"
        );
        assert!(
            page.ends_with("\n**&lt;b>\\|\\`x\\`**: the line was never longer than 0: the limit does not bind.\n"),
            "{page}"
        );
    }

    #[test]
    fn json_is_for_programs() {
        let page = summaries(Format::Json, "x.jsonl", &[run("m", 5)]);
        let value: serde_json::Value = serde_json::from_str(&page).unwrap();
        assert_eq!(
            (&value["log"], &value["models"][0]["calls"], &value["models"][0]["limit"]),
            (&"x.jsonl".into(), &100.into(), &300.0.into())
        );
    }

    #[test]
    fn two_runs_have_ratios_where_there_are_any() {
        let (one, two) = (run("m", 10), run("m", 5));
        let text = comparison(Format::Text, ["a", "b"], [&one, &two]);
        assert!(text.contains("  calls                 200     100   2.00\n"), "{text}");
        assert!(text.contains("  refusals                0       0      –\n"), "{text}");
        let page = comparison(Format::Md, ["a", "b"], [&one, &two]);
        assert!(
            page.contains("| | a | b | ratio |\n| --- | --: | --: | --: |\n| calls | 200 | 100 | 2.00 |\n"),
            "{page}"
        );
        let value: serde_json::Value =
            serde_json::from_str(&comparison(Format::Json, ["a", "b"], [&one, &two])).unwrap();
        assert_eq!(
            (&value["ratios"]["calls"], &value["ratios"]["refusals_per_call"]),
            (&2.0.into(), &serde_json::Value::Null)
        );
    }
}
