//! See `windlass_fuzz::record_batch`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| windlass_fuzz::record_batch(data));
