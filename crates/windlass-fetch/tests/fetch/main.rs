//! The fetch machine, driven by hand: one module for each of its concerns, and a model of a cluster
//! that it is let loose on.

#![cfg(test)]

mod answer;
mod batches;
mod budget;
mod corruption;
mod errors;
mod followers;
mod hand_out;
mod leaders;
mod lookups;
mod model;
mod positions;
mod recreated;
mod resets;
mod scene;
mod storms;
mod transactions;
mod validation;
