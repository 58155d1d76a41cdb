//! The golden vectors as work to be timed.

use std::{fs, hint::black_box, path::PathBuf, time::Instant};

use anyhow::Context as _;
use bytes::Bytes;
use callboard_protocol::{
    Value, flight,
    js::JsString,
    multipart::Part,
    reply::{Limits, Resolution, decode_parts, decode_text},
};
use data_encoding::BASE64;
use serde::Deserialize as _;
use serde_json::Value as Json;

use super::Task;
use crate::repository;

/// A vector, and what is done with it.
pub(crate) struct Vector {
    pub(crate) name: String,
    input: Input,
}

enum Input {
    Text(Bytes),
    Parts(Vec<Part>),
    Value(Value),
}

impl Vector {
    /// What the vector is a case of: the first word of its name.
    pub(crate) fn family(&self) -> &str {
        self.name.split('-').next().unwrap_or_default()
    }

    /// Nanoseconds of one run, over as many as fit into the time.
    pub(crate) fn measure(&self, milliseconds: u32) -> f64 {
        let (mut spent, mut runs, mut size) = (0, 0, 1_u32);
        while spent < u128::from(milliseconds) * 1_000_000 {
            let from = Instant::now();
            for _ in 0..size {
                black_box(self.run());
            }
            let took = from.elapsed().as_nanos();
            spent += took;
            runs += size;
            // Rounds long enough for the clock.
            if took < 100_000 {
                size *= 2;
            }
        }
        // A measurement takes some milliseconds, whose nanoseconds a float holds exactly.
        spent as f64 / f64::from(runs)
    }

    /// Whether it ended well, and in a way that the optimiser cannot see through.
    fn run(&self) -> bool {
        let limits = Limits::default();
        match black_box(&self.input) {
            Input::Text(body) => black_box(decode_text(body.clone(), &limits, &resolve)).is_ok(),
            Input::Parts(parts) => black_box(decode_parts(parts, "", &limits, &resolve)).is_ok(),
            Input::Value(value) => black_box(flight::encode(value, 0)).is_ok(),
        }
    }
}

/// The vectors of a task, and the names of those that this crate refuses or cannot do.
pub(crate) fn load(task: Task) -> anyhow::Result<(Vec<Vector>, Vec<String>)> {
    let (mut able, mut unable) = (Vec::new(), Vec::new());
    for file in files(task)? {
        let name = file.file_stem().context("a vector has a name")?.to_string_lossy().into_owned();
        let json = read(&file).with_context(|| format!("cannot read the vector {name}"))?;
        // What the client does not send, and what is refused, is no throughput.
        if task == Task::Decode && (json["kind"] == "none" || json["expect"].get("reject").is_some()) {
            continue;
        }
        let input = match task {
            Task::Decode => sent(&json)?,
            Task::Encode => recorded(&json)?,
        };
        match input.map(|input| Vector { name: name.clone(), input }) {
            Some(vector) if vector.run() => able.push(vector),
            _ => unable.push(name),
        }
    }
    Ok((able, unable))
}

fn files(task: Task) -> anyhow::Result<Vec<PathBuf>> {
    let folder = repository::root().join("protocol/tests/golden").join(task.folder());
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn read(file: &std::path::Path) -> anyhow::Result<Json> {
    let text = fs::read_to_string(file)?;
    let mut json = serde_json::Deserializer::from_str(&text);
    json.disable_recursion_limit();
    Ok(Json::deserialize(&mut json)?)
}

/// The body of a reply.
fn sent(json: &Json) -> anyhow::Result<Option<Input>> {
    if json["kind"] == "string" {
        return Ok(Some(Input::Text(body(json).into())));
    }
    let parts = json["parts"].as_array().context("a form has parts")?;
    let parts = parts.iter().map(part).collect::<anyhow::Result<_>>()?;
    Ok(Some(Input::Parts(parts)))
}

fn body(json: &Json) -> String {
    if let Some(body) = json["body"].as_str() {
        return body.to_owned();
    }
    let segments = json["segments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let segment = |segment: &Json| {
        let text = segment["text"].as_str().or(segment["unit"].as_str()).unwrap_or_default();
        text.repeat(segment["count"].as_u64().and_then(|count| count.try_into().ok()).unwrap_or(1))
    };
    segments.iter().map(segment).collect()
}

fn part(json: &Json) -> anyhow::Result<Part> {
    let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
    if json.get("base64").is_none() {
        return Ok(Part::text(text("name"), text("value")));
    }
    let bytes = BASE64.decode(text("base64").as_bytes())?;
    Ok(Part::file(text("name"), text("filename"), text("declaredType"), bytes))
}

/// The value of a response, if its rows are ones that can be read.
fn recorded(json: &Json) -> anyhow::Result<Option<Input>> {
    let rows = BASE64.decode(json["rows"].as_str().context("a response has rows")?.as_bytes())?;
    let response = flight::parse(&rows, &flight::Limits::default()).ok();
    Ok(response.and_then(|response| response.root.ok()).map(Input::Value))
}

/// The manifest that the vectors were made with.
fn resolve(id: &JsString) -> Resolution {
    let text = id.to_text_lossy();
    if text.starts_with("unknown") {
        Resolution::Unknown
    } else if text.contains('#') {
        Resolution::Absent
    } else {
        Resolution::Known
    }
}
