//! Where a consumer stands in a partition.

use windlass_model::{LeaderEpoch, OffsetAndMetadata};

/// The next offset, and the leader epoch of the record before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The next offset.
    pub offset: i64,
    /// The epoch of the last record before it, where known; it lets a truncated log be noticed.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl From<Position> for OffsetAndMetadata {
    fn from(position: Position) -> Self {
        Self {
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: String::new(),
        }
    }
}
