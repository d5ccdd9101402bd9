//! What the tests of strategies share: cases, an independent judge of plans, an exact solver.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "a module of test binaries has no outside")]

pub mod case;
pub mod java;
pub mod score;
pub mod solver;
