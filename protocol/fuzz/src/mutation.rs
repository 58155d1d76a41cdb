//! Changes to inputs that follow from a seed: what the tests do where no fuzzer runs.

/// Texts that mean something to one of the readers.
const WORDS: &[&[u8]] = &[
    b"$",
    b"\"$0\"",
    b"\"$1:0\"",
    b"\"$@1\"",
    b"\"$Q1\"",
    b"\"$h1\"",
    b"\"$K1\"",
    b"\"$T\"",
    b"\"$R1\"",
    b"$n9",
    b":__proto__",
    b":then",
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b"\"",
    b"\\ud800",
    b"\xFF",
    b"\xFE",
    b"\xFD",
    b"\r\n--cut",
    b"--",
    b"\n",
    b"C",
    b"_1_",
    b"$ACTION_REF_1",
    b"$ACTION_ID_",
    b"://",
    b"null",
    b"E{}",
    b"T5,",
];

/// A source of numbers that looks random and is not: `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, and 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }
}

/// Changes an input in one to four places; `other` is an input to take pieces from.
#[must_use]
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(9)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                let word = WORDS[random.below(WORDS.len())];
                bytes.splice(at..end, word.iter().copied());
            }
            4 => {
                let copy = bytes[at..end].repeat(1 + random.below(20));
                bytes.splice(at..at, copy);
            }
            _ => {
                let from = random.below(other.len() + 1);
                let piece = &other[from..(from + random.below(40)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
    bytes
}
