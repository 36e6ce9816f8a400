//! Mistakes under the attribute: each causes one error, at the right token. The messages depend on the compiler's version;
//! `TRYBUILD=overwrite` updates them.

#[test]
fn mistakes_are_reported_at_their_tokens() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
