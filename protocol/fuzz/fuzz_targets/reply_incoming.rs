#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| callboard_fuzz::reply_incoming::run(bytes));
