//! Inputs made from the golden vectors, so that no fuzzer has to discover the format by itself.

use std::{fs, io, path::Path};

use callboard_protocol::{
    ActionReference,
    action_id::{ActionId, InfoByte},
    envelope::Namespace,
    multipart::{self, Part},
    sealing::{NONCE_BYTES, SealOptions, seal, seal_cookie, sign_cookie},
};
use data_encoding::BASE64;
use serde::Deserialize;

use super::{envelope, parts, reference::RING, reply_incoming::BOUNDARY, sealed};

/// Longer inputs would slow the fuzzer down more than they teach it.
const INPUT_BYTES_MAX: usize = 4096;

/// What the vectors hold that a target can be given.
#[derive(Debug, Default)]
pub struct Golden {
    texts: Vec<String>,
    forms: Vec<Vec<Part>>,
    actions: Vec<Vec<Part>>,
    responses: Vec<Vec<u8>>,
    origins: Vec<String>,
}

#[derive(Deserialize)]
struct Vector {
    body: Option<String>,
    #[serde(default)]
    parts: Vec<VectorPart>,
    rows: Option<String>,
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct VectorPart {
    name: String,
    value: Option<String>,
    base64: Option<String>,
    filename: Option<String>,
    #[serde(rename = "declaredType")]
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Case {
    origin: Option<String>,
    origin_host: Option<String>,
    #[serde(default)]
    allowed_origins: Vec<String>,
}

impl Golden {
    /// Reads the vectors in this folder.
    ///
    /// # Errors
    ///
    /// If the folder or a file in it cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut golden = Self::default();
        for kind in ["reply", "action", "response", "next"] {
            let files = fs::read_dir(folder.join(kind))?.map(|entry| Ok(entry?.path()));
            let mut files = files.collect::<io::Result<Vec<_>>>()?;
            files.sort();
            for file in files {
                golden.add(kind, serde_json::from_slice(&fs::read(file)?)?);
            }
        }
        Ok(golden)
    }

    fn add(&mut self, kind: &str, vector: Vector) {
        let parts: Vec<_> = vector.parts.into_iter().map(part).collect();
        match kind {
            "action" => self.actions.push(parts),
            _ if !parts.is_empty() => self.forms.push(parts),
            _ => {}
        }
        self.texts.extend(vector.body);
        self.responses.extend(vector.rows.and_then(|rows| BASE64.decode(rows.as_bytes()).ok()));
        for case in vector.cases {
            let origin = case.origin.or(case.origin_host.map(|host| format!("https://{host}")));
            let patterns = case.allowed_origins.join("\n");
            self.origins.extend(origin.map(|origin| format!("{origin}\nexample.com\n\n\n1\n{patterns}")));
        }
    }
}

fn part(part: VectorPart) -> Part {
    match part.base64 {
        None => Part::text(part.name, part.value.unwrap_or_default()),
        Some(base64) => {
            let bytes = BASE64.decode(base64.as_bytes()).unwrap_or_default();
            Part::file(
                part.name,
                part.filename.unwrap_or_default(),
                part.media_type.unwrap_or_default(),
                bytes,
            )
        }
    }
}

fn short(inputs: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    inputs.filter(|input| input.len() <= INPUT_BYTES_MAX).collect()
}

pub(crate) fn reply_text(golden: &Golden) -> Vec<Vec<u8>> {
    short(golden.texts.iter().map(|text| text.clone().into_bytes()))
}

pub(crate) fn reply_parts(golden: &Golden) -> Vec<Vec<u8>> {
    short(golden.forms.iter().map(|form| parts::write(form)))
}

pub(crate) fn reply_incoming(golden: &Golden) -> Vec<Vec<u8>> {
    let cut = |form: &Vec<Part>| [&[7][..], &multipart::render(form, BOUNDARY)].concat();
    short(golden.forms.iter().map(cut))
}

pub(crate) fn form_action(golden: &Golden) -> Vec<Vec<u8>> {
    short(golden.actions.iter().map(|form| parts::write(form)))
}

pub(crate) fn response(golden: &Golden) -> Vec<Vec<u8>> {
    short(golden.responses.iter().map(|rows| [&[7][..], rows].concat()))
}

pub(crate) fn origin(golden: &Golden) -> Vec<Vec<u8>> {
    let more = [
        "https://a.example\n\na.example, b.example\n",
        "http://[::1]:80\n[::1]\n",
        "\nexample.com\n\nsame-origin\n1",
    ];
    let all = golden.origins.iter().map(String::as_str).chain(more);
    short(all.map(|text| text.as_bytes().to_vec()))
}

/// What stands behind the prefix, as the target puts one in front.
pub(crate) fn envelope(_: &Golden) -> Vec<Vec<u8>> {
    let frames = envelope::samples().into_iter().map(|(_, frame)| frame.encode(Namespace::named("seeds")));
    frames.map(|frame| frame[envelope::PREFIX_BYTES..].to_vec()).chain(envelope::carried_samples()).collect()
}

pub(crate) fn reference(_: &Golden) -> Vec<Vec<u8>> {
    let sign =
        |name: &str, info| ActionReference::sign(&RING, ActionId::derive(b"salt", name, info)).to_string();
    let texts = [
        sign("one", InfoByte::ALL),
        sign("two", InfoByte::for_arguments(2)),
        ActionId::derive(b"salt", "three", InfoByte::ALL).to_string(),
        sign_cookie(&RING, "name", "value.of.a.cookie"),
        RING.to_text().to_string(),
        format!("{},9:{}", *RING.to_text(), BASE64.encode(&[9; 32])),
    ];
    texts.map(String::into_bytes).into()
}

/// What is sealed here begins with `seed`, by which the target knows it again.
pub(crate) fn sealed(_: &Golden) -> Vec<Vec<u8>> {
    let options = |expires_at_ms, principal| SealOptions { expires_at_ms, principal };
    let sealed = [
        options(None, None),
        options(Some(sealed::NOW_MS + 1), None),
        options(Some(sealed::NOW_MS), Some("ann")),
        options(None, Some("ann")),
        options(None, Some("ben")),
    ]
    .map(|options| seal(&RING, &sealed::REFERENCE, b"seed", options, [1; NONCE_BYTES]));
    let cookie = seal_cookie(&RING, "name", b"value", [1; NONCE_BYTES]);
    sealed.into_iter().chain([cookie, "\u{1}\u{2}\u{3}message".into()]).map(String::into_bytes).collect()
}
