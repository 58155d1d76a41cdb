//! What happened in a phase, counted; and the table of it.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use super::history::{Origin, Read, Wait, Write};

/// What happened while one fault was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Pages served, and where they came from.
    pub(crate) reads: u64,
    pub(crate) kept: u64,
    pub(crate) made: u64,
    pub(crate) fenced: u64,
    /// Pages that a node made although it had made them before.
    pub(crate) made_again: u64,
    /// Reads that were answered otherwise than with a page, or not at all as the node was killed.
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    /// Strict writes that were done, and all writes that were not, or of which nobody knows.
    pub(crate) written: u64,
    pub(crate) not_written: u64,
    /// Reads and writes that were asked before and answered after whatever it was that stopped.
    pub(crate) waited: u64,
    pub(crate) writes_waited: u64,
    /// Strict writes that were asked and answered during the fault.
    pub(crate) written_meanwhile: u64,
    pub(crate) killed: u64,
    /// Pages that others had kept of before the last write of a node that was killed, and pages of after it.
    pub(crate) kept_of_dead: u64,
    pub(crate) made_of_dead: u64,
    pub(crate) replaced: u64,
    pub(crate) delayed: u64,
    pub(crate) pushes_ended: u64,
    pub(crate) trimmed: u64,
    pub(crate) epochs: u64,
    pub(crate) redis_killed: u64,
    pub(crate) kept_by_newcomer: u64,
}

impl Tally {
    /// Counts what clients saw.
    pub(crate) fn count(&mut self, reads: &[Read], writes: &[Write]) {
        let mut made: HashMap<(u32, &str), HashSet<u64>> = HashMap::new();
        for read in reads {
            self.reads += 1;
            match read.origin {
                Origin::Kept => self.kept += 1,
                Origin::Made => self.made += 1,
                Origin::Fenced => self.fenced += 1,
            }
            made.entry((read.asked, &read.path)).or_default().insert(read.shown.render);
        }
        self.made_again += made.values().map(|renders| renders.len() as u64 - 1).sum::<u64>();
        for write in writes {
            let is_done = write.count.is_some();
            self.written += u64::from(is_done && write.wait == Wait::Strict);
            self.not_written += u64::from(!is_done);
        }
    }
}

const COLUMNS: [&str; 10] =
    ["fault", "reads", "kept", "made", "again", "fenced", "refused", "broken", "writes", "not-done"];

/// The first line of the table.
pub(crate) fn head() -> String {
    line(&COLUMNS.map(str::to_owned), "violations")
}

/// A line of the table.
pub(crate) fn row(fault: &str, tally: &Tally, violations: usize) -> String {
    let Tally { reads, kept, made, made_again, fenced, refused, broken, written, not_written, .. } = tally;
    let counts = [reads, kept, made, made_again, fenced, refused, broken, written, not_written];
    let mut cells = vec![fault.to_owned()];
    cells.extend(counts.map(ToString::to_string));
    line(&cells, &violations.to_string())
}

fn line(cells: &[String], violations: &str) -> String {
    let mut line = format!("{:<12}", cells[0]);
    for cell in &cells[1..] {
        write!(line, "  {cell:>8}").expect("writing to a String cannot fail");
    }
    line + &format!("  {violations:>10}")
}
