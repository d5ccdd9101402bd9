//! Tests of the round-robin file.
