//! The course of a run as panels on one time axis: rates above, the queue below.

mod bins;
mod events;
#[cfg(feature = "terminal")]
mod graphs;
mod many;
mod runs;
mod scale;
mod spans;

use crate::{
    names,
    series::{Axis, Color, Line, Lines, Second, Series, processes::Processes},
    summary::{self, Summary},
    words::printable,
};

pub(crate) use bins::{Bins, Step};
pub(crate) use events::{Event, Mark, of as events};
pub(crate) use spans::{Level, Span, adapted_limits, closed, limits, pauses};

/// A chart of several panels on one time axis.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) title: String,
    /// Limit and verdict.
    pub(crate) subtitle: String,
    /// First second, since the epoch; `None` for several runs, which are aligned at their starts.
    pub(crate) start: Option<u64>,
    /// Offset of the last second.
    pub(crate) last: u64,
    /// Panels from top to bottom.
    pub(crate) panels: Vec<Panel>,
    pub(crate) pauses: Vec<Span>,
    /// Spans in which the limiter was closed.
    pub(crate) closed: Vec<Span>,
    /// Events in the order of time.
    pub(crate) events: Vec<Event>,
}

/// Traces on common axes.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    /// Title of the left axis, if it is an axis of calls.
    pub(crate) unit: String,
    /// Share of the height, relative to the other panels.
    pub(crate) weight: f64,
    pub(crate) traces: Vec<Trace>,
    /// Value at the upper edge of the axis of calls. Larger values are cut off.
    pub(crate) top: f64,
    /// The configured limit in the unit of the panel.
    pub(crate) limit: Vec<Level>,
    /// The adapted limit where it differs from the configured one.
    pub(crate) adapted: Vec<Level>,
    /// Names beside the panel, each in a color; empty if the panel needs none.
    pub(crate) names: Vec<(String, Color)>,
}

/// One line of a panel.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) name: String,
    /// Character of the trace in a terminal without colors.
    #[cfg(feature = "terminal")]
    pub(crate) letter: char,
    pub(crate) color: Color,
    /// `true` for the other run of a comparison.
    pub(crate) is_pale: bool,
    pub(crate) width: u32,
    pub(crate) axis: Axis,
    pub(crate) form: Form,
    /// `true` if the band from the least to the largest value is drawn.
    pub(crate) has_band: bool,
    /// Steps in the order of time. Between steps that do not touch, the value is unknown.
    pub(crate) steps: Vec<Step>,
}

/// Form of a trace, as a second cue besides its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Solid,
    Dashed,
    /// Filled down to zero.
    Area,
}

impl Course {
    /// Returns the lines of one model in at most about `bins` steps.
    pub(crate) fn of_model(model: &str, series: &Series, lines: &Lines, bins: u64, summary: &Summary) -> Self {
        let processes = Processes::of(series).and_then(Processes::title);
        let processes = processes.map_or_else(String::new, |processes| format!(": {processes}"));
        let course = Self::of_rows(series, lines, &Bins::of(series, bins));
        Self {
            title: printable(&format!("Request Flow for {}{processes}", names::of_model(model))),
            subtitle: printable(&summary::headline(summary, series).join("  ·  ")),
            ..course
        }
    }

    /// Returns the lines of one model without titles.
    pub(crate) fn of_rows(series: &Series, lines: &Lines, bins: &Bins) -> Self {
        let chosen = |in_queue: bool| lines.iter().filter(move |line| is_of_queue(line, series) == in_queue);
        let panels = [rates(series, chosen(false), bins), queue(series, chosen(true), bins)];
        Self {
            title: String::new(),
            subtitle: String::new(),
            start: Some(series.start()),
            last: series.length().saturating_sub(1),
            panels: panels.into_iter().flatten().collect(),
            events: events(series),
            pauses: pauses(series),
            closed: closed(series),
        }
    }
}

/// Returns `true` for lines of the queue and of times, which are in the lower panel. In a log that contains the refused calls in
/// the queue, these are a part of it.
pub(crate) fn is_of_queue(line: &Line, series: &Series) -> bool {
    let is_level = matches!(line.letter, 'o' | 'n') || (line.letter == 'e' && series.has_refused_queue());
    is_level || line.axis == Axis::Seconds
}

