//! Tests of the sticky file.
