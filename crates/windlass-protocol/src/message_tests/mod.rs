//! Every message in every version, against bytes that the notation alone says are right.

#[path = "../../../../xtask/src/codegen/notation.rs"]
#[expect(dead_code, reason = "the generator needs more of it than these tests")]
mod notation;

mod golden;
mod round_trip;
mod wire_sample;
