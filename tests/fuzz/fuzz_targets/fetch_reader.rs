//! See `windlass_fuzz::fetch_reader`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| windlass_fuzz::fetch_reader(data));
