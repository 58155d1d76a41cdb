//! Values as rows, for those who have React's client read them: a tagged value on each line of the standard input gives
//! a line of the output, which is its rows in base64, or `!` and why it has none.

use std::io::{self, BufRead as _, Write as _};

use callboard_protocol::flight;
use data_encoding::BASE64;
use serde::Deserialize as _;
use serde_json::Value as Json;

use crate::tagged::{self, Unreadable};

/// Answers line by line, until there are no more.
pub(crate) fn serve() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        match rows(&line?) {
            Ok(rows) => writeln!(out, "{}", BASE64.encode(&rows))?,
            Err(why) => writeln!(out, "!{why}")?,
        }
    }
    out.flush()
}

fn rows(line: &str) -> Result<Vec<u8>, String> {
    let mut json = serde_json::Deserializer::from_str(line);
    json.disable_recursion_limit();
    let json = Json::deserialize(&mut json).map_err(|error| error.to_string())?;
    if json["t"] == "throw" {
        let digest = json["digest"].as_str().ok_or("an error without a digest")?;
        return Ok(flight::error_row(0, digest).into());
    }
    let value = tagged::value(&json).map_err(|error| match error {
        Unreadable::Unsupported(what) => format!("no value holds {what}"),
        Unreadable::Malformed(what) => format!("not tagged JSON: {what}"),
    })?;
    flight::encode(&value, 0).map(Into::into).map_err(|error| error.to_string())
}
