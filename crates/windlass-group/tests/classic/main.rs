//! The classic group machine, driven by hand: what it sends, what it says, when it wakes.

#![cfg(test)]

mod assigning;
mod bounds;
mod commit;
mod cooperative;
mod coordinator;
mod document;
mod error_table;
mod eviction;
mod group;
mod heartbeat;
mod join;
mod leave;
mod member;
mod offset_fetch;
mod property;
mod rebalance;
mod reply;
mod script;
mod static_member;
mod test_coordinator;
mod world;
