//! Two runs of one model on one time axis.

use crate::{
    draw::course::{Bins, Course, Form, Panel},
    names::of_model,
    series::{Lines, Series},
    words::printable,
};

impl Course {
    /// Returns the lines of two runs of one model, aligned at their starts. Events and shades belong to the first run, and the
    /// second one is pale. `names` are the names of their logs.
    pub(crate) fn of_runs(model: &str, runs: [&Series; 2], names: [&str; 2], lines: &Lines, bins: u64) -> Self {
        let bins = Bins::of_runs(runs, bins);
        let [this, mut other] = runs.map(|series| Self::of_rows(series, lines, &bins));
        let limits = [&this, &other].map(limit);
        for trace in other.panels.iter_mut().flat_map(|panel| &mut panel.traces) {
            trace.name = format!("{} (other)", trace.name);
            trace.is_pale = true;
            // Some colors can hardly be paler.
            trace.width = 2;
            trace.has_band = false;
            #[cfg(feature = "terminal")]
            {
                trace.letter = trace.letter.to_ascii_uppercase();
            }
            if trace.form == Form::Area {
                trace.form = Form::Solid;
            }
        }
        let panels = this.panels.into_iter().zip(other.panels).map(|(this, other)| merged(this, other)).collect();
        let limit =
            |limit: Option<f64>| limit.map_or_else(|| "unknown".into(), |limit| format!("{} a minute", limit.round()));
        let subtitle = match limits {
            [None, None] => String::new(),
            [one, two] if one == two => format!("limit {}", limit(one)),
            [one, two] => format!("limit {}, pale {}", limit(one), limit(two)),
        };
        Self {
            title: printable(&format!("Request Flow for {}: {} and {} (pale)", of_model(model), names[0], names[1])),
            subtitle,
            start: None,
            last: this.last.max(other.last),
            panels,
            ..this
        }
    }
}

/// Returns the last limit in calls per minute.
fn limit(course: &Course) -> Option<f64> {
    let panel = course.panels.iter().find(|panel| !panel.limit.is_empty())?;
    let per_minute = if panel.unit.ends_with("minute") { 1.0 } else { 60.0 };
    panel.limit.last().map(|level| (level.value * per_minute * 10.0).round() / 10.0)
}

/// Returns a panel with the traces of both runs, the other one below.
fn merged(this: Panel, other: Panel) -> Panel {
    let top = this.top.max(other.top);
    let traces = other.traces.into_iter().chain(this.traces).collect();
    // A limit that both runs have is drawn once.
    let is_new = other.limit.last().map(|level| level.value) != this.limit.last().map(|level| level.value);
    let limit = this.limit.into_iter().chain(other.limit.into_iter().filter(|_| is_new)).collect();
    Panel { traces, top, limit, ..this }
}
