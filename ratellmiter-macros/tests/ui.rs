//! Mistakes under the attribute: one error each, at the right token. The words are one compiler's: bless them with
//! `TRYBUILD=overwrite` when it changes.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
