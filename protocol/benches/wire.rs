//! What a call costs on the wire: `cargo bench -p callboard-protocol`. The figure to watch is the median.
//!
//! The groups `decode`, `encode` and `parse` run over the golden vectors, each one alone and all of them in a row
//! (`corpus`); a vector that does not come out as recorded is named and not measured.

use std::{fs, hint::black_box, path::Path, time::Duration};

use bytes::Bytes;
use callboard_protocol::{
    Value,
    action_id::{ActionId, InfoByte},
    flight,
    key_ring::{KeyId, KeyRing},
    multipart,
    origin::{AllowedOrigins, OriginCheck, decide},
    reference::ActionReference,
    reply::{Limits, decode_parts, decode_text},
    sealing::{NONCE_BYTES, SealOptions, open, open_cookie, seal, seal_cookie, sign_cookie, verify_cookie},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data_encoding::BASE64;
use serde_json::Value as Json;

#[path = "../fuzz/src/drained.rs"]
mod drained;
#[path = "../examples/vectors/refused.rs"]
mod refused;
#[path = "../examples/vectors/reply.rs"]
mod reply;
#[path = "../examples/vectors/response.rs"]
mod response;
#[path = "../examples/vectors/tagged.rs"]
mod tagged;
#[path = "../examples/vectors/verdict.rs"]
mod verdict;

use verdict::Verdict;

const NONCE: [u8; NONCE_BYTES] = [5; NONCE_BYTES];

/// Three keys, as in the middle of a rotation.
fn ring() -> KeyRing {
    let texts: Vec<String> =
        (1..=3).map(|id| KeyRing::generate(KeyId::new(id), [id; 32]).to_text().to_string()).collect();
    KeyRing::parse(&texts.join(",")).expect("three different keys")
}

fn reference(ring: &KeyRing) -> ActionReference {
    ActionReference::sign(ring, ActionId::derive(b"guestbook", "guestbook::sign", InfoByte::ALL))
}

fn verify(criterion: &mut Criterion) {
    let ring = ring();
    let ours = reference(&ring).to_string();
    let forged = reference(&KeyRing::generate(KeyId::new(1), [9; 32])).to_string();
    let unknown_key = reference(&KeyRing::generate(KeyId::new(77), [9; 32])).to_string();
    let mut group = criterion.benchmark_group("verify");

    for (name, text) in [("genuine", &ours), ("forged", &forged), ("unknown key", &unknown_key)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                ActionReference::parse(black_box(text)).and_then(|reference| reference.verify(&ring)).is_ok()
            });
        });
    }
    group.bench_function("parse alone", |bencher| bencher.iter(|| ActionReference::parse(black_box(&ours))));
    group.bench_function("sign", |bencher| bencher.iter(|| reference(black_box(&ring))));

    let cookie = sign_cookie(&ring, "session", "ada.lovelace");
    group.bench_function("signed cookie", |bencher| {
        bencher.iter(|| verify_cookie(&ring, "session", black_box(&cookie)).is_ok());
    });

    let allowed = AllowedOrigins::default();
    let check = OriginCheck {
        origin: Some("https://guestbook.example.com"),
        sec_fetch_site: Some("same-origin"),
        x_forwarded_host: None,
        host: Some("guestbook.example.com"),
        has_cookie: true,
        allowed: &allowed,
        allow_missing: false,
    };
    group.bench_function("origin", |bencher| bencher.iter(|| decide(black_box(check)).is_ok()));
    group.finish();
}

fn sealing(criterion: &mut Criterion) {
    let ring = ring();
    let reference = reference(&ring);
    let options = SealOptions { expires_at_ms: Some(2), principal: Some("ada") };
    let mut group = criterion.benchmark_group("seal");

    for bytes in [32, 1024, 65_536] {
        let plaintext = vec![7; bytes];
        let text = seal(&ring, &reference, &plaintext, options, NONCE);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(format!("seal {bytes} bytes"), |bencher| {
            bencher.iter(|| seal(&ring, &reference, black_box(&plaintext), options, NONCE));
        });
        group.bench_function(format!("open {bytes} bytes"), |bencher| {
            bencher.iter(|| open(&ring, &reference, black_box(&text), 1, Some("ada")));
        });
    }
    let cookie = seal_cookie(&ring, "session", &[7; 32], NONCE);
    group.throughput(Throughput::Bytes(32));
    group.bench_function("open a cookie of 32 bytes", |bencher| {
        bencher.iter(|| open_cookie(&ring, "session", black_box(&cookie)));
    });
    group.finish();
}

/// Runs the vectors of one file, as the tests do.
type Runner = fn(&Path, &Json) -> Vec<(String, Verdict)>;

