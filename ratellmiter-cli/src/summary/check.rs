//! Conditions on a run: `refusals<=2,wait_p99<=5s,finished>=100`.

use std::{fmt, str::FromStr};

use crate::summary::Summary;

/// All that must hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conditions(Vec<Condition>);

#[derive(Debug, Clone, PartialEq)]
struct Condition {
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

/// What can be asked of a run.
struct Figure {
    name: &'static str,
    unit: Unit,
    of: fn(&Summary) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Number,
    Seconds,
}

/// Figures are told apart by their names.
impl PartialEq for Figure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[allow(clippy::cast_precision_loss)] // Counts of a log.
const FIGURES: [Figure; 21] = {
    const fn number(name: &'static str, of: fn(&Summary) -> Option<f64>) -> Figure {
        Figure { name, unit: Unit::Number, of }
    }
    const fn seconds(name: &'static str, of: fn(&Summary) -> Option<f64>) -> Figure {
        Figure { name, unit: Unit::Seconds, of }
    }
    [
        number("calls", |run| Some(run.calls as f64)),
        number("finished", |run| Some(run.finished as f64)),
        number("failed", |run| run.failed.map(|failed| failed as f64)),
        number("given_up", |run| Some(run.given_up as f64)),
        number("turned_away", |run| Some(run.turned_away as f64)),
        number("refusals", |run| Some(run.refusals as f64)),
        number("overloads", |run| run.overloaded.map(|overloaded| overloaded as f64)),
        number("refusals_per_call", |run| Some(run.refusals_per_call)),
        number("pauses", |run| Some(run.pauses as f64)),
        number("line", |run| Some(run.line as f64)),
        seconds("paused", |run| Some(run.paused as f64)),
        seconds("wait_mean", |run| run.wait_mean),
        seconds("wait_p99", |run| run.wait_p99),
        seconds("call_p99", |run| run.call_p99),
        seconds("duration", |run| Some(run.duration as f64)),
        number("in_flight", |run| run.in_flight_most.map(f64::from)),
        number("reserved_tokens", |run| run.reserved_tokens.map(|tokens| tokens as f64)),
        number("used_tokens", |run| run.used_tokens.map(|tokens| tokens as f64)),
        number("budget_mean", |run| run.budget_mean),
        number("budget_peak", |run| run.budget_peak),
        number("slowdown", |run| run.physical.filter(|least| *least > 0.0).map(|least| run.duration as f64 / least)),
    ]
};

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
        let wrong = |what: String| format!("{what}; {}", grammar());
        let Some((name, comparison, bound)) = COMPARISONS.iter().find_map(|(sign, comparison)| {
            text.split_once(sign).map(|(name, bound)| (name.trim(), *comparison, bound.trim()))
        }) else {
            return Err(wrong(format!("{text:?} compares nothing")));
        };
        let figure =
            FIGURES.iter().find(|figure| figure.name == name).ok_or_else(|| wrong(format!("no figure {name:?}")))?;
        let bound = parse(bound, figure.unit).ok_or_else(|| match figure.unit {
            Unit::Number => wrong(format!("{bound:?} is no number")),
            Unit::Seconds => wrong(format!("{bound:?} is no time, as 5s, 200ms or 2m")),
        })?;
        Ok(Self { figure, comparison, bound })
    }
}

fn parse(text: &str, unit: Unit) -> Option<f64> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    match unit {
        Unit::Number => number(text),
        Unit::Seconds => {
            let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
            units.iter().find_map(|(suffix, factor)| number(text.strip_suffix(suffix)?).map(|value| value * factor))
        }
    }
}

fn grammar() -> String {
    let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
    format!(
        "allowed is FIGURE<=VALUE, also with >=, <, > and ==, more of them after commas; figures are {}",
        names.join(", ")
    )
}

impl Conditions {
    /// What does not hold of a run, with the figures.
    pub(crate) fn broken_by(&self, run: &Summary) -> Vec<String> {
        self.0.iter().filter_map(|condition| condition.broken_by(run)).collect()
    }
}

