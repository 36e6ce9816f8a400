//! Mistakes under the attribute: one error each, at the right token. The words are one compiler's: bless them with
//! `TRYBUILD=overwrite` when it changes.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    for case in ["pass", "budgets"] {
        cases.pass(format!("tests/ui/{case}.rs"));
    }
    for case in ["options", "items", "values", "arguments", "body", "unused", "dead", "bounds", "streams"] {
        cases.compile_fail(format!("tests/ui/{case}.rs"));
    }
}
