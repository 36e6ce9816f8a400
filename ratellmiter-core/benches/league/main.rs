//! A comparison of pacing and retry strategies by the time of the last call and by refusals:
//! `cargo bench --features sim --bench league`.
//!
//! All strategies run against the same providers, arrivals and seeds. `-- NAME` runs a single scenario.

#[allow(dead_code)]
mod rivals;
#[allow(dead_code)]
mod scenarios;
mod strategies;

use std::time::Duration;

use ratellmiter_core::sim::Report;
use scenarios::Scenario;
use strategies::Strategy;

/// Seeds that were not used for tuning.
const SEEDS: std::ops::Range<u64> = 2000..2100;

fn main() {
    // `cargo bench` adds its own flag.
    let chosen: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let scenarios =
        scenarios::ALL.iter().filter(|scenario| chosen.is_empty() || chosen.iter().any(|name| name == scenario.name));
    let mut matrix = String::new();
    for scenario in scenarios {
        println!("\n{}: {}\n", scenario.name, scenario.story);
        println!("| | last call, s | p50 wait | p95 | p99 | refusals per call | lost |");
        println!("| --- | --: | --: | --: | --: | --: | --: |");
        let mut cells = format!("| {} | {} ", scenario.name, scenario.story);
        for strategy in Strategy::ALL {
            if let Some(runs) = play(*strategy, scenario) {
                println!("| {} | {} |", strategy.name(), runs.row());
                cells = cells + "| " + &runs.cell() + " ";
            } else {
                println!("| {} | | | | | | |", strategy.name());
                cells += "| ";
            }
        }
        matrix += &(cells + "|\n");
    }
    let names: Vec<_> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
    println!("\nAll scenarios, as last call in seconds / refusals per call:\n");
    println!("| | | {} |", names.join(" | "));
    println!("| --- | --- {}|", "| --: ".repeat(names.len()));
    println!("{matrix}");
}

/// Runs a scenario with all seeds, or with three if it takes ten hours. Returns `None` if the strategy cannot run it.
fn play(strategy: Strategy, scenario: &Scenario) -> Option<Runs> {
    let long = scenario.workload(0).arrivals().len() > 10_000;
    // One task for each call of ten hours would mainly measure tokio.
    if long && matches!(strategy, Strategy::LeakyBucket | Strategy::OursOnTokio) {
        return None;
    }
    let seeds = SEEDS.take(if long { 3 } else { 100 });
    Some(Runs(seeds.map(|seed| strategy.play(scenario, seed)).collect()))
}

struct Runs(Vec<Report>);

impl Runs {
    fn row(&self) -> String {
        let wait = |quantile| self.median(|report| seconds(report.wait(quantile)));
        let last = self.sorted(|report| seconds(report.last_finish()));
        let refusals = self.sorted(Report::refusals_per_call);
        format!(
            "{:.0} ({:.0}..{:.0}) | {:.1} | {:.1} | {:.1} | {:.3} ({:.3}..{:.3}) | {}",
            self.median(|report| seconds(report.last_finish())),
            last[0],
            last[last.len() - 1],
            wait(0.5),
            wait(0.95),
            wait(0.99),
            self.median(Report::refusals_per_call),
            refusals[0],
            refusals[refusals.len() - 1],
            self.lost()
        )
    }

    fn cell(&self) -> String {
        let last = self.median(|report| seconds(report.last_finish()));
        let cell = format!("{last:.0} / {:.2}", self.median(Report::refusals_per_call));
        if self.lost() > 0 { format!("{cell}, {} lost", self.lost()) } else { cell }
    }

    fn lost(&self) -> usize {
        self.0.iter().map(Report::lost).sum()
    }

    fn median(&self, metric: impl Fn(&Report) -> f64) -> f64 {
        let sorted = self.sorted(metric);
        sorted[sorted.len() / 2].midpoint(sorted[(sorted.len() - 1) / 2])
    }

    fn sorted(&self, metric: impl Fn(&Report) -> f64) -> Vec<f64> {
        let mut values: Vec<_> = self.0.iter().map(metric).collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}
