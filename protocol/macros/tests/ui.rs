//! What the attributes accept, and what they say of mistakes.
//!
//! After a change of wording: `TRYBUILD=overwrite cargo test -p callboard-macros --test ui`, then read each changed
//! `.stderr`: is it a sentence that says what to write instead?

#[test]
fn what_is_allowed_compiles_and_registers() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn every_mistake_is_told_where_it_was_made() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