impl Condition {
    #[allow(clippy::float_cmp)] // Counts are equal or not; who compares times for equality gets what they ask for.
    fn broken_by(&self, run: &Summary) -> Option<String> {
        let Self { figure, comparison, bound } = self;
        let sign = COMPARISONS.iter().find(|(_, of)| of == comparison).map_or("", |(sign, _)| sign);
        let asked = format!("{}{sign}{}", figure.name, figure.unit.display(*bound));
        let Some(value) = (figure.of)(run) else {
            return Some(format!("{asked}: the log does not tell"));
        };
        let holds = match comparison {
            Comparison::AtMost => value <= *bound,
            Comparison::AtLeast => value >= *bound,
            Comparison::Below => value < *bound,
            Comparison::Above => value > *bound,
            Comparison::Equal => value == *bound,
        };
        (!holds).then(|| format!("{asked}: it is {}", figure.unit.display(value)))
    }
}

impl Unit {
    fn display(self, value: f64) -> String {
        let value = (value * 1000.0).round() / 1000.0;
        match self {
            Self::Number => value.to_string(),
            Self::Seconds => format!("{value}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ratellmiter_core::log::{BudgetKind, BudgetStatus, Row};

    use super::*;
    use crate::series::{Second, Series};

    fn run() -> Summary {
        let row = |at| Row {
            at,
            requested: 5,
            issued: 5,
            finished: 5,
            rate_limited: u64::from(at == 3),
            rate: 5.0,
            limit: Some(5.0),
            ..Row::default()
        };
        Summary::of("m", &(0..20).map(|at| Second::of(&row(at))).collect::<Series>())
    }

    fn broken(text: &str) -> Vec<String> {
        text.parse::<Conditions>().unwrap().broken_by(&run())
    }

    #[test]
    fn what_holds_is_not_told_and_what_does_not_is_told_with_its_figure() {
        assert!(broken("refusals<=1, finished>=100,wait_p99<=5s,pauses==0,calls>99,line<1,duration<=1m").is_empty());
        assert_eq!(broken("refusals<=0,finished>=100,calls<100"), ["refusals<=0: it is 1", "calls<100: it is 100"]);
        assert_eq!(broken("duration<200ms"), ["duration<0.2s: it is 20s"]);
        assert_eq!(broken("slowdown<=1"), ["slowdown<=1: it is 1.01"]);
    }

    #[test]
    fn what_the_log_does_not_tell_does_not_hold() {
        let counted = Summary::of("m", &(0..20).map(|at| Second::counted(at, [1; 5])).collect());
        let conditions: Conditions = "wait_p99<=5s".parse().unwrap();
        assert_eq!(conditions.broken_by(&counted), ["wait_p99<=5s: the log does not tell"]);
    }

    #[test]
    fn tokens_budgets_and_calls_in_flight_can_be_asked_for() {
        let row = |at| Row {
            at,
            requested: 5,
            in_flight: at,
            used_tokens: 10,
            reserved_tokens: 50,
            budgets: vec![BudgetStatus {
                meter: BudgetKind::TokensPerMinute,
                limit: 1000,
                taken: 50 * at,
                others: 0,
                learned: None,
            }],
            ..Row::default()
        };
        let run = Summary::of("m", &(0..20).map(row).collect());
        let broken_by = |text: &str| text.parse::<Conditions>().unwrap().broken_by(&run);
        assert!(
            broken_by("in_flight<=19,used_tokens==200,reserved_tokens==1000,budget_mean<0.5,budget_peak<=0.95")
                .is_empty()
        );
        assert_eq!(
            broken_by("budget_peak<=0.9,in_flight<8"),
            ["budget_peak<=0.9: it is 0.95", "in_flight<8: it is 19"]
        );
        assert_eq!(broken("budget_peak<=1"), ["budget_peak<=1: the log does not tell"]);
    }

    #[test]
    fn what_cannot_be_asked_is_told_with_the_grammar() {
        for (text, start) in [
            ("", "\"\" compares nothing"),
            ("refusals", "\"refusals\" compares nothing"),
            ("refusals<=2,", "\"\" compares nothing"),
            ("refusal<=2", "no figure \"refusal\""),
            ("refusals<=two", "\"two\" is no number"),
            ("refusals<=-1", "\"-1\" is no number"),
            ("wait_p99<=5", "\"5\" is no time, as 5s, 200ms or 2m"),
            ("wait_p99<=NaNs", "\"NaNs\" is no time"),
        ] {
            let error = text.parse::<Conditions>().unwrap_err();
            assert!(error.starts_with(start), "{error}");
            assert!(error.contains("; allowed is FIGURE<=VALUE") && error.contains("refusals_per_call"), "{error}");
        }
    }
}
