//! `-list`: a table of the logs in a directory.

use std::path::Path;

use crate::{
    choose_log,
    exit_code::DONE,
    failure::Failure,
    names,
    output::Output,
    read::Log,
    series::Series,
    words::{duration, printable, utc},
};

const HEADINGS: [&str; 7] = ["log", "start (UTC)", "length", "calls", "refusals", "namespace", "models"];
/// Index of the column that is omitted if no log has a namespace.
const NAMESPACE: usize = 5;

pub(crate) fn run(directory: Option<&Path>, output: &mut Output<'_>) -> Result<u8, Failure> {
    let directory = choose_log::directory(directory)?;
    let paths = choose_log::newest_first(&directory)?;
    if paths.is_empty() {
        return Err(Failure::NoLog(directory));
    }
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    for path in paths {
        match Log::read(&path) {
            Ok(log) => lines.push(row(&path, &log)),
            // The other logs are listed all the same.
            Err(unreadable) => output.note(&unreadable.to_string()),
        }
    }
    output.print(table(&lines)).map_err(Failure::Stdout)?;
    Ok(DONE)
}

fn row(path: &Path, log: &Log) -> [String; 7] {
    let name = printable(&path.file_name().unwrap_or_default().to_string_lossy());
    let start = log.models.values().map(Series::start).min();
    let end = log.models.values().map(|series| series.start().saturating_add(series.length())).max();
    let sum = |of: fn(&Series) -> u64| log.models.values().map(of).fold(0, u64::saturating_add).to_string();
    let models: Vec<_> = log.models.keys().map(|model| names::of_model(model)).collect();
    [
        name,
        start.map_or_else(|| "–".into(), utc),
        start.zip(end).map_or_else(|| "–".into(), |(start, end)| duration(end - start)),
        sum(Series::calls),
        sum(Series::refusals),
        log.namespace.as_deref().map(printable).unwrap_or_default(),
        if models.is_empty() { "–".into() } else { models.join(", ") },
    ]
}

/// Formats a table with numbers aligned to the right and text to the left.
fn table(lines: &[[String; 7]]) -> String {
    let is_shown = |column: usize| column != NAMESPACE || lines[1..].iter().any(|line| !line[column].is_empty());
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut page = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).enumerate().filter(|(column, _)| is_shown(*column));
        let cells = cells.map(|(column, (cell, width))| match column {
            2..=4 => format!("{}{cell}", blanks(cell, width)),
            _ => format!("{cell}{}", blanks(cell, width)),
        });
        page.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        page.push('\n');
    }
    page
}

/// Returns the blanks that fill a cell up to `width`. Names may be longer than the widths that formatting allows.
fn blanks(cell: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(cell.chars().count()))
}
