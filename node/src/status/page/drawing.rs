//! Small drawings, as SVG. Attributes and classes alone: the page allows no styles within elements.

use std::fmt::Write as _;

use super::super::history::SECONDS;
use crate::html::Html;

/// Slots of one row of the map.
const SLOTS_WIDE: usize = 64;

/// A line of the last minute, the newest at the right. What is not known is left out.
pub(super) fn spark(values: &[Option<f64>], unit: &str) -> Html {
    const HEIGHT: f64 = 20.0;
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let mut path = String::new();
    let mut is_drawing = false;
    for (second, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let x = SECONDS - values.len() + second;
        let y = HEIGHT - if most > 0.0 { value / most * HEIGHT } else { 0.0 };
        let command = if is_drawing { 'L' } else { 'M' };
        is_drawing = true;
        // A point that stands alone is a short line.
        let _never_fails = write!(path, "{command}{x} {y:.1}h.01");
    }
    Html::raw(format!(
        "<svg class=\"spark\" viewBox=\"0 -1 {SECONDS} {}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"last minute: at most {most:.1} {unit}\"><path d=\"{path}\"/></svg>",
        HEIGHT + 2.0
    ))
}

/// The same of numbers that are always known.
pub(super) fn spark_of(values: &[u64], unit: &str) -> Html {
    let values: Vec<_> = values.iter().map(|value| Some(*value as f64)).collect();
    spark(&values, unit)
}

/// Where a part of something lies in the whole, both as shares of it.
pub(super) fn bar(from: f64, width: f64) -> Html {
    let from = from.clamp(0.0, 1.0) * 100.0;
    let width = (width * 100.0).clamp(0.5, 100.0).min(100.0 - from).max(0.1);
    Html::raw(format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect x=\"{from:.2}\" width=\"{width:.2}\" height=\"1\"/></svg>"
    ))
}

/// The colour of the member at this place: neighbours differ most.
fn colour(place: usize) -> String {
    const BLUE: f64 = 210.0;
    const GOLDEN_ANGLE: f64 = 137.508;
    // Lighter and darker by turns, for whoever sees no difference between red and green.
    format!("hsl({:.0} 60% {}%)", (BLUE + place as f64 * GOLDEN_ANGLE) % 360.0, [45, 65, 30][place % 3])
}

/// What stands for a member in the map.
pub(super) fn swatch(place: usize) -> Html {
    let colour = colour(place);
    Html::raw(format!(
        "<svg class=\"swatch\" viewBox=\"0 0 1 1\" aria-hidden=\"true\">\
         <rect width=\"1\" height=\"1\" fill=\"{colour}\"/></svg>"
    ))
}

/// Each slot in the colour of its owner; empty where it has none.
pub(super) fn slots(owners: &[Option<usize>], members: usize) -> Html {
    let mut paths = vec![String::new(); members];
    let mut without = 0;
    for (slot, owner) in owners.iter().enumerate() {
        match owner {
            Some(owner) => {
                let (x, y) = (slot % SLOTS_WIDE, slot / SLOTS_WIDE);
                let _never_fails = write!(paths[*owner], "M{x} {y}h1v1h-1z");
            }
            None => without += 1,
        }
    }
    let rows = owners.len().div_ceil(SLOTS_WIDE);
    let mut svg = format!(
        "<svg class=\"slots\" viewBox=\"0 0 {SLOTS_WIDE} {rows}\" role=\"img\" aria-label=\"{} slots of {members} \
         members; {without} have no owner\">",
        owners.len()
    );
    for (place, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _never_fails = write!(svg, "<path fill=\"{}\" d=\"{path}\"/>", colour(place));
    }
    svg.push_str("</svg>");
    Html::raw(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_at_the_right_and_gaps_are_gaps() {
        let line = spark(&[Some(5.0), None, Some(10.0)], "ms");
        assert!(line.as_str().contains("d=\"M57 10.0h.01M59 0.0h.01\""), "{line}");
        assert!(line.as_str().contains("at most 10.0 ms"), "{line}");
        assert!(spark_of(&[0, 0], "calls").as_str().contains("M58 20.0h.01L59 20.0h.01"));
    }

    #[test]
    fn a_bar_stays_within_its_line() {
        assert!(bar(0.25, 0.5).as_str().contains("x=\"25.00\" width=\"50.00\""));
        assert!(bar(1.2, 3.0).as_str().contains("x=\"100.00\" width=\"0.10\""));
    }

    #[test]
    fn each_slot_is_drawn_once_in_its_owners_colour() {
        let map = slots(&[Some(1), None, Some(1), Some(0)], 2);
        assert!(map.as_str().contains("d=\"M0 0h1v1h-1zM2 0h1v1h-1z\""), "{map}");
        assert!(map.as_str().contains("4 slots of 2 members; 1 have no owner"), "{map}");
        assert_ne!(colour(0), colour(1));
    }
}
