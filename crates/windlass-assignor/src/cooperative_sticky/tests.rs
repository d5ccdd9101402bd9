//! Tests of the cooperative-sticky file.
