//! A reply that is decoded while it arrives is the same value as one decoded at once, and costs no more.

use std::collections::{HashMap, HashSet};

use callboard_protocol::{
    Value,
    multipart::Part,
    reply::{Encoded, Incoming, Limits, ReplyError, decode_parts, encode},
    value::Flow,
};
use proptest::prelude::*;

use crate::{
    drained::drained,
    fuzz::arriving::has_failures,
    golden_reply::vectors,
    reply,
    reply_properties::{any_value, known},
    tagged,
};

fn parts(value: &Value) -> Vec<Part> {
    match encode(value).expect("what is generated can be sent") {
        Encoded::Text(text) => vec![Part::text("0", text)],
        Encoded::Form(parts) => parts,
    }
}

fn streamed(parts: &[Part], limits: Limits) -> (Result<Value, ReplyError>, u64) {
    let mut incoming = Incoming::new(limits, Flow::default(), Box::new(known));
    let pushed = parts.iter().try_for_each(|part| incoming.push(part.clone()));
    let root = pushed.and_then(|()| incoming.finish());
    let settled = root.map(|root| drained(&root).expect("the end settles everything"));
    (settled, incoming.steps())
}

fn whole(parts: &[Part]) -> Result<Value, ReplyError> {
    decode_parts(parts, "", &Limits::default(), &known)
}

/// The ids of the references in a text: those of promises, or those that must have arrived.
fn ids(text: &str, of_promises: bool) -> Vec<u64> {
    let reference = |rest: &str| {
        let tag = rest.chars().next()?;
        if "RrXx".contains(tag) || (tag == '@') != of_promises {
            return None;
        }
        let id =
            if tag.is_ascii_digit() || ('a'..='f').contains(&tag) { rest } else { &rest[tag.len_utf8()..] };
        let digits = id.find(|char: char| !char.is_ascii_hexdigit()).unwrap_or(id.len());
        u64::from_str_radix(&id[..digits], 16).ok()
    };
    text.split("\"$").skip(1).filter_map(reference).collect()
}

/// Parts that belong together after the root: what comes later, after the parts made for it.
#[derive(Default)]
struct Block {
    parts: Vec<Part>,
    /// Blocks that must come before.
    after: HashSet<usize>,
}

/// Cuts what a client sends after the root into blocks, each of which may come later.
fn blocks(parts: &[Part]) -> Vec<Block> {
    let texts = || parts.iter().filter_map(Part::as_text);
    let promised: HashSet<u64> = texts().flat_map(|text| ids(text, true)).collect();
    let (mut blocks, mut open) = (Vec::new(), Block::default());
    let mut made_in: HashMap<u64, usize> = HashMap::new();
    let mut last_row: HashMap<String, usize> = HashMap::new();
    for part in parts {
        let number = blocks.len();
        let id: Option<u64> = part.name.parse().ok();
        made_in.extend(id.map(|id| (id, number)));
        open.parts.push(part.clone());
        let is_row = part.name.starts_with('S');
        if is_row {
            open.after.extend(last_row.insert(part.name.to_string(), number));
        }
        if is_row || id.is_some_and(|id| promised.contains(&id)) {
            blocks.push(std::mem::take(&mut open));
        }
    }
    for (number, block) in blocks.iter_mut().enumerate() {
        for text in block.parts.iter().filter_map(Part::as_text) {
            let needed = ids(text, false).into_iter().filter_map(|id| made_in.get(&id));
            let earlier = needed.filter(|other| **other < number);
            block.after.extend(earlier);
        }
    }
    blocks.push(open);
    blocks
}

/// The parts with what comes later in another order, in which nothing refers to what has not come.
fn interleaved(parts: &[Part], choices: &[prop::sample::Index]) -> Vec<Part> {
    let root = parts.iter().position(|part| part.name == "0").expect("there is a root");
    let mut ordered = parts[..=root].to_vec();
    let mut blocks: Vec<_> = blocks(&parts[root + 1..]).into_iter().enumerate().collect();
    let mut choices = choices.iter().cycle();
    let mut done = HashSet::new();
    while !blocks.is_empty() {
        let ready: Vec<_> = (0..blocks.len()).filter(|at| blocks[*at].1.after.is_subset(&done)).collect();
        let chosen = *choices.next().expect("there are some").get(&ready);
        let (number, block) = blocks.remove(chosen);
        done.insert(number);
        ordered.extend(block.parts);
    }
    ordered
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_is_the_same_part_by_part(value in any_value()) {
        let (streamed, _) = streamed(&parts(&value), Limits::default());
        prop_assert_eq!(&tagged::plain(&streamed.unwrap()), &tagged::plain(&value));
    }

    #[test]
    fn what_comes_later_may_come_in_any_order(
        value in any_value(),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
    ) {
        let ordered = interleaved(&parts(&value), &choices);
        let (streamed, _) = streamed(&ordered, Limits::default());
        prop_assert_eq!(streamed.unwrap(), whole(&ordered).unwrap());
    }

    #[test]
    fn parts_in_any_order_are_decoded_or_refused(
        value in any_value(),
        keys in prop::collection::vec(any::<u64>(), 40),
    ) {
        let mut parts: Vec<_> = parts(&value).into_iter().zip(keys.into_iter().cycle()).collect();
        parts.sort_by_key(|(_, key)| *key);
        let parts: Vec<_> = parts.into_iter().map(|(part, _)| part).collect();
        let _ = whole(&parts);
        let _ = streamed(&parts, Limits::default());
    }
}

/// Whether the whole body can say no more than what came before each part: no late form entries, no name twice.
fn is_in_order(parts: &[Part]) -> bool {
    let root = parts.iter().position(|part| part.name == "0");
    let mut seen = HashSet::new();
    parts.iter().enumerate().all(|(at, part)| {
        let is_entry = part.name.starts_with('_');
        let is_new = is_entry || part.name.starts_with('S') || seen.insert(part.name.clone());
        is_new && (!is_entry || root.is_some_and(|root| at < root))
    })
}

/// Every vector, with each character in turn left out or replaced by one that means something: what is accepted part
/// by part is the same as a whole.
#[test]
fn mutated_vectors_are_the_same_part_by_part() {
    let mut accepted = 0;
    for file in vectors("reply") {
        let json = tagged::read(&file).expect("a vector is JSON");
        let Ok(parts) = reply::parts(&json) else { continue };
        if !is_in_order(&parts) {
            continue;
        }
        for mutated in 0..parts.len() {
            let Some(text) = parts[mutated].as_text().filter(|text| text.len() < 300) else { continue };
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let (before, after) = text.split_at(at);
                let rest = after.chars().next().map_or("", |char| &after[char.len_utf8()..]);
                for middle in ["", "$", "@", "1", "2", "R", "C", ":"] {
                    let mut parts = parts.clone();
                    let name = parts[mutated].name.clone();
                    parts[mutated] = Part::text(name, format!("{before}{middle}{rest}"));
                    let (streamed, _) = streamed(&parts, Limits::default());
                    if let Ok(streamed) = streamed
                        && !has_failures(&streamed)
                    {
                        accepted += 1;
                        assert_eq!(whole(&parts).as_ref(), Ok(&streamed), "{}: {parts:?}", file.display());
                    }
                }
            }
        }
    }
    assert!(accepted > 1000, "only {accepted} were accepted");
}
