//! The file in which the workload's actions write down their runs, read as it grows.

use std::{
    fmt,
    fs::File,
    io::{ErrorKind, Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    str::FromStr,
};

use anyhow::{Context as _, bail};

use crate::observation::LedgerClass;

/// Bytes that are read at once: a few thousand lines.
const PIECE_BYTES: usize = 256 << 10;

/// Bytes of a line that has no end yet; lines have some dozens, and an account is a word.
const LINE_BYTES_MAX: usize = 16 << 10;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A call started.
    Start(Run),
    /// It ended.
    End(Run),
    /// This process is dead, and what ran in it does not run any more.
    Killed(u32),
}

/// What a line says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) call: Box<str>,
    pub(super) process: u32,
    pub(super) token: Option<u64>,
    pub(super) class: LedgerClass,
    pub(super) account: Box<str>,
    pub(super) number: u64,
}

/// The file, and how much of it was read.
pub(super) struct Ledger {
    path: PathBuf,
    file: Option<File>,
    read_bytes: u64,
    lines: u64,
    /// The beginning of a line whose end was not there yet.
    rest: Vec<u8>,
}

impl Ledger {
    /// What is in it already is of somebody else.
    pub(super) fn new(path: PathBuf) -> Self {
        let read_bytes = path.metadata().map_or(0, |metadata| metadata.len());
        Self { path, file: None, read_bytes, lines: 0, rest: Vec::new() }
    }

    /// Whether no line came to it so far.
    pub(super) fn is_silent(&self) -> bool {
        self.lines == 0
    }

    /// Hands on every line that came since the last time, with its number.
    pub(super) fn read(&mut self, mut line: impl FnMut(u64, Line)) -> anyhow::Result<()> {
        let told = || "the ledger cannot be read".to_owned();
        if self.file.is_none() {
            match File::open(&self.path) {
                // Nobody wrote yet.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                opened => self.file = Some(opened.with_context(told)?),
            }
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if file.metadata().with_context(told)?.len() < self.read_bytes {
            bail!("the ledger has become shorter: somebody else writes to it");
        }
        file.seek(SeekFrom::Start(self.read_bytes)).with_context(told)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = file.read(&mut piece).with_context(told)?;
            if length == 0 {
                return Ok(());
            }
            self.read_bytes += length as u64;
            self.rest.extend_from_slice(&piece[..length]);
            let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            for text in self.rest[..whole].split_inclusive(|byte| *byte == b'\n') {
                self.lines += 1;
                let text = std::str::from_utf8(text).unwrap_or_default().trim_end_matches('\n');
                let parsed = text.parse();
                let parsed =
                    parsed.map_err(|()| anyhow::anyhow!("the ledger has a line that is none: {text:?}"))?;
                line(self.lines, parsed);
            }
            self.rest.drain(..whole);
            if self.rest.len() > LINE_BYTES_MAX {
                bail!("the ledger has a line without an end");
            }
        }
    }
}

impl FromStr for Line {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let mut words = line.split(' ');
        let what = words.next().ok_or(())?;
        if what == "killed" {
            let process = words.next().ok_or(())?.parse().map_err(drop)?;
            return if words.next().is_none() { Ok(Self::Killed(process)) } else { Err(()) };
        }
        let mut word = || words.next().ok_or(());
        let run = Run {
            call: word()?.into(),
            process: word()?.parse().map_err(drop)?,
            token: match word()? {
                "-" => None,
                token => Some(token.parse().map_err(drop)?),
            },
            class: class(word()?).ok_or(())?,
            account: word()?.into(),
            number: word()?.parse().map_err(drop)?,
        };
        match (what, words.next()) {
            ("start", None) => Ok(Self::Start(run)),
            ("end", None) => Ok(Self::End(run)),
            _ => Err(()),
        }
    }
}

fn class(action: &str) -> Option<LedgerClass> {
    Some(match action {
        "ledger" => LedgerClass::Plain,
        "ledger_keyed" => LedgerClass::Keyed,
        "ledger_idempotent" => LedgerClass::Idempotent,
        _ => return None,
    })
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, process, token, account, number, .. } = self;
        let token = token.map_or_else(|| "no token".to_owned(), |token| format!("token {token}"));
        write!(f, "call {number} of {account} as {call} in process {process}, {token}")
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _};

    use super::*;

    fn read(ledger: &mut Ledger) -> Vec<(u64, Line)> {
        let mut lines = Vec::new();
        ledger.read(|number, line| lines.push((number, line))).unwrap();
        lines
    }

    #[test]
    fn lines_are_read_once_when_their_end_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::new(path.clone());
        assert_eq!(read(&mut ledger), [], "nobody wrote yet");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"start c1 7 - ledger a 1\nend c1 7 - led").unwrap();
        let run = |token| Run {
            call: "c1".into(),
            process: 7,
            token,
            class: LedgerClass::Plain,
            account: "a".into(),
            number: 1,
        };
        assert_eq!(read(&mut ledger), [(1, Line::Start(run(None)))]);
        assert_eq!(read(&mut ledger), []);
        file.write_all(b"ger a 1\nkilled 7\nstart c1 7 99 ledger a 1\n").unwrap();
        let expected = [(2, Line::End(run(None))), (3, Line::Killed(7)), (4, Line::Start(run(Some(99))))];
        assert_eq!(read(&mut ledger), expected);
    }

    #[test]
    fn what_was_there_before_is_not_of_this_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        fs::write(&path, "start c1 7 - ledger a 1\n").unwrap();
        let mut ledger = Ledger::new(path.clone());
        fs::write(&path, "start c1 7 - ledger a 1\nkilled 9\n").unwrap();
        assert_eq!(read(&mut ledger), [(1, Line::Killed(9))]);
    }

    #[test]
    fn what_is_no_line_and_a_file_that_shrinks_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        for wrong in [
            "start c1 7 - ledger a\n",
            "begin c1 7 - ledger a 1\n",
            "start c1 x - ledger a 1\n",
            "start c1 7 - other a 1\n",
            "start c1 7 - ledger a 1 more\n",
            "killed\n",
            "\u{fffd}\n",
        ] {
            let mut ledger = Ledger::new(path.clone());
            fs::write(&path, wrong).unwrap();
            assert!(ledger.read(|_, _| {}).is_err(), "{wrong}");
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, "killed 1\n").unwrap();
        let mut ledger = Ledger::new(path.clone());
        fs::write(&path, "").unwrap();
        assert!(ledger.read(|_, _| {}).unwrap_err().to_string().contains("shorter"));
        fs::write(&path, "x".repeat(9 + LINE_BYTES_MAX + 1)).unwrap();
        assert!(ledger.read(|_, _| {}).unwrap_err().to_string().contains("without an end"));
    }
}
