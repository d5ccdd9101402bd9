//! Tests of the assignment file.
