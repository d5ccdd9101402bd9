//! What old forms say, and what they cannot say.

use bytes::BytesMut;
use windlass_model::TopicId;

use crate::messages::delete_topics::DeleteTopicState;
use crate::messages::find_coordinator::Coordinator;
use crate::messages::leave_group::{MemberIdentity, MemberResponse};
use crate::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::messages::{
    DeleteTopicsRequest, FindCoordinatorRequest, FindCoordinatorResponse, LeaveGroupRequest,
    LeaveGroupResponse, MetadataRequest, OffsetFetchRequest, OffsetFetchResponse,
};
use crate::{EncodeError, EncodeErrorKind, ErrorCode, Request};

fn written(request: &impl Request, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut out = BytesMut::new();
    request.encode(version, &mut out)?;
    Ok(out.to_vec())
}

/// The field that cannot be written.
fn refused(request: &impl Request, version: i16) -> (String, EncodeErrorKind) {
    let error = written(request, version).unwrap_err();
    (error.field.to_string(), error.kind)
}

#[test]
fn find_coordinator_asks_for_one_key_before_version_4() {
    let mut request = FindCoordinatorRequest {
        key_type: 0,
        coordinator_keys: vec!["g".to_owned()],
    };
    assert_eq!(written(&request, 0).unwrap(), [0, 1, b'g']);
    assert_eq!(written(&request, 3).unwrap(), [2, b'g', 0, 0]);
    assert_eq!(written(&request, 4).unwrap(), [0, 2, 2, b'g', 0]);
    request.coordinator_keys.push("h".to_owned());
    let two = EncodeErrorKind::NotExactlyOne { count: 2 };
    assert_eq!(refused(&request, 3), ("coordinator_keys".to_owned(), two));
    request.coordinator_keys.clear();
    let none = EncodeErrorKind::NotExactlyOne { count: 0 };
    assert_eq!(refused(&request, 3), ("coordinator_keys".to_owned(), none));
    let transaction = FindCoordinatorRequest {
        key_type: 1,
        coordinator_keys: vec!["t".to_owned()],
    };
    assert_eq!(
        refused(&transaction, 0),
        ("key_type".to_owned(), EncodeErrorKind::NotInThisVersion)
    );
}

#[test]
fn find_coordinator_answers_for_a_key_it_does_not_name() {
    let body = [0, 0, 0, 0, 0, 5, 0, 1, b'h', 0, 0, 0x23, 0x84];
    let response = FindCoordinatorResponse::decode(0, &body).unwrap();
    let [coordinator] = response.coordinators.as_slice() else {
        panic!("{response:?}");
    };
    assert_eq!(
        *coordinator,
        Coordinator {
            node_id: 5,
            host: "h".to_owned(),
            port: 9092,
            ..Coordinator::default()
        }
    );
}

#[test]
fn leave_group_lets_one_dynamic_member_go_before_version_3() {
    let mut request = LeaveGroupRequest {
        group_id: "g".to_owned(),
        members: vec![MemberIdentity {
            member_id: "m".to_owned(),
            group_instance_id: None,
            reason: Some("done".to_owned()),
        }],
    };
    assert_eq!(written(&request, 2).unwrap(), [0, 1, b'g', 0, 1, b'm']);
    request.members[0].group_instance_id = Some("i".to_owned());
    assert_eq!(
        refused(&request, 2),
        (
            "members[0].group_instance_id".to_owned(),
            EncodeErrorKind::NotInThisVersion
        )
    );
    written(&request, 3).unwrap();
}

#[test]
fn leave_group_answers_with_the_one_error_there_is_room_for() {
    let member = |error_code| MemberResponse {
        error_code,
        ..MemberResponse::default()
    };
    let cases = [
        (ErrorCode::NONE, vec![], 0),
        (ErrorCode::NOT_COORDINATOR, vec![], 16),
        (
            ErrorCode::NONE,
            vec![member(ErrorCode::UNKNOWN_MEMBER_ID)],
            25,
        ),
        (
            ErrorCode::NOT_COORDINATOR,
            vec![member(ErrorCode::UNKNOWN_MEMBER_ID)],
            16,
        ),
    ];
    for (error_code, members, expected) in cases {
        let response = LeaveGroupResponse {
            error_code,
            members,
            ..LeaveGroupResponse::default()
        };
        let mut out = BytesMut::new();
        response.encode(0, &mut out).unwrap();
        assert_eq!(out[..], [0, expected]);
    }
    let two = LeaveGroupResponse {
        members: vec![MemberResponse::default(); 2],
        ..LeaveGroupResponse::default()
    };
    let error = two.encode(0, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::NotExactlyOne { count: 2 });
}

