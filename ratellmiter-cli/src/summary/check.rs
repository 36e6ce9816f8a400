//! `-check`: conditions on a run, such as `refusals<=2,wait_p99<=5s,finished>=100`.

use std::{fmt, str::FromStr};

use crate::{
    series::times::Bounds,
    summary::figures::{self, Figure, Summary, Unit},
};

/// Conditions that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conditions(Vec<Condition>);

#[derive(Clone)]
struct Condition {
    name: &'static str,
    figure: &'static Figure,
    comparison: Comparison,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    AtMost,
    AtLeast,
    Below,
    Above,
    Equal,
}

/// Figures are identified by their names.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.comparison, self.bound) == (other.name, other.comparison, other.bound)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// Operators, of which no earlier one is a prefix of a later one.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Comparison {
    #[allow(clippy::float_cmp)] // Counts are exact; comparing times for equality is left to the user.
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtMost => value <= bound,
            Self::AtLeast => value >= bound,
            Self::Below => value < bound,
            Self::Above => value > bound,
            Self::Equal => value == bound,
        }
    }
}

impl FromStr for Conditions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = |problem: String| format!("{problem}; {}", grammar());
        let Some((name, comparison, bound)) = COMPARISONS.iter().find_map(|(operator, comparison)| {
            text.split_once(operator).map(|(name, bound)| (name.trim(), *comparison, bound.trim()))
        }) else {
            return Err(error(format!("{text:?} is not a condition")));
        };
        let (name, figure) = figures::checkable()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| error(format!("unknown figure {name:?}")))?;
        let bound = parse_bound(bound, figure.unit).ok_or_else(|| match figure.unit {
            unit if unit.is_time() => error(format!("{bound:?} is not a duration such as 5s, 200ms or 2m")),
            _ => error(format!("{bound:?} is not a number")),
        })?;
        Ok(Self { name, figure, comparison, bound })
    }
}

fn parse_bound(text: &str, unit: Unit) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    if matches!(unit, Unit::Fraction | Unit::Ratio)
        && let Some(percent) = text.strip_suffix('%')
    {
        return number(percent.trim_end()).map(|value| value / 100.0);
    }
    if !unit.is_time() {
        return number(text);
    }
    // Figures are divided too, so that equal times are equal numbers.
    let units = [("ms", 1.0, 1000.0), ("s", 1.0, 1.0), ("m", 60.0, 1.0), ("h", 3600.0, 1.0)];
    units
        .iter()
        .find_map(|(suffix, factor, divisor)| number(text.strip_suffix(suffix)?).map(|value| value * factor / divisor))
}

/// Returns the names of the figures that conditions may contain.
pub(crate) fn figure_names() -> impl Iterator<Item = &'static str> {
    figures::checkable().map(|(name, _)| name)
}

fn grammar() -> String {
    let names: Vec<_> = figure_names().collect();
    format!(
        "allowed are conditions like FIGURE<=VALUE with <=, >=, <, > or ==, separated by commas; figures are {}",
        names.join(", ")
    )
}

impl Conditions {
    /// Returns the conditions that do not hold for `run`, each with the actual figure.
    pub(crate) fn broken_by(&self, run: &Summary) -> Vec<String> {
        self.0.iter().filter_map(|condition| condition.broken_by(run)).collect()
    }
}

impl Condition {
    /// Returns the condition and the actual figure if it does not hold. A figure that the log does not contain breaks it.
    fn broken_by(&self, run: &Summary) -> Option<String> {
        let Self { figure, comparison, bound, .. } = self;
        let Some(Bounds { least, most }) = figure.bounds(run) else {
            return Some(format!("{}: the log does not contain it", self.text()));
        };
        // A value that is not known exactly holds if both of its bounds do.
        if comparison.holds(least, *bound) && comparison.holds(most, *bound) {
            return None;
        }
        let [least, most] = [least, most].map(|value| {
            display(figure.unit, value, |rounded| comparison.holds(rounded, *bound) == comparison.holds(value, *bound))
        });
        Some(if least == most {
            format!("{}: it is {most}", self.text())
        } else {
            format!("{}: it is between {least} and {most}, as far as the log contains it", self.text())
        })
    }

    #[allow(clippy::float_cmp)] // Enough digits show the same number.
    fn text(&self) -> String {
        let operator = COMPARISONS
            .iter()
            .find(|(_, comparison)| *comparison == self.comparison)
            .map_or("", |(operator, _)| operator);
        format!("{}{operator}{}", self.name, display(self.figure.unit, self.bound, |rounded| rounded == self.bound))
    }
}

/// Formats a value with at most three decimals, or as many as `is_enough` requires of the rounded value.
#[allow(clippy::float_cmp)] // Only zero itself is shown as zero.
fn display(unit: Unit, value: f64, is_enough: impl Fn(f64) -> bool) -> String {
    let rounded = |decimals| {
        let scale = 10_f64.powi(decimals);
        (value * scale).round() / scale
    };
    let is_precise = |rounded: f64| is_enough(rounded) && (rounded != 0.0 || value == 0.0);
    let value = (3..=12).map(rounded).find(|rounded| is_precise(*rounded)).unwrap_or(value);
    match unit {
        unit if unit.is_time() => format!("{value}s"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
