//! Several models on one time axis.

use crate::{
    draw::course::{self, Bins, Course, Form, Level, Panel, Step, Trace, scale},
    names,
    series::{Axis, MODEL_COLORS, OTHERS_COLOR, Series, processes::Processes},
    words::{duration, plural, printable},
};

/// Number of models that have a trace of their own.
const MAX_MODELS: usize = 10;
/// Ratio of the usual rates of two models from which on they are in different panels.
const MAX_RATIO: f64 = 5.0;
/// Usual calls per second of a model from which on its band shows more than single calls.
const MIN_BAND: f64 = 5.0;

impl Course {
    /// Returns the finished calls of several models: the ten largest, and the sum of the others. Models whose scales differ are
    /// in different panels.
    pub(crate) fn of_models(models: &[(&str, &Series)], bins: u64) -> Self {
        let total =
            |series: &Series| series.seconds().iter().fold(0_u64, |sum, second| sum.saturating_add(second.finished()));
        let models: Vec<_> = models.iter().map(|(name, series)| (*name, *series, total(series))).collect();
        Self::of_totals(&models, bins)
    }

    /// Returns the finished calls of several models, whose totals may include calls before their rows.
    pub(crate) fn of_totals(models: &[(&str, &Series, u64)], bins: u64) -> Self {
        let start = models.iter().map(|(_, series, _)| series.start()).min().unwrap_or(0);
        let end = models.iter().map(|(_, series, _)| series.start().saturating_add(series.length())).max().unwrap_or(0);
        let length = end - start;
        let bins = |calls: u64| Bins::of_calls(calls, length, bins);
        let mut ranked = models.to_vec();
        ranked.sort_by_key(|(.., total)| std::cmp::Reverse(*total));
        // A single other model has a trace of its own.
        let shown = if ranked.len() > MAX_MODELS + 1 { MAX_MODELS } else { ranked.len() };
        let mut traces: Vec<Trace> = Vec::new();
        let mut limits = Vec::new();
        for (index, (name, series, total)) in ranked[..shown].iter().enumerate() {
            let color = MODEL_COLORS.get(index).copied().unwrap_or(OTHERS_COLOR);
            let steps = bins(*total).steps_after(series.start() - start, series, 'f');
            limits.push(levels(series, start));
            traces.push(trace(index, format!("{}: {total}", names::of_model(name)), color, steps));
        }
        if shown < ranked.len() {
            let others = &ranked[shown..];
            let total = others.iter().fold(0_u64, |sum, (.., total)| sum.saturating_add(*total));
            let seconds = others.iter().flat_map(|(_, series, _)| series.seconds());
            let mut seconds: Vec<_> =
                seconds.map(|second| crate::series::Second::from_counts(second.at, second.counts)).collect();
            seconds.sort_by_key(|second| second.at);
            let sum: Series = seconds.into_iter().collect();
            let steps = bins(total).steps_after(sum.start() - start, &sum, 'f');
            traces.push(trace(shown, format!("{} others: {total}", others.len()), OTHERS_COLOR, steps));
        }
        let finished = models.iter().fold(0_u64, |sum, (.., total)| sum.saturating_add(*total));
        let (finished, count) = (plural(finished, "call"), models.len() as u64);
        let processes = models.iter().filter_map(|(_, series, _)| Processes::of(series)).max_by_key(|all| all.members);
        let processes = processes.and_then(Processes::title).map_or_else(String::new, |text| format!(": {text}"));
        Self {
            title: printable(&format!("Finished Calls by Model{processes}")),
            subtitle: format!("{}, {finished} finished in {}", plural(count, "model"), duration(length)),
            start: Some(start),
            last: length.saturating_sub(1),
            panels: panels(traces, &limits),
            pauses: Vec::new(),
            closed: Vec::new(),
            events: Vec::new(),
        }
    }
}

fn trace(index: usize, name: String, color: crate::series::Color, steps: Vec<Step>) -> Trace {
    Trace {
        name,
        #[cfg(feature = "terminal")]
        letter: ('a'..='z').nth(index).unwrap_or('*'),
        color,
        is_pale: false,
        width: 4,
        axis: Axis::Calls,
        has_band: true,
        form: if index % 2 == 1 { Form::Dashed } else { Form::Solid },
        steps,
    }
}

/// Returns the configured limits of a model, on an axis that begins at `start`.
fn levels(series: &Series, start: u64) -> Vec<Level> {
    let shift = series.start() - start;
    let levels = course::limits(series, 1).into_iter();
    levels
        .map(|Level { from, to, value }| Level {
            from: from.saturating_add(shift),
            to: to.saturating_add(shift),
            value,
        })
        .collect()
}

/// Puts traces of similar scales into one panel, in the order of their totals. A panel of one model has its limit, of the ones in
/// the order of the traces.
fn panels(traces: Vec<Trace>, limits: &[Vec<Level>]) -> Vec<Panel> {
    let mut groups: Vec<(f64, Vec<Trace>, usize)> = Vec::new();
    for (index, trace) in traces.into_iter().enumerate() {
        let usual = scale::usual(&trace);
        let is_similar = |first: f64| usual <= first * MAX_RATIO && first <= usual * MAX_RATIO;
        match groups.iter_mut().find(|(first, ..)| is_similar(*first)) {
            Some((_, group, _)) => group.push(trace),
            None => groups.push((usual, vec![trace], index)),
        }
    }
    let count = groups.len();
    let panel = |(_, mut traces, first): (f64, Vec<Trace>, usize)| {
        // Bands of several models would cover each other, and that of a slow one is from none to one.
        let has_band = traces.len() == 1 && scale::usual(&traces[0]) >= MIN_BAND;
        traces.iter_mut().for_each(|trace| trace.has_band = has_band);
        let limit = if traces.len() == 1 { limits.get(first).cloned().unwrap_or_default() } else { Vec::new() };
        let top = scale::rates_top(&traces, &limit);
        // A single panel is named by the legend.
        let names = traces.iter().map(|trace| {
            (trace.name.rsplit_once(": ").map_or(trace.name.as_str(), |(model, _)| model).to_owned(), trace.color)
        });
        let names = if count > 1 { names.collect() } else { Vec::new() };
        let unit = match count {
            1 => "Finished per second",
            2 | 3 => "Per second",
            // Low panels have no room for words.
            _ => "/s",
        };
        Panel { unit: unit.into(), weight: 1.0, traces, top, limit, adapted: Vec::new(), names }
    };
    groups.into_iter().map(panel).collect()
}
