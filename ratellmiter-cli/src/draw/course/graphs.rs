//! The panels as graphs for the cells of a terminal.

use crate::{
    draw::{
        course::{Course, Panel, Step, Trace},
        graph::{Curve, Graph, abbreviated},
        time_axis,
    },
    series::{Axis, Color},
};

/// Color of the line of a limit.
const LIMIT: Color = Color { light: (90, 90, 96), dark: (190, 190, 200) };

impl Course {
    /// Returns one graph for each panel with its share of the height. Larger values than the scale of the panel are cut off.
    pub(crate) fn graphs(&self) -> Vec<(Graph, f64)> {
        let graph = |panel: &Panel| Graph {
            title: self.title.clone(),
            unit: panel.unit.clone(),
            caption: time_axis::caption(self.start),
            top: Some(panel.top).filter(|_| panel.traces.iter().any(|trace| trace.axis == Axis::Calls)),
            last: self.last,
            curves: limits(panel).into_iter().chain(curves(panel)).collect(),
            pauses: self.pauses.iter().map(|span| (span.from, span.to)).collect(),
            closed: self.closed.iter().map(|span| (span.from, span.to)).collect(),
        };
        self.panels.iter().map(graph).zip(self.panels.iter().map(|panel| panel.weight)).collect()
    }
}

fn curves(panel: &Panel) -> impl Iterator<Item = Curve> {
    panel.traces.iter().map(|trace| {
        let top = if trace.axis == Axis::Calls { panel.top } else { f64::MAX };
        Curve {
            name: name(trace, top),
            letter: trace.letter,
            color: trace.color,
            width: trace.width,
            axis: trace.axis,
            is_pale: trace.is_pale,
            corners: corners(&trace.steps, top),
        }
    })
}

/// Returns the name of a trace, and its largest value if that is cut off.
fn name(trace: &Trace, top: f64) -> String {
    let most = trace.steps.iter().map(|step| trace.most(step)).fold(0.0, f64::max);
    if most > top { format!("{}, up to {}", trace.name, number(most)) } else { trace.name.clone() }
}

/// Returns the corners of steps. Between steps that do not touch, there is a corner without a value.
fn corners(steps: &[Step], top: f64) -> Vec<(u64, f64)> {
    let mut corners: Vec<(u64, f64)> = Vec::new();
    for run in steps.chunk_by(|one, next| one.to.checked_add(1) == Some(next.from)) {
        if !corners.is_empty() {
            corners.push((run[0].from, f64::NAN));
        }
        let start = corners.len();
        corners.extend(run.iter().flat_map(|step| [step.from, step.to].map(|at| (at, step.mean.min(top)))));
        let mut kept = corners.split_off(start);
        kept.dedup();
        if let [only] = kept[..] {
            kept.push(only);
        }
        corners.append(&mut kept);
    }
    corners
}

/// Formats a number with one decimal below 10.
fn number(value: f64) -> String {
    abbreviated((value * 100.0).round() / 100.0, if value < 10.0 && value.fract() > 0.0 { 0.1 } else { 1.0 })
}

/// Number of limits that are named.
const MAX_LIMITS: usize = 3;

/// Returns the limits as a curve, as far as they are on the scale.
fn limits(panel: &Panel) -> Option<Curve> {
    let levels = || panel.limit.iter().filter(|level| level.value <= panel.top);
    let mut values: Vec<_> = levels().map(|level| number(level.value)).collect();
    values.dedup();
    (!values.is_empty()).then(|| Curve {
        name: format!("limit {}", values[values.len().saturating_sub(MAX_LIMITS)..].join(", ")),
        letter: '-',
        color: LIMIT,
        width: 2,
        axis: Axis::Calls,
        is_pale: false,
        corners: levels()
            .flat_map(|level| [(level.from, f64::NAN), (level.from, level.value), (level.to, level.value)])
            .skip(1)
            .collect(),
    })
}
