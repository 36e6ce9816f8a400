//! The panels as graphs for the cells of a terminal.

use crate::{
    draw::{
        course::{Course, Panel},
        graph::{Curve, Graph, abbreviated},
    },
    series::{Axis, Color},
};

/// Color of the line of a limit.
const LIMIT: Color = Color { light: (90, 90, 96), dark: (190, 190, 200) };

impl Course {
    /// Returns one graph for each panel, in which larger values than the scale of the panel are cut off.
    pub(crate) fn graphs(&self) -> Vec<Graph> {
        let graph = |panel: &Panel| Graph {
            title: self.title.clone(),
            unit: panel.unit.clone(),
            start: Some(self.start),
            last: self.last,
            curves: limits(panel).chain(curves(panel)).collect(),
            pauses: self.pauses.iter().map(|span| (span.from, span.to)).collect(),
            closed: self.closed.iter().map(|span| (span.from, span.to)).collect(),
        };
        self.panels.iter().map(graph).collect()
    }
}

fn curves(panel: &Panel) -> impl Iterator<Item = Curve> {
    panel.traces.iter().map(|trace| {
        let top = if trace.axis == Axis::Calls { panel.top } else { f64::MAX };
        let ends = trace.steps.iter().flat_map(move |step| [step.from, step.to].map(|at| (at, step.mean.min(top))));
        let mut corners: Vec<_> = ends.collect();
        corners.dedup();
        Curve {
            name: trace.name.clone(),
            letter: trace.letter,
            color: trace.color,
            width: trace.width,
            axis: trace.axis,
            is_pale: trace.is_pale,
            corners,
        }
    })
}

/// Returns the limit as a curve, unless it is above the scale.
fn limits(panel: &Panel) -> impl Iterator<Item = Curve> {
    let last = panel.limit.last().filter(|level| level.value <= panel.top);
    last.into_iter().map(|level| Curve {
        name: format!(
            "limit {}",
            abbreviated((level.value * 100.0).round() / 100.0, if level.value < 10.0 { 0.1 } else { 1.0 })
        ),
        letter: '-',
        color: LIMIT,
        width: 2,
        axis: Axis::Calls,
        is_pale: false,
        corners: panel.limit.iter().flat_map(|level| [(level.from, level.value), (level.to, level.value)]).collect(),
    })
}
