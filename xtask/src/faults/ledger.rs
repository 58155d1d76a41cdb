//! What the actions of the workload wrote down, line by line, and what we know of their processes.

use std::{
    cell::{Cell, Ref, RefCell},
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

/// One of the actions that write down their runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Plain,
    Keyed,
    Idempotent,
}

impl Action {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Keyed, Self::Idempotent];

    /// Its name in the manifest.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "ledger",
            Self::Keyed => "ledger_keyed",
            Self::Idempotent => "ledger_idempotent",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A call started.
    Start(Run),
    /// It ended.
    End(Run),
    /// This process is dead, and what ran in it does not run any more. Written by whoever killed it.
    Killed(u32),
}

/// What a line says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) call: String,
    pub(crate) pid: u32,
    pub(crate) token: Option<u64>,
    pub(crate) action: Action,
    pub(crate) account: String,
    pub(crate) number: u64,
}

/// The file that all processes append to.
pub(crate) struct Ledger {
    file: PathBuf,
    /// How much of it was read, and what that was.
    read: Cell<u64>,
    lines: RefCell<Vec<Line>>,
}

impl Ledger {
    /// An empty one.
    pub(crate) fn create(file: PathBuf) -> anyhow::Result<Self> {
        File::create_new(&file)?;
        Ok(Self { file, read: Cell::new(0), lines: RefCell::default() })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Every line that is there by now.
    pub(crate) fn lines(&self) -> anyhow::Result<Ref<'_, Vec<Line>>> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.read.get()))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A line that is still being written has no end yet.
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        self.lines.borrow_mut().extend(parse(&text)?);
        self.read.set(self.read.get() + text.len() as u64);
        Ok(self.lines.borrow())
    }

    /// Writes down that a process is dead.
    pub(crate) fn killed(&self, pid: u32) -> anyhow::Result<()> {
        let mut file = File::options().append(true).open(&self.file)?;
        Ok(file.write_all(format!("killed {pid}\n").as_bytes())?)
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<Line>> {
    let lines = text.lines().map(|line| {
        line.parse::<Line>().map_err(|()| anyhow::anyhow!("the ledger has a line that is none: {line:?}"))
    });
    lines.collect()
}

impl FromStr for Line {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<_> = line.split(' ').collect();
        match words[..] {
            ["killed", pid] => Ok(Self::Killed(pid.parse().map_err(drop)?)),
            [what, call, pid, token, action, account, number] => {
                let action = Action::ALL.into_iter().find(|known| known.name() == action).ok_or(())?;
                let run = Run {
                    call: call.to_owned(),
                    pid: pid.parse().map_err(drop)?,
                    token: if token == "-" { None } else { Some(token.parse().map_err(drop)?) },
                    action,
                    account: account.to_owned(),
                    number: number.parse().map_err(drop)?,
                };
                match what {
                    "start" => Ok(Self::Start(run)),
                    "end" => Ok(Self::End(run)),
                    _ => Err(()),
                }
            }
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_starts_ends_and_deaths() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(folder.path().join("ledger")).unwrap();
        assert!(ledger.lines().unwrap().is_empty());
        let text = "start c1 7 - ledger a 1\nend c1 7 - ledger a 1\n";
        std::fs::write(ledger.file(), format!("{text}kil")).unwrap();
        assert_eq!(ledger.lines().unwrap().len(), 2, "the last line is not all there");
        std::fs::write(ledger.file(), format!("{text}killed 7\nstart c2 8 99 ledger_keyed b 2\n")).unwrap();
        let lines = ledger.lines().unwrap();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], Line::Killed(7));
        let run = Run {
            call: "c2".into(),
            pid: 8,
            token: Some(99),
            action: Action::Keyed,
            account: "b".into(),
            number: 2,
        };
        assert_eq!(lines[3], Line::Start(run));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for wrong in ["start c1 7 - ledger a\n", "begin c1 7 - ledger a 1\n", "start c1 x - ledger a 1\n"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
