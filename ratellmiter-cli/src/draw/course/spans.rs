//! Pauses, spans in which a limiter is closed, and levels of its limits.

use ratellmiter_core::log::ClosedReason;

use crate::{
    series::{Second, Series, pauses::Pause},
    words::precise_duration,
};

/// A labeled span of seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    /// Offset of the first second.
    pub(crate) from: u64,
    /// Offset of the last second.
    pub(crate) to: u64,
    /// Milliseconds of the first second before the span, and of the last one after it.
    pub(crate) around_ms: [u32; 2],
    pub(crate) cause: &'static str,
}

impl Span {
    /// Returns the length as a text.
    pub(crate) fn length(&self) -> String {
        let (from, to) = self.ends();
        let seconds = to - from + 1.0;
        if seconds < 1.0 { precise_duration(seconds, 1) } else { precise_duration(seconds, 0) }
    }

    /// Returns the offsets of the start and of the start of the last second, as if the span ended with a whole second.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn ends(&self) -> (f64, f64) {
        let [before, after] = self.around_ms.map(|part| f64::from(part) / 1000.0);
        (self.from as f64 + before, self.to as f64 - after)
    }
}

/// A value that holds for a span of seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Offset of the first second.
    pub(crate) from: u64,
    /// Offset of the last second.
    pub(crate) to: u64,
    pub(crate) value: f64,
}

/// Returns the pauses with their causes.
pub(crate) fn pauses(series: &Series) -> Vec<Span> {
    let seconds = series.seconds();
    let cause = |from: u64, to: u64| {
        // The refusal may be in the row before the first paused second.
        let first = seconds.partition_point(|second| second.at < from.saturating_sub(1));
        let rows = seconds[first..].iter().take_while(|second| second.at <= to);
        let (refused, overloaded) = rows.fold((0_u64, 0_u64), |(refused, overloaded), second| {
            (refused.saturating_add(second.refused()), overloaded.saturating_add(second.overloaded.into()))
        });
        match (refused, overloaded) {
            (0, _) => "paused",
            (refused, overloaded) if refused == overloaded => "overloaded",
            _ => "refused",
        }
    };
    let span = |Pause { from, to, around_ms }| Span {
        from: from - series.start(),
        to: to - series.start(),
        around_ms,
        cause: cause(from, to),
    };
    series.paused_parts().into_iter().map(span).collect()
}

/// Returns the spans in which the limiter was closed, with their reasons.
pub(crate) fn closed(series: &Series) -> Vec<Span> {
    let spans = series.closed_spans();
    let span = |span: &crate::series::closed::ClosedSpan| Span {
        from: span.from - series.start(),
        to: span.to - series.start(),
        around_ms: [0; 2],
        cause: match span.reason {
            ClosedReason::Quota => "closed: quota",
            ClosedReason::Unavailable => "closed: unavailable",
            ClosedReason::Other => "closed",
        },
    };
    spans.iter().map(span).collect()
}

/// Returns the levels of the configured limit in calls per `per` seconds; none for a sum of logs with different limits, whose mean
/// holds for none of them.
pub(crate) fn limits(series: &Series, per: u64) -> Vec<Level> {
    levels_unless_different(series, |second| second.limit, per)
}

/// Returns the levels of the adapted limit where it differs from the configured one, as [`limits`].
pub(crate) fn adapted_limits(series: &Series, per: u64) -> Vec<Level> {
    levels_unless_different(series, Second::adapted_rate, per)
}

fn levels_unless_different(series: &Series, of: fn(&Second) -> f32, per: u64) -> Vec<Level> {
    if series.limit_conflict().is_some() { Vec::new() } else { levels(series, of, per) }
}

/// Returns the levels of a gauge in calls per `per` seconds. It keeps its value in a gap between rows.
#[allow(clippy::cast_precision_loss)]
fn levels(series: &Series, of: impl Fn(&Second) -> f32, per: u64) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    let mut is_known = false;
    for second in series.seconds() {
        let (at, value) = (second.at - series.start(), f64::from(of(second)) * per as f64);
        let was_known = std::mem::replace(&mut is_known, value.is_finite());
        if was_known && let Some(level) = levels.last_mut() {
            level.to = at.saturating_sub(1).max(level.from);
            if is_known && (level.value - value).abs() <= 1e-3 * value {
                level.to = at;
                continue;
            }
        }
        if is_known {
            levels.push(Level { from: at, to: at, value });
        }
    }
    levels
}
