//! The scale of the rates: it follows the limit, and a spike does not set it.

use crate::{
    draw::course::{Level, Step, Trace},
    series::Axis,
};

/// Largest ratio of the scale to the limit.
const MAX_ABOVE_LIMIT: f64 = 4.0;
/// Ratio to the limit up to which a value is not a spike.
const MAX_NEAR: f64 = 2.2;
/// Ratio of the limit to the rates from which on the limit is above the scale.
const FAR_LIMIT: f64 = 10.0;

/// Returns the value at the upper edge of the rates.
pub(super) fn rates_top(traces: &[Trace], limit: &[Level]) -> f64 {
    let calls = traces.iter().filter(|trace| trace.axis == Axis::Calls);
    let largest = largest(traces, Axis::Calls);
    let usual = calls.map(usual).fold(0.0, f64::max);
    let limit = limit.iter().map(|level| level.value).fold(0.0, f64::max);
    if limit <= 0.0 {
        let top = if largest <= 4.0 * usual { largest } else { usual * 1.5 };
        return if top > 0.0 { top * 1.1 } else { (largest * 1.1).max(1.0) };
    }
    if largest * FAR_LIMIT < limit {
        return if largest > 0.0 { largest * 1.25 } else { limit * 1.25 };
    }
    // Values that are not far above the limit are inside.
    let near = traces.iter().filter(|trace| trace.axis == Axis::Calls).flat_map(steps);
    let near = near.map(|(step, trace)| trace.most(step)).filter(|most| *most <= limit * MAX_NEAR).fold(0.0, f64::max);
    (usual * 1.15).min(limit * MAX_ABOVE_LIMIT).max(near * 1.08).max(limit * 1.25)
}

/// Returns the value that a trace does not exceed for nine tenths of its time.
pub(super) fn usual(trace: &Trace) -> f64 {
    let mut values: Vec<_> = trace.steps.iter().map(|step| (step.mean, step.to - step.from + 1)).collect();
    values.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let total: u128 = values.iter().map(|(_, seconds)| u128::from(*seconds)).sum();
    let wanted = total.saturating_sub(1) * 9 / 10;
    let mut passed = 0;
    let reached = values.iter().find(|(_, seconds)| {
        passed += u128::from(*seconds);
        passed > wanted
    });
    reached.map_or(0.0, |(value, _)| *value)
}

fn steps(trace: &Trace) -> impl Iterator<Item = (&Step, &Trace)> {
    trace.steps.iter().map(move |step| (step, trace))
}

/// Returns the largest value that is drawn on an axis.
pub(super) fn largest(traces: &[Trace], axis: Axis) -> f64 {
    let steps = traces.iter().filter(|trace| trace.axis == axis).flat_map(steps);
    steps.map(|(step, trace)| trace.most(step)).fold(0.0, f64::max)
}
