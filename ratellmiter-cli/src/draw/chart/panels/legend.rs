//! The legend of a course: shades, lines and marks that occur in it.

use plotters::style::RGBColor;

use crate::{
    draw::{
        chart::{
            legend::{Entry, Sample},
            marks::Shape,
            panels::{kinds, labels, traces},
        },
        course::{Course, Form, Mark, Panel, Span, Trace},
        graph::CLOSED,
        theme::Theme,
    },
    series::color_of,
};

/// Name of the band of the values that a mean line stands for.
const BAND: &str = "least to most";

/// Returns the entries of the legend: what is drawn, and nothing else.
pub(super) fn entries(course: &Course, theme: Theme) -> Vec<Entry> {
    let closed = shade(&course.closed, CLOSED.into(), theme.closed());
    let traces = course.panels.iter().flat_map(|panel| &panel.traces).filter(|trace| !trace.steps.is_empty());
    let has = |is_drawn: fn(&Panel) -> bool| course.panels.iter().any(is_drawn);
    let line = |name: &str, sample| Entry { name: name.into(), sample, color: theme.foreground() };
    let limit =
        has(|panel| labels::is_drawn(&panel.limit, panel)).then(|| line("limit", Sample::Dashes(labels::LIMIT)));
    let adapted = has(|panel| labels::is_drawn(&panel.adapted, panel))
        .then(|| line("adapted limit", Sample::Stroke(labels::LIMIT)));
    let band = has(|panel| panel.traces.iter().any(Trace::is_banded)).then(|| Entry {
        name: BAND.into(),
        sample: Sample::Shade,
        color: theme.band(),
    });
    let pauses = shade(&course.pauses, pause(&course.pauses), theme.pause());
    let marks = kinds(course).map(|kind| mark(course, kind, theme));
    let lines = closed.into_iter().chain(traces.map(|trace| of_trace(trace, theme)));
    lines.chain(limit).chain(adapted).chain(band).chain(pauses).chain(marks).collect()
}

fn shade(spans: &[Span], name: String, color: RGBColor) -> Option<Entry> {
    (!spans.is_empty()).then_some(Entry { name, sample: Sample::Shade, color })
}

/// Returns the name of the shade of pauses, with the causes that label them.
fn pause(pauses: &[Span]) -> String {
    let mut causes: Vec<_> = pauses.iter().map(|span| span.cause).filter(|cause| *cause != "paused").collect();
    causes.sort_unstable();
    causes.dedup();
    if causes.is_empty() { "pause".into() } else { format!("pause: {}", causes.join(", ")) }
}

fn of_trace(trace: &Trace, theme: Theme) -> Entry {
    let sample = match trace.form {
        Form::Dashed => Sample::Dashes(trace.width),
        Form::Solid | Form::Area => Sample::Stroke(trace.width),
    };
    Entry { name: trace.name.clone(), sample, color: traces::color(trace, theme) }
}

fn mark(course: &Course, mark: Mark, theme: Theme) -> Entry {
    let counts = course.events.iter().filter(|event| event.mark == mark).map(|event| event.count);
    let count = counts.fold(0, u64::saturating_add);
    let name = format!("{count} {}", mark.name(count));
    Entry { name, sample: Sample::Mark(Shape::of(mark)), color: mark_color(mark, theme) }
}

pub(super) fn mark_color(mark: Mark, theme: Theme) -> RGBColor {
    match mark {
        Mark::Refusal | Mark::Overload => theme.color(color_of('e')),
        Mark::RefusedCanary | Mark::AcceptedCanary => theme.foreground(),
        Mark::Closed => theme.closed_mark(),
    }
}
