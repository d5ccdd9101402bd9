//! The tagged fields of a Fetch response.

use super::front::{Front, Stop};
use crate::DecodeErrorKind;
use crate::messages::fetch::{EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId};

/// The smallest endpoint: node, empty host, port, null rack, no tags.
const SMALLEST_ENDPOINT: usize = 11;

/// A tagged field of a partition.
pub(super) enum PartitionTag {
    DivergingEpoch(EpochEndOffset),
    CurrentLeader(LeaderIdAndEpoch),
    SnapshotId(SnapshotId),
}

impl PartitionTag {
    /// Reads a tagged field of `length` bytes; `None`, with nothing read, where the tag is not
    /// known.
    pub(super) fn read(
        tag: u32,
        length: usize,
        front: &mut Front<'_>,
    ) -> Result<Option<Self>, Stop> {
        let field = match tag {
            0 => "diverging_epoch",
            1 => "current_leader",
            2 => "snapshot_id",
            _ => return Ok(None),
        };
        let mut inner = front.inner(length, field)?;
        let read = match tag {
            0 => Self::DivergingEpoch(EpochEndOffset {
                epoch: inner.i32(field)?,
                end_offset: inner.i64(field)?,
            }),
            1 => Self::CurrentLeader(LeaderIdAndEpoch {
                leader_id: inner.i32(field)?,
                leader_epoch: inner.i32(field)?,
            }),
            _ => Self::SnapshotId(SnapshotId {
                end_offset: inner.i64(field)?,
                epoch: inner.i32(field)?,
            }),
        };
        inner.skip_tags(field)?;
        inner.end_tag(tag, field)?;
        Ok(Some(read))
    }
}

/// Reads the endpoints of the leaders that the response names.
pub(super) fn node_endpoints(
    length: usize,
    front: &mut Front<'_>,
) -> Result<Vec<NodeEndpoint>, Stop> {
    let field = "node_endpoints";
    let mut inner = front.inner(length, field)?;
    let Some(count) = inner.count(true, SMALLEST_ENDPOINT, field)? else {
        return Err(inner.fault(DecodeErrorKind::UnexpectedNull, field));
    };
    let mut endpoints = Vec::new();
    for _ in 0..count {
        let node_id = inner.i32("node_id")?;
        let Some(host) = inner.text(true, "host")? else {
            return Err(inner.fault(DecodeErrorKind::UnexpectedNull, "host"));
        };
        let port = inner.i32("port")?;
        let rack = inner.text(true, "rack")?;
        inner.skip_tags(field)?;
        endpoints.push(NodeEndpoint {
            node_id,
            host: host.to_owned(),
            port,
            rack: rack.map(str::to_owned),
        });
    }
    inner.end_tag(0, field)?;
    Ok(endpoints)
}
