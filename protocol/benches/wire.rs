//! What a call costs on the wire: `cargo bench -p callboard-protocol`. The figure to watch is the median.

use std::hint::black_box;

use callboard_protocol::{
    action_id::{ActionId, InfoByte},
    key_ring::{KeyId, KeyRing},
    origin::{AllowedOrigins, OriginCheck, decide},
    reference::ActionReference,
    sealing::{NONCE_BYTES, SealOptions, open, open_cookie, seal, seal_cookie, sign_cookie, verify_cookie},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

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

criterion_group!(benches, verify, sealing);
criterion_main!(benches);
