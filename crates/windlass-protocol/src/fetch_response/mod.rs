//! A Fetch response read while it arrives.
//!
//! The generated decoder wants a whole frame; a Fetch response may be fifty megabytes of record
//! batches, and each of them is best looked at while its bytes are still in the processor's cache.
//! [`FetchResponseReader`] takes whatever has arrived and gives parts as soon as they are complete.

mod front;
mod part;
mod partition;
mod reader;
mod tag;
#[cfg(test)]
mod tests;

pub use crate::messages::fetch::{
    AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId,
};
pub use part::{FetchPart, FetchedPartition, PartitionEnd};
pub use reader::{FetchReaderOptions, FetchResponseReader, ReadProgress};
