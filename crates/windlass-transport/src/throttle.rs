//! How long a broker wants to be left alone (KIP-219).

use std::time::Duration;

use windlass_protocol::ResponseKind;

/// What a response says of it; nothing for those that cannot say it.
pub(crate) fn throttle_time(response: &ResponseKind) -> Duration {
    use ResponseKind as Response;

    milliseconds(match response {
        Response::Produce(response) => response.throttle_time_ms,
        Response::Fetch(response) => response.throttle_time_ms,
        Response::ListOffsets(response) => response.throttle_time_ms,
        Response::Metadata(response) => response.throttle_time_ms,
        Response::OffsetCommit(response) => response.throttle_time_ms,
        Response::OffsetFetch(response) => response.throttle_time_ms,
        Response::FindCoordinator(response) => response.throttle_time_ms,
        Response::JoinGroup(response) => response.throttle_time_ms,
        Response::Heartbeat(response) => response.throttle_time_ms,
        Response::LeaveGroup(response) => response.throttle_time_ms,
        Response::SyncGroup(response) => response.throttle_time_ms,
        Response::DescribeGroups(response) => response.throttle_time_ms,
        Response::ListGroups(response) => response.throttle_time_ms,
        Response::ApiVersions(response) => response.throttle_time_ms,
        Response::CreateTopics(response) => response.throttle_time_ms,
        Response::DeleteTopics(response) => response.throttle_time_ms,
        Response::InitProducerId(response) => response.throttle_time_ms,
        Response::OffsetForLeaderEpoch(response) => response.throttle_time_ms,
        Response::AddPartitionsToTxn(response) => response.throttle_time_ms,
        Response::EndTxn(response) => response.throttle_time_ms,
        Response::CreatePartitions(response) => response.throttle_time_ms,
        Response::DeleteGroups(response) => response.throttle_time_ms,
        Response::ConsumerGroupHeartbeat(response) => response.throttle_time_ms,
        Response::ConsumerGroupDescribe(response) => response.throttle_time_ms,
        _ => 0,
    })
}

/// A duration off the wire; a negative one is none.
pub(crate) fn milliseconds(milliseconds: i32) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
