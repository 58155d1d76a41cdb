//! What is still known of a call when everything else about it was forgotten: two bits.

use std::collections::{HashMap, VecDeque};

/// Numbers in a page; calls are numbered one after the other, so that pages are full.
const NUMBERS_PER_PAGE: u64 = 4096;
const PAGE_BYTES: usize = (NUMBERS_PER_PAGE / 4) as usize;

/// Pages: 16 MiB, for 67 million calls, which is half an hour at 37,000 calls per second.
pub(super) const PAGES_MAX: usize = 16_384;

/// What is known of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nobody called.
    Unasked,
    /// Somebody called, and nobody was told that it will not start.
    MayStart,
    Started,
    /// Everybody who called was told that it did not run and will not.
    MustNotStart,
    /// It is too long ago.
    Forgotten,
}

/// The marks of the calls of a run.
#[derive(Default)]
pub(super) struct Marks {
    pages: HashMap<u64, Box<[u8; PAGE_BYTES]>>,
    /// Oldest first.
    order: VecDeque<u64>,
    /// The last page that was let go of; those before it are gone, too.
    forgotten: Option<u64>,
}

impl Marks {
    pub(super) fn get(&self, number: u64) -> Mark {
        let page = number / NUMBERS_PER_PAGE;
        match self.pages.get(&page) {
            Some(bits) => {
                let (byte, shift) = place(number);
                match bits[byte] >> shift & 3 {
                    0 => Mark::Unasked,
                    1 => Mark::MayStart,
                    2 => Mark::Started,
                    _ => Mark::MustNotStart,
                }
            }
            None if self.forgotten.is_some_and(|forgotten| page <= forgotten) => Mark::Forgotten,
            None => Mark::Unasked,
        }
    }

    pub(super) fn set(&mut self, number: u64, mark: Mark) {
        let bits = match mark {
            Mark::Unasked | Mark::Forgotten => 0,
            Mark::MayStart => 1,
            Mark::Started => 2,
            Mark::MustNotStart => 3,
        };
        let id = number / NUMBERS_PER_PAGE;
        if !self.pages.contains_key(&id) {
            self.order.push_back(id);
            if self.order.len() > PAGES_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.pages.remove(&oldest);
                self.forgotten = self.forgotten.max(Some(oldest));
            }
        }
        let page = self.pages.entry(id).or_insert_with(|| Box::new([0; PAGE_BYTES]));
        let (byte, shift) = place(number);
        page[byte] = page[byte] & !(3 << shift) | bits << shift;
    }

    #[cfg(test)]
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }
}

fn place(number: u64) -> (usize, u64) {
    let number = number % NUMBERS_PER_PAGE;
    ((number / 4) as usize, number % 4 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_mark_of_its_own() {
        let mut marks = Marks::default();
        let all = [Mark::MayStart, Mark::Started, Mark::MustNotStart];
        for number in 0..10_000 {
            marks.set(number, all[number as usize % 3]);
        }
        marks.set(5000, Mark::Started);
        for number in 0..10_000 {
            let expected = if number == 5000 { Mark::Started } else { all[number as usize % 3] };
            assert_eq!(marks.get(number), expected, "{number}");
        }
        assert_eq!(marks.get(1 << 40), Mark::Unasked);
    }

    #[test]
    fn what_is_too_long_ago_is_said_to_be_forgotten() {
        let mut marks = Marks::default();
        for page in 0..PAGES_MAX as u64 + 2 {
            marks.set(page * NUMBERS_PER_PAGE, Mark::Started);
        }
        assert_eq!(marks.pages(), PAGES_MAX);
        assert_eq!(marks.get(NUMBERS_PER_PAGE), Mark::Forgotten);
        assert_eq!(marks.get(2 * NUMBERS_PER_PAGE), Mark::Started);
        assert_eq!(marks.get((PAGES_MAX as u64 + 2) * NUMBERS_PER_PAGE), Mark::Unasked);
    }
}
