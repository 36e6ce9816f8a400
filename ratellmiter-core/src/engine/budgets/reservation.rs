//! The charge of one call.

use crate::{log::row::BudgetKind, providers::contract::TokenCharge};

/// The charge of one call before its usage is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reservation {
    /// The charge by the call's token estimate.
    pub(crate) estimated: TokenCharge,
    /// The mean charge of calls with this estimate. Meters are charged with it.
    pub(super) expected: TokenCharge,
    /// The largest plausible charge. Windows are charged with it.
    pub(super) maximum: TokenCharge,
    /// The estimate is a default, so it is not compared with the usage.
    pub(super) is_default: bool,
    /// Budgets charged at admission, one bit per kind. A budget configured later is not refunded.
    budgets: u8,
}

impl Reservation {
    pub(super) fn new(estimated: TokenCharge, expected: TokenCharge, maximum: TokenCharge, is_default: bool) -> Self {
        Self { estimated, expected, maximum, is_default, budgets: 0 }
    }

    /// Records that a budget was charged.
    pub(super) fn set_charged(&mut self, kind: BudgetKind) {
        self.budgets |= bit(kind);
    }

    /// Returns `true` if a budget was charged.
    pub(super) fn has_charged(&self, kind: BudgetKind) -> bool {
        self.budgets & bit(kind) > 0
    }
}

fn bit(kind: BudgetKind) -> u8 {
    1 << kind as u8
}
