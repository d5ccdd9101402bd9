//! Answers by chance: mostly what an honest coordinator would say, often an error, sometimes nonsense.

use bytes::Bytes;
use windlass_machine::SplitMix64;
use windlass_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use windlass_protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};
use windlass_protocol::messages::offset_commit::OffsetCommitRequest;
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use windlass_protocol::messages::{OffsetCommitResponse, SyncGroupResponse};
use windlass_protocol::{ErrorCode, RequestKind, ResponseKind};

use crate::commit::stored;
use crate::member::partitions;
use crate::script::{assignment, heartbeat, leave, subscription, use_id};

const ERRORS: [ErrorCode; 20] = [
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::ILLEGAL_GENERATION,
    ErrorCode::UNKNOWN_MEMBER_ID,
    ErrorCode::REBALANCE_IN_PROGRESS,
    ErrorCode::REBALANCE_IN_PROGRESS,
    ErrorCode::ILLEGAL_GENERATION,
    ErrorCode::UNKNOWN_MEMBER_ID,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::UNSTABLE_OFFSET_COMMIT,
    ErrorCode::OFFSET_METADATA_TOO_LARGE,
    ErrorCode::MEMBER_ID_REQUIRED,
    ErrorCode::FENCED_INSTANCE_ID,
    ErrorCode::GROUP_AUTHORIZATION_FAILED,
    ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode(999),
];

/// An answer to the request; `how` says in what spirit.
pub(crate) fn to(
    request: &RequestKind,
    how: u16,
    generation: &mut i32,
    random: &mut SplitMix64,
) -> ResponseKind {
    let code = match how % 100 {
        0..70 => ErrorCode::NONE,
        70..98 => ERRORS[usize::from(how / 100) % ERRORS.len()],
        // To another API.
        _ => {
            return ResponseKind::Metadata(windlass_protocol::messages::MetadataResponse::default());
        }
    };
    match request {
        RequestKind::FindCoordinator(_) => coordinator(code, random).into(),
        RequestKind::JoinGroup(request) => join(request, code, generation, random).into(),
        RequestKind::SyncGroup(_) => sync(code, random).into(),
        RequestKind::LeaveGroup(_) => leave(code).into(),
        RequestKind::OffsetCommit(request) => commit(request, code, random).into(),
        RequestKind::OffsetFetch(request) => offsets(request, code, random).into(),
        _ => heartbeat(code).into(),
    }
}

fn coordinator(error_code: ErrorCode, random: &mut SplitMix64) -> FindCoordinatorResponse {
    let one = Coordinator {
        key: "g".to_owned(),
        node_id: if random.chance(1, 2) { 1 } else { 2 },
        host: "h".to_owned(),
        port: if random.chance(1, 20) { -1 } else { 9092 },
        error_code,
        error_message: None,
    };
    FindCoordinatorResponse {
        coordinators: if random.chance(1, 20) {
            Vec::new()
        } else {
            vec![one]
        },
        ..FindCoordinatorResponse::default()
    }
}

fn join(
    request: &JoinGroupRequest,
    error_code: ErrorCode,
    generation: &mut i32,
    random: &mut SplitMix64,
) -> JoinGroupResponse {
    if error_code == ErrorCode::MEMBER_ID_REQUIRED
        || (error_code.is_none() && request.member_id.is_empty() && random.chance(1, 2))
    {
        return use_id("given");
    }
    *generation += 1;
    let member_id = match request.member_id.as_str() {
        "" => "m".to_owned(),
        id => id.to_owned(),
    };
    let leads = random.chance(1, 2);
    let garbage = JoinGroupResponseMember {
        member_id: "garbage".to_owned(),
        metadata: Bytes::from_static(b"\0\x03\x7f"),
        ..JoinGroupResponseMember::default()
    };
    let mine = JoinGroupResponseMember {
        member_id: member_id.clone(),
        group_instance_id: request.group_instance_id.clone(),
        metadata: request.protocols[0].metadata.clone(),
    };
    let other = JoinGroupResponseMember {
        member_id: "other".to_owned(),
        metadata: subscription(&["a", "ghost"]).encode(1).unwrap(),
        ..JoinGroupResponseMember::default()
    };
    let name = match random.below(40) {
        0 => "unheard of",
        _ => request.protocols[0].name.as_str(),
    };
    JoinGroupResponse {
        error_code,
        generation_id: if random.chance(1, 40) {
            -1
        } else {
            *generation
        },
        protocol_type: random.chance(1, 2).then(|| "consumer".to_owned()),
        protocol_name: Some(name.to_owned()),
        leader: if leads {
            member_id.clone()
        } else {
            "other".to_owned()
        },
        skip_assignment: random.chance(1, 10),
        members: if leads {
            vec![mine, other, garbage]
        } else {
            Vec::new()
        },
        member_id,
        ..JoinGroupResponse::default()
    }
}

fn sync(error_code: ErrorCode, random: &mut SplitMix64) -> SyncGroupResponse {
    let topic = if random.chance(1, 6) { "b" } else { "a" };
    let mine: Vec<i32> = (0..4).filter(|_| random.chance(1, 2)).collect();
    let payload = match random.below(20) {
        0 => Bytes::new(),
        1 => Bytes::from_static(b"\0\x01\xff"),
        _ => assignment(&partitions(topic, &mine)),
    };
    SyncGroupResponse {
        error_code,
        assignment: payload,
        ..SyncGroupResponse::default()
    }
}

fn commit(
    request: &OffsetCommitRequest,
    code: ErrorCode,
    random: &mut SplitMix64,
) -> OffsetCommitResponse {
    let mut response = stored(request, code);
    if random.chance(1, 10) {
        response.topics.clear();
    }
    response
}

fn offsets(
    request: &OffsetFetchRequest,
    code: ErrorCode,
    random: &mut SplitMix64,
) -> OffsetFetchResponse {
    let of_group = random.chance(1, 3);
    let asked = request.groups[0].topics.iter().flatten();
    let topics = asked.map(|topic| OffsetFetchResponseTopics {
        name: topic.name.clone(),
        partitions: topic
            .partition_indexes
            .iter()
            .map(|index| OffsetFetchResponsePartitions {
                partition_index: *index,
                committed_offset: i64::from(*index) - 1,
                error_code: if of_group { ErrorCode::NONE } else { code },
                ..OffsetFetchResponsePartitions::default()
            })
            .collect(),
        ..OffsetFetchResponseTopics::default()
    });
    OffsetFetchResponse {
        groups: vec![OffsetFetchResponseGroup {
            group_id: "g".to_owned(),
            topics: topics.collect(),
            error_code: if of_group { code } else { ErrorCode::NONE },
        }],
        ..OffsetFetchResponse::default()
    }
}
