//! The figures beside the charts of a run in progress.

use std::{fmt::Display, time::Duration};

use super::{Figure, Model, Run};
use crate::words::duration;

impl Run {
    pub(super) fn figures(&self, model: &Model, now: Duration) -> Vec<Figure> {
        let last = &model.last;
        let remaining = |seconds: f64| duration_text(seconds - self.age(model, now));
        let queued = self.queued(model);
        let is_closed = self.is_closed(model, now);
        let pause = match (last.closed_for, last.paused_for) {
            (Some(seconds), _) if is_closed => format!("closed {}", remaining(seconds)),
            (None, _) if is_closed => "closed".into(),
            _ if !self.is_paused(model) => "–".into(),
            (_, Some(seconds)) => remaining(seconds),
            (_, None) => "paused".into(),
        };
        #[allow(clippy::cast_precision_loss)]
        let time_left = match (last.time_left, last.rate) {
            _ if queued == 0 => "–".into(),
            (Some(seconds), _) => remaining(seconds),
            // Logs of earlier versions do not contain the time left.
            (None, Some(rate)) if rate > 0.0 => format!("~{}", remaining(queued as f64 / rate)),
            _ => "–".into(),
        };
        let rate = match (last.rate, last.limit) {
            (Some(rate), Some(limit)) if rate_text(rate) != rate_text(limit) => {
                format!("{} of {}", rate_text(rate), rate_text(limit))
            }
            (Some(rate), _) => rate_text(rate),
            (None, _) => "–".into(),
        };
        let mut figures = vec![
            figure("waiting", queued),
            figure("in flight", last.in_flight.map_or_else(|| "–".into(), |calls| calls.to_string())),
            figure("allowed/s", rate),
            figure("pause", pause),
            figure("time left", time_left),
        ];
        figures[3].is_alarm = is_closed || self.is_paused(model);
        if let Some(fraction) = last.budget {
            // The budget of an idle model refills without a row.
            let text = if self.is_idle(model) { "–".into() } else { format!("{:.0} %", fraction * 100.0) };
            figures.push(figure("budget", text));
        }
        figures.extend(totals(model.totals));
        figures
    }

    pub(super) fn summed_figures(&self, models: &[(&str, &Model)], now: Duration) -> Vec<Figure> {
        let models = || models.iter().map(|(_, model)| *model);
        let paused = models().filter(|model| self.is_paused(model)).count();
        let longest = models()
            .filter(|model| self.queued(model) > 0)
            .filter_map(|model| Some(model.last.time_left? - self.age(model, now)));
        let mut sums = [0_u64; 3];
        models().for_each(|model| {
            sums.iter_mut().zip(model.totals).for_each(|(sum, total)| *sum = sum.saturating_add(total));
        });
        let in_flight = models().filter_map(|model| model.last.in_flight);
        let mut figures = vec![
            figure("waiting", models().fold(0, |sum: u64, model| sum.saturating_add(self.queued(model)))),
            figure("in flight", in_flight.map(u64::from).fold(0, u64::saturating_add)),
            figure("models", models().count()),
            figure("paused", paused),
            figure("time left", longest.reduce(f64::max).map_or_else(|| "–".into(), duration_text)),
        ];
        figures[3].is_alarm = paused > 0;
        let closed = models().filter(|model| self.is_closed(model, now)).count();
        if closed > 0 {
            figures.insert(4, Figure { is_alarm: true, ..figure("closed", closed) });
        }
        figures.extend(totals(sums));
        figures
    }
}

fn figure(name: &'static str, value: impl Display) -> Figure {
    Figure { name, value: value.to_string(), is_alarm: false }
}

fn totals([calls, finished, refusals]: [u64; 3]) -> [Figure; 3] {
    let mut totals = [figure("calls", calls), figure("finished", finished), figure("refusals", refusals)];
    totals[2].is_alarm = refusals > 0;
    totals
}

/// Formats a rate in calls per second.
fn rate_text(rate: f64) -> String {
    let decimals = if rate >= 100.0 { 1.0 } else { 10.0 };
    ((rate * decimals).round() / decimals).to_string()
}

/// Formats a duration, rounded up to whole seconds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn duration_text(seconds: f64) -> String {
    duration(seconds.max(0.0).ceil() as u64)
}
