//! The fuzz targets without a fuzzer: the golden vectors, the corpus in the tree, and seeded mutations of both.

use std::path::Path;

use crate::fuzz::{
    Golden, TARGETS, corpus,
    mutation::{Random, mutate},
};

/// Executions with mutated inputs for each target.
const MUTATED: usize = 20_000;

/// Runs one target. An input that breaks a claim is printed as the corpus would hold it.
fn replay(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = Golden::read(&folder.join("tests/golden")).expect("the vectors are part of the tree");
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target is in the list");
    let kept = corpus::read(&folder.join("fuzz/corpus").join(format!("{name}.txt")));
    let mut inputs = (target.seeds)(&golden);
    inputs.extend(kept.expect("the corpus is escaped properly"));
    assert!(inputs.len() > 5, "{} inputs are no corpus", inputs.len());

    for input in &inputs {
        run(target.run, input);
    }
    let mut random = Random::new(0xCA11);
    for _ in 0..MUTATED {
        let (one, other) = (random.below(inputs.len()), random.below(inputs.len()));
        run(target.run, &mutate(&inputs[one], &inputs[other], &mut random));
    }
}

fn run(target: fn(&[u8]), input: &[u8]) {
    let outcome = std::panic::catch_unwind(|| target(input));
    assert!(outcome.is_ok(), "for the input\n{}", input.escape_ascii());
}

#[test]
fn a_text_is_decoded_or_refused() {
    replay("reply_text");
}

#[test]
fn parts_are_decoded_or_refused() {
    replay("reply_parts");
}

#[test]
fn a_body_in_pieces_is_decoded_or_refused() {
    replay("reply_incoming");
}

#[test]
fn action_fields_are_read_or_refused() {
    replay("form_action");
}

#[test]
fn a_reference_is_genuine_or_refused() {
    replay("reference");
}

#[test]
fn sealed_arguments_are_genuine_or_refused() {
    replay("sealed");
}

#[test]
fn a_response_is_read_or_refused() {
    replay("response");
}

#[test]
fn an_origin_is_allowed_by_the_rules_or_refused() {
    replay("origin");
}

#[test]
fn a_frame_is_read_or_refused() {
    replay("envelope");
}