fn rates<'a>(series: &Series, lines: impl Iterator<Item = &'a Line>, bins: &Bins) -> Option<Panel> {
    let lines: Vec<_> = lines.collect();
    let mut traces: Vec<_> = lines.iter().map(|line| trace(series, line, bins)).collect();
    if traces.is_empty() {
        return None;
    }
    // The band of finished calls would cover that of issued ones.
    if lines.iter().any(|line| line.letter == 'i') {
        traces.iter_mut().zip(&lines).for_each(|(trace, line)| trace.has_band = line.letter != 'f');
    }
    let has_calls = traces.iter().any(|trace| trace.axis == Axis::Calls);
    let drawn = |of: fn(&Series, u64) -> Vec<Level>| if has_calls { of(series, bins.per()) } else { Vec::new() };
    let (limit, adapted) = (drawn(limits), drawn(adapted_limits));
    let top = scale::rates_top(&traces, &limit);
    Some(Panel { unit: bins.unit().into(), weight: 1.7, top, traces, limit, adapted, names: Vec::new() })
}

fn queue<'a>(series: &Series, lines: impl Iterator<Item = &'a Line>, bins: &Bins) -> Option<Panel> {
    let traces: Vec<_> = lines.map(|line| trace(series, line, bins)).collect();
    let top = scale::largest(&traces, Axis::Calls) * 1.08;
    let is_drawn = !traces.is_empty();
    let panel = Panel {
        unit: "Calls".into(),
        weight: 1.0,
        top: top.max(1.0),
        traces,
        limit: Vec::new(),
        adapted: Vec::new(),
        names: Vec::new(),
    };
    is_drawn.then_some(panel)
}

fn trace(series: &Series, line: &Line, bins: &Bins) -> Trace {
    let form = match line.letter {
        'o' | 'e' => Form::Area,
        'f' | 'l' | 'u' => Form::Dashed,
        _ => Form::Solid,
    };
    let mut steps = bins.steps(series, line.letter);
    if line.letter == 'e' {
        // Refusals are bars, and seconds without any are empty.
        steps.retain(|step| step.most > 0.0);
    }
    Trace {
        name: name(series, line).into(),
        #[cfg(feature = "terminal")]
        letter: line.letter,
        color: line.color,
        is_pale: false,
        // Thinner than on a single axis, since lines rarely cover each other. Demand and finished calls do not cover the pace.
        width: if line.letter == 'f' {
            2
        } else if matches!(line.letter, 'r' | 'e') {
            3
        } else {
            (line.width * 2).div_ceil(3).max(3) + 1
        },
        axis: line.axis,
        form,
        has_band: true,
        steps,
    }
}

/// Returns the name of a line. Refusals are named by their causes.
fn name(series: &Series, line: &Line) -> &'static str {
    let seconds = series.seconds();
    let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).fold(0, u64::saturating_add);
    match (sum(Second::refused), sum(|second| second.overloaded.into())) {
        (refused, overloaded) if line.letter == 'e' && overloaded > 0 => {
            if overloaded >= refused {
                "overloaded"
            } else {
                "rate limited or overloaded"
            }
        }
        _ => series.name_of(line),
    }
}

impl Step {
    /// Returns `true` if the step has a band.
    pub(crate) fn is_spread(&self) -> bool {
        self.most > self.least
    }
}

impl Trace {
    /// Returns `true` if a band is drawn.
    pub(crate) fn is_banded(&self) -> bool {
        self.has_band && self.steps.iter().any(Step::is_spread)
    }

    /// Returns the largest value that is drawn of a step.
    pub(crate) fn most(&self, step: &Step) -> f64 {
        if self.has_band { step.most } else { step.mean }
    }
}

impl Panel {
    /// Returns the largest value on an axis; `None` if no trace has it.
    pub(crate) fn largest(&self, axis: Axis) -> Option<f64> {
        let is_present = self.traces.iter().any(|trace| trace.axis == axis);
        is_present.then(|| if axis == Axis::Calls { self.top } else { scale::largest(&self.traces, axis) * 1.05 })
    }
}

#[cfg(test)]
mod tests;
