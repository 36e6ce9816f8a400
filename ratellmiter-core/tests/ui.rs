//! Mistakes under the attribute: one error each, at the right token. The words are one compiler's: bless them with
//! `TRYBUILD=overwrite` when it changes.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass.rs");
    for case in ["options", "items", "values", "arguments", "body", "unused", "dead"] {
        cases.compile_fail(format!("tests/ui/{case}.rs"));
    }
}
