use super::BudgetKind;

#[test]
fn keys_name_unit_and_period() {
    for kind in BudgetKind::ALL {
        assert_eq!(kind.key(), format!("{}_per_{}", kind.unit().replace(' ', "_"), kind.period()));
        assert_eq!(BudgetKind::from_key(kind.key()), Some(kind));
    }
    assert_eq!(BudgetKind::from_key(BudgetKind::Other.key()), None);
}