/// The vectors of a folder that come out as recorded, by name.
fn vectors(folder: &str, runner: Runner) -> Vec<(String, Json)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let files = fs::read_dir(folder).expect("the vectors are part of the tree");
    let mut files: Vec<_> = files.map(|entry| entry.expect("the folder can be listed").path()).collect();
    files.sort();
    let mut vectors = Vec::with_capacity(files.len());
    for file in files {
        let json = tagged::read(&file).expect("a vector is JSON");
        for (name, verdict) in runner(&file, &json) {
            match verdict {
                Verdict::Passed => {
                    let name = name.rsplit('/').next().unwrap_or_default();
                    vectors.push((name.to_owned(), json.clone()));
                }
                Verdict::Failed(why) | Verdict::Skipped(why) => eprintln!("not measured: {name}: {why}"),
            }
        }
    }
    vectors
}

/// Measures each input alone, and all of them in a row. Throughput is in bytes on the wire.
fn over_corpus<T, R>(
    criterion: &mut Criterion,
    group: &str,
    inputs: &[(String, T)],
    wire_bytes: impl Fn(&T) -> usize,
    run: impl Fn(&T) -> R,
) {
    let mut group = criterion.benchmark_group(group);
    // Hundreds of benchmarks of a microsecond each: the default 8 s for one would take most of an hour.
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    let all_bytes: usize = inputs.iter().map(|(_, input)| wire_bytes(input)).sum();
    group.throughput(Throughput::Bytes(all_bytes as u64));
    group.bench_function("corpus", |bencher| {
        bencher.iter(|| {
            for (_, input) in inputs {
                black_box(run(black_box(input)));
            }
        });
    });
    for (name, input) in inputs {
        group.throughput(Throughput::Bytes(wire_bytes(input) as u64));
        group.bench_function(name, |bencher| bencher.iter(|| run(black_box(input))));
    }
    group.finish();
}

/// A reply as it comes out of a connection.
enum Sent {
    Text(Bytes),
    Multipart { body: Bytes, boundary: String },
}

impl Sent {
    /// The recorded body, or for a form whose body was not recorded, its parts as a browser writes them.
    fn of(json: &Json) -> Self {
        const BOUNDARY: &str = "----callboardBench7MA4YWxkTrZu0gW";
        if json["kind"] == "string" {
            return Self::Text(reply::body(json).into());
        }
        let (Some(base64), Some(media_type)) =
            (json["raw"]["base64"].as_str(), json["raw"]["contentType"].as_str())
        else {
            let parts = reply::parts(json).expect("a form has parts");
            let body = multipart::render(&parts, BOUNDARY).into();
            return Self::Multipart { body, boundary: BOUNDARY.to_owned() };
        };
        let body = BASE64.decode(base64.as_bytes()).expect("recorded in base64").into();
        let boundary = multipart::boundary(media_type).expect("recorded with a boundary").to_owned();
        Self::Multipart { body, boundary }
    }

    fn wire_bytes(&self) -> usize {
        let (Self::Text(body) | Self::Multipart { body, .. }) = self;
        body.len()
    }

    /// From bytes to value; `None` where the reply is to be refused.
    fn decode(&self) -> Option<Value> {
        let limits = Limits::default();
        match self {
            Self::Text(body) => decode_text(body.clone(), &limits, &reply::resolve).ok(),
            Self::Multipart { body, boundary } => {
                let parts = multipart::collect(body.clone(), boundary, multipart::Limits::default()).ok()?;
                decode_parts(&parts, "", &limits, &reply::resolve).ok()
            }
        }
    }
}

fn decode(criterion: &mut Criterion) {
    let sent = vectors("reply", reply::run).into_iter().map(|(name, json)| (name, Sent::of(&json)));
    let decodable: Vec<_> = sent.filter(|(_, sent)| sent.decode().is_some()).collect();
    over_corpus(criterion, "decode", &decodable, Sent::wire_bytes, Sent::decode);
}

fn flight_rows(criterion: &mut Criterion) {
    let limits = flight::Limits::default();
    let parsed = |rows: &[u8]| flight::parse(rows, &limits).ok()?.root.ok();
    let rows = vectors("response", response::run).into_iter().filter_map(|(name, json)| {
        let rows = BASE64.decode(json["rows"].as_str()?.as_bytes()).ok()?;
        parsed(&rows).is_some().then_some((name, rows))
    });
    let rows: Vec<(String, Vec<u8>)> = rows.collect();
    over_corpus(criterion, "parse", &rows, Vec::len, |rows| parsed(rows));

    let encoded = |value: &Value| flight::encode(value, 0).ok();
    let values = rows.iter().filter_map(|(name, rows)| {
        let value = parsed(rows)?;
        // What only rendering makes cannot be written.
        let wire_bytes = encoded(&value)?.len();
        Some((name.clone(), (value, wire_bytes)))
    });
    let values: Vec<_> = values.collect();
    over_corpus(criterion, "encode", &values, |(_, wire_bytes)| *wire_bytes, |(value, _)| encoded(value));
}

criterion_group!(benches, verify, sealing, decode, flight_rows);
criterion_main!(benches);