#[test]
fn offset_fetch_asks_about_one_group_before_version_8() {
    let group = OffsetFetchRequestGroup {
        group_id: "g".to_owned(),
        member_id: Some("m".to_owned()),
        member_epoch: 4,
        topics: Some(vec![OffsetFetchRequestTopics {
            name: "t".to_owned(),
            topic_id: TopicId::new([3; 16]),
            partition_indexes: vec![6],
        }]),
    };
    let mut request = OffsetFetchRequest {
        groups: vec![group],
        require_stable: false,
    };
    let v1 = [
        &b"\x00\x01g"[..],
        &[0, 0, 0, 1],
        b"\x00\x01t",
        &[0, 0, 0, 1, 0, 0, 0, 6],
    ];
    assert_eq!(written(&request, 1).unwrap(), v1.concat());

    request.require_stable = true;
    let stable = (
        "require_stable".to_owned(),
        EncodeErrorKind::NotInThisVersion,
    );
    assert_eq!(refused(&request, 6), stable);

    request.require_stable = false;
    request.groups[0].topics = None;
    assert_eq!(
        written(&request, 2).unwrap(),
        [0, 1, b'g', 0xff, 0xff, 0xff, 0xff]
    );
    let null = ("topics".to_owned(), EncodeErrorKind::UnexpectedNull);
    assert_eq!(refused(&request, 1), null);

    request.groups.push(OffsetFetchRequestGroup::default());
    let two = EncodeErrorKind::NotExactlyOne { count: 2 };
    assert_eq!(refused(&request, 7), ("groups".to_owned(), two));
}

#[test]
fn offset_fetch_answers_about_a_group_it_does_not_name() {
    let body = [
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 6][..],
        &[0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff, 0, 0],
        &[0, 16],
    ];
    let response = OffsetFetchResponse::decode(2, &body.concat()).unwrap();
    let [group] = response.groups.as_slice() else {
        panic!("{response:?}");
    };
    assert_eq!(group.group_id, "");
    assert_eq!(group.error_code, ErrorCode::NOT_COORDINATOR);
    let partition = &group.topics[0].partitions[0];
    assert_eq!(partition.partition_index, 6);
    assert_eq!(partition.committed_offset, 9);
    assert_eq!(partition.committed_leader_epoch, -1);
    assert_eq!(partition.metadata, None);
}

#[test]
fn metadata_of_no_topics_cannot_be_asked_for_in_version_0() {
    let nothing = MetadataRequest::default();
    assert_eq!(nothing.topics, Some(Vec::new()));
    let refusal = ("topics".to_owned(), EncodeErrorKind::NotInThisVersion);
    assert_eq!(refused(&nothing, 0), refusal);
    let quiet = MetadataRequest {
        topics: None,
        allow_auto_topic_creation: false,
        ..MetadataRequest::default()
    };
    assert_eq!(refused(&quiet, 0).0, "allow_auto_topic_creation");
    assert_eq!(refused(&quiet, 3).0, "allow_auto_topic_creation");
    assert_eq!(MetadataRequest::decode(0, &[0; 4]).unwrap().topics, None);
}

#[test]
fn topics_are_deleted_by_name_before_version_6() {
    let mut request = DeleteTopicsRequest {
        topics: vec![DeleteTopicState {
            name: Some("t".to_owned()),
            topic_id: TopicId::ZERO,
        }],
        timeout_ms: 1,
    };
    assert_eq!(
        written(&request, 1).unwrap(),
        [0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1]
    );
    request.topics[0] = DeleteTopicState {
        name: None,
        topic_id: TopicId::new([1; 16]),
    };
    assert_eq!(refused(&request, 5).0, "topics[0].topic_id");
    written(&request, 6).unwrap();
}
