//! Between the corpus in the tree and the folders of files that libFuzzer works on.
//!
//! ```text
//! corpus seed FOLDER    writes FOLDER/TARGET/… from the golden vectors and the tree
//! corpus keep FOLDER    writes the tree's corpus from FOLDER/TARGET/…, the shortest inputs of each first
//! ```

use std::{
    collections::BTreeSet,
    env, fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use callboard_fuzz::{Golden, TARGETS, Target, corpus};

/// Most bytes that the tree keeps for one target.
const KEPT_BYTES_MAX: usize = 24_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["seed", folder] => seed(Path::new(folder)),
        ["keep", folder] => keep(Path::new(folder)),
        _ => Err(io::Error::other("corpus seed FOLDER, or corpus keep FOLDER")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn kept(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{}.txt", target.name))
}

fn seed(folder: &Path) -> io::Result<()> {
    let golden = Golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden"))?;
    for target in TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder)?;
        for input in (target.seeds)(&golden).into_iter().chain(corpus::read(&kept(target))?) {
            let mut hasher = DefaultHasher::new();
            input.hash(&mut hasher);
            fs::write(folder.join(format!("{:016x}", hasher.finish())), input)?;
        }
    }
    Ok(())
}

fn keep(folder: &Path) -> io::Result<()> {
    for target in TARGETS {
        let folder = folder.join(target.name);
        if !folder.is_dir() {
            continue;
        }
        let inputs = fs::read_dir(folder)?.map(|entry| fs::read(entry?.path()));
        let inputs: BTreeSet<_> =
            inputs.map(|input| input.map(|input| (input.len(), input))).collect::<io::Result<_>>()?;
        let mut text = String::new();
        for line in inputs.into_iter().map(|(_, input)| format!("{}\n", input.escape_ascii())) {
            if text.len() + line.len() > KEPT_BYTES_MAX {
                break;
            }
            text.push_str(&line);
        }
        fs::write(kept(target), text)?;
    }
    Ok(())
}
