//! The logs there are, as a table.

use std::path::Path;

use crate::{
    DONE, choose_log,
    failure::Failure,
    output::{Output, printable},
    read::Log,
    series::Series,
    summary::render::when,
};

const HEADS: [&str; 7] = ["log", "start (UTC)", "length", "calls", "refusals", "namespace", "models"];
/// Told only where a log has one.
const NAMESPACE: usize = 5;

pub(crate) fn run(directory: Option<&Path>, output: &mut Output<'_>) -> Result<u8, Failure> {
    let directory = choose_log::directory(directory)?;
    let paths = choose_log::all(&directory)?;
    if paths.is_empty() {
        return Err(Failure::NoLog(directory));
    }
    let mut lines = vec![HEADS.map(str::to_owned)];
    for path in paths {
        match Log::read(&path) {
            Ok(log) => lines.push(row(&path, &log)),
            // One that cannot be read hides no other.
            Err(unreadable) => output.note(&unreadable.to_string()),
        }
    }
    output.print(table(&lines))?;
    Ok(DONE)
}

fn row(path: &Path, log: &Log) -> [String; 7] {
    let name = printable(&path.file_name().unwrap_or_default().to_string_lossy());
    let start = log.models.values().map(Series::start).min();
    let end = log.models.values().map(|series| series.start().saturating_add(series.length())).max();
    let sum = |of: fn(&Series) -> u64| log.models.values().map(of).fold(0, u64::saturating_add).to_string();
    let models: Vec<_> = log.models.keys().map(|model| printable(model)).collect();
    [
        name,
        start.map_or_else(|| "–".into(), when),
        start.zip(end).map_or_else(|| "–".into(), |(start, end)| span(end - start)),
        sum(Series::calls),
        sum(Series::refusals),
        log.namespace.as_deref().map(printable).unwrap_or_default(),
        if models.is_empty() { "–".into() } else { models.join(", ") },
    ]
}

/// Hours, minutes and seconds.
pub(crate) fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes:02}m{seconds:02}s"),
    }
}

/// Figures to the right, words to the left.
fn table(lines: &[[String; 7]]) -> String {
    let is_told = |column: usize| column != NAMESPACE || lines[1..].iter().any(|line| !line[column].is_empty());
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut page = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).enumerate().filter(|(column, _)| is_told(*column));
        let cells = cells.map(|(column, (cell, width))| match column {
            2..=4 => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        page.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        assert_eq!(
            [0, 59, 60, 3599, 3600, 90_061].map(span),
            ["0s", "59s", "1m00s", "59m59s", "1h00m00s", "25h01m01s"]
        );
    }
}
