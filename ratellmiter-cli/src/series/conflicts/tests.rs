//! Conflicts of budgets between logs.

use super::*;

fn log(from: u64, limits: &[(BudgetKind, u64)]) -> LogBudgets {
    let budget = |(meter, limit): &(BudgetKind, u64)| {
        (from, BudgetStatus { meter: *meter, limit: *limit, taken: 0, others: 0, learned: None })
    };
    LogBudgets::new(from, 10, &limits.iter().map(budget).collect::<Vec<_>>())
}

#[test]
fn budgets_of_logs_of_the_same_time_are_compared() {
    use BudgetKind::{RequestsPerDay as Day, TokensPerMinute as Minute};
    let found = |logs: &[LogBudgets]| {
        conflicts(logs).iter().map(|conflict| (conflict.meter, conflict.limits)).collect::<Vec<_>>()
    };
    assert_eq!(found(&[log(0, &[(Minute, 200)]), log(5, &[(Minute, 100)])]), [(Minute, [100, 200])]);
    assert_eq!(found(&[log(0, &[(Minute, 200), (Day, 9)]), log(5, &[(Minute, 200), (Day, 8)])]), [(Day, [8, 9])]);
    let three = [log(0, &[(Minute, 2)]), log(0, &[(Minute, 3)]), log(0, &[(Minute, 1)])];
    assert_eq!(found(&three), [(Minute, [1, 3])]);
    // Budgets that changed during the run, of another time, or of one log alone are no conflict.
    assert_eq!(found(&[log(0, &[(Minute, 1), (Minute, 2)]), log(0, &[(Minute, 2)])]), []);
    assert_eq!(found(&[log(0, &[(Minute, 1)]), log(10, &[(Minute, 2)])]), []);
    assert_eq!(found(&[log(0, &[(Minute, 1)]), log(0, &[]), log(0, &[(Day, 2)])]), []);
}
