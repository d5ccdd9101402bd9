//! Offsets and the epochs that date them.

use std::fmt;

/// How many times the leadership of a partition has changed hands. The wire's −1 ("unknown") is
/// `None` of an `Option<LeaderEpoch>` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderEpoch(i32);

impl LeaderEpoch {
    /// Reads the wire's number; every negative one means unknown.
    #[must_use]
    pub const fn from_wire(epoch: i32) -> Option<Self> {
        if epoch < 0 { None } else { Some(Self(epoch)) }
    }

    /// The wire's number for a maybe unknown epoch: −1 where there is none.
    #[must_use]
    pub const fn to_wire(epoch: Option<Self>) -> i32 {
        match epoch {
            Some(epoch) => epoch.0,
            None => -1,
        }
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a group stores for a partition: the offset of the *next* record to read, the leader epoch
/// of the last one read, and a note of the application's (mirrors Kafka's `OffsetAndMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The next offset to read; 0 or greater.
    pub offset: i64,
    /// The leader epoch of the record before `offset`, where known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Free text kept beside the offset; brokers refuse more than 4096 bytes by default.
    pub metadata: String,
}

impl OffsetAndMetadata {
    /// An offset with no epoch and no note.
    #[must_use]
    pub const fn new(offset: i64) -> Self {
        Self {
            offset,
            leader_epoch: None,
            metadata: String::new(),
        }
    }
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self::new(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_epochs_are_unknown() {
        assert_eq!(LeaderEpoch::from_wire(-1), None);
        assert_eq!(LeaderEpoch::to_wire(None), -1);
        assert_eq!(LeaderEpoch::to_wire(LeaderEpoch::from_wire(7)), 7);
    }
}
