//! Tests of the range file.
