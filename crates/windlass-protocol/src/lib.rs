//! Under construction.

pub mod fetch_response;
pub mod records;

/// Placeholder until the messages are generated.
#[derive(Clone, Debug, PartialEq)]
pub enum RequestKind {}
