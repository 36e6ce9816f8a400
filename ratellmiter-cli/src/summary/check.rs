//! `-check`: conditions on a run, such as `refusals<=2,wait_p99<=5s,finished>=100`.

use std::{fmt, str::FromStr};

use crate::summary::figures::{self, Figure, Summary, Unit};

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
            Unit::Seconds => error(format!("{bound:?} is not a duration such as 5s, 200ms or 2m")),
            _ => error(format!("{bound:?} is not a number")),
        })?;
        Ok(Self { name, figure, comparison, bound })
    }
}

fn parse_bound(text: &str, unit: Unit) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    if unit != Unit::Seconds {
        return number(text);
    }
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
    units.iter().find_map(|(suffix, factor)| number(text.strip_suffix(suffix)?).map(|value| value * factor))
}

fn grammar() -> String {
    let names: Vec<_> = figures::checkable().map(|(name, _)| name).collect();
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
    #[allow(clippy::float_cmp)] // Counts are exact; comparing times for equality is left to the user.
    fn broken_by(&self, run: &Summary) -> Option<String> {
        let Self { figure, comparison, bound, .. } = self;
        let Some(value) = figure.value(run) else {
            return Some(format!("{}: the log does not contain it", self.text()));
        };
        let holds = match comparison {
            Comparison::AtMost => value <= *bound,
            Comparison::AtLeast => value >= *bound,
            Comparison::Below => value < *bound,
            Comparison::Above => value > *bound,
            Comparison::Equal => value == *bound,
        };
        (!holds).then(|| format!("{}: it is {}", self.text(), display(figure.unit, value)))
    }

    fn text(&self) -> String {
        let operator = COMPARISONS
            .iter()
            .find(|(_, comparison)| *comparison == self.comparison)
            .map_or("", |(operator, _)| operator);
        format!("{}{operator}{}", self.name, display(self.figure.unit, self.bound))
    }
}

fn display(unit: Unit, value: f64) -> String {
    let value = (value * 1000.0).round() / 1000.0;
    match unit {
        Unit::Seconds => format!("{value}s"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
