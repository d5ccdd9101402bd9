//! See `windlass_fuzz::consumer_protocol`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| windlass_fuzz::consumer_protocol(data));
