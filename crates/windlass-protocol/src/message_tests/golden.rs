//! Bytes written by hand from the protocol's documents.

use bytes::{Bytes, BytesMut};
use windlass_model::TopicId;

use crate::messages::fetch::{EpochEndOffset, FetchableTopicResponse, PartitionData};
use crate::messages::join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use crate::messages::metadata::MetadataRequestTopic;
use crate::messages::{
    ApiVersionsRequest, ApiVersionsResponse, ConsumerGroupHeartbeatResponse, FetchRequest,
    FetchResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    MetadataRequest, SaslAuthenticateRequest, consumer_group_heartbeat,
};
use crate::{DecodeErrorKind, EncodeErrorKind, ErrorCode, Request, RequestKind, ResponseKind};

fn request_body(request: &impl Request, version: i16) -> Vec<u8> {
    let mut out = BytesMut::new();
    request.encode(version, &mut out).unwrap();
    out.to_vec()
}

#[test]
fn heartbeat_request_plain_and_flexible() {
    let mut request = HeartbeatRequest {
        group_id: "g".to_owned(),
        generation_id: 7,
        member_id: "m1".to_owned(),
        group_instance_id: None,
    };
    let v0 = [0, 1, b'g', 0, 0, 0, 7, 0, 2, b'm', b'1'];
    assert_eq!(request_body(&request, 0), v0);
    let v3 = [&v0[..], &[0xff, 0xff]].concat();
    assert_eq!(request_body(&request, 3), v3);
    let v4 = [2, b'g', 0, 0, 0, 7, 3, b'm', b'1', 0, 0];
    assert_eq!(request_body(&request, 4), v4);
    assert_eq!(HeartbeatRequest::decode(4, &v4).unwrap(), request);

    request.group_instance_id = Some("i".to_owned());
    let mut out = BytesMut::new();
    let error = request.encode(2, &mut out).unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::NotInThisVersion);
    assert_eq!(
        error.to_string(),
        "HeartbeatRequest cannot be written in version 2, field group_instance_id: \
         the field does not exist in this version and is not at its default"
    );
}

#[test]
fn heartbeat_frames() {
    let request = RequestKind::from(HeartbeatRequest {
        group_id: "g".to_owned(),
        generation_id: 7,
        member_id: "m".to_owned(),
        group_instance_id: None,
    });
    let mut out = BytesMut::from(&b"before"[..]);
    request.encode_frame(0, 5, Some("me"), &mut out).unwrap();
    let plain = [
        &b"before"[..],
        &[0, 0, 0, 22],
        &[0, 12, 0, 0, 0, 0, 0, 5, 0, 2, b'm', b'e'],
        &[0, 1, b'g', 0, 0, 0, 7, 0, 1, b'm'],
    ];
    assert_eq!(out, plain.concat());

    // Header version 2: the client id keeps its two-byte length, then come no tagged fields.
    let mut out = BytesMut::new();
    request.encode_frame(4, 5, Some("me"), &mut out).unwrap();
    let flexible = [
        &[0, 0, 0, 23][..],
        &[0, 12, 0, 4, 0, 0, 0, 5, 0, 2, b'm', b'e', 0],
        &[2, b'g', 0, 0, 0, 7, 2, b'm', 0, 0],
    ];
    assert_eq!(out, flexible.concat());

    let response = ResponseKind::from(HeartbeatResponse {
        throttle_time_ms: 3,
        error_code: ErrorCode::REBALANCE_IN_PROGRESS,
    });
    let mut out = BytesMut::new();
    response.encode_frame(4, 5, &mut out).unwrap();
    assert_eq!(out[..], [0, 0, 0, 12, 0, 0, 0, 5, 0, 0, 0, 0, 3, 0, 27, 0]);
}

#[test]
fn what_cannot_be_written_leaves_the_buffer_as_it_was() {
    let request = RequestKind::from(HeartbeatRequest {
        group_instance_id: Some("i".to_owned()),
        ..HeartbeatRequest::default()
    });
    let mut out = BytesMut::from(&b"before"[..]);
    request.encode_frame(0, 5, None, &mut out).unwrap_err();
    assert_eq!(out[..], b"before"[..]);
    let error = request.encode_frame(5, 5, None, &mut out).unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::UnsupportedVersion);
    let long = "x".repeat(32_768);
    let error = request
        .encode_frame(4, 5, Some(&long), &mut out)
        .unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::TooLong { length: 32_768 });
    assert_eq!(error.field.to_string(), "client_id");
    assert_eq!(out[..], b"before"[..]);
}

#[test]
fn api_versions_asks_and_is_answered_in_another_version() {
    let request = ApiVersionsRequest {
        client_software_name: "windlass".to_owned(),
        client_software_version: "1".to_owned(),
    };
    assert_eq!(request_body(&request, 0), []);
    assert_eq!(request_body(&request, 3), *b"\x09windlass\x021\x00");

    // UNSUPPORTED_VERSION comes as version 0, naming nothing but ApiVersions itself (KIP-511).
    let refusal = [0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3];
    let response = ApiVersionsResponse::decode(0, &refusal).unwrap();
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
    let [range] = response.api_keys.as_slice() else {
        panic!("{response:?}");
    };
    assert_eq!(
        (range.api_key, range.min_version, range.max_version),
        (18, 0, 3)
    );
    assert_eq!(response.finalized_features_epoch, -1);
}

#[test]
fn api_versions_response_with_known_and_unknown_tagged_fields() {
    let mut body = [
        &[0, 0][..],                              // no error
        &[2, 0, 1, 0, 4, 0, 18, 0],               // one API: Fetch 4 to 18
        &[0, 0, 0, 9],                            // throttle
        &[3],                                     // three tagged fields
        &[1, 8, 0, 0, 0, 0, 0, 0, 0, 42],         // 1: epoch of the finalized features
        &[2, 9, 2, 3, b'k', b'v', 0, 2, 0, 1, 0], // 2: one finalized feature
        &[0xc8, 0x01, 2, 0xab, 0xcd],             // 200: unknown
    ]
    .concat();
    let feature_size = 26;
    let response = ApiVersionsResponse::decode(3, &body).unwrap();
    assert_eq!(response.throttle_time_ms, 9);
    assert_eq!(response.finalized_features_epoch, 42);
    assert_eq!(response.finalized_features[0].name, "kv");
    assert_eq!(response.finalized_features[0].max_version_level, 2);

    // A tagged field that holds more than its value is refused, with its place.
    body[feature_size] = 10;
    let error = ApiVersionsResponse::decode(3, &body).unwrap_err();
    assert_eq!(
        error.kind,
        DecodeErrorKind::OversizeTaggedField { tag: 2, excess: 1 }
    );
    // One that is shorter than its value cannot read on into the next.
    body[feature_size] = 8;
    let error = ApiVersionsResponse::decode(3, &body).unwrap_err();
    assert_eq!(error.field.to_string(), "finalized_features[0]");
    assert_eq!(error.kind, DecodeErrorKind::Truncated);
}

#[test]
fn join_group_request_of_version_5_and_9() {
    let request = JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 300_000,
        member_id: String::new(),
        group_instance_id: None,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Bytes::from_static(&[0, 3]),
        }],
        reason: Some("first".to_owned()),
    };
    let v5 = [
        &[
            0, 1, b'g', 0, 0, 0xaf, 0xc8, 0, 4, 0x93, 0xe0, 0, 0, 0xff, 0xff,
        ][..],
        b"\x00\x08consumer\x00\x00\x00\x01\x00\x05range\x00\x00\x00\x02\x00\x03",
    ];
    assert_eq!(
        request_body(&request, 5),
        v5.concat(),
        "the reason is left out"
    );
    let v9 = [
        &[2, b'g', 0, 0, 0xaf, 0xc8, 0, 4, 0x93, 0xe0, 1, 0][..],
        b"\x09consumer\x02\x06range\x03\x00\x03\x00\x06first\x00",
    ];
    assert_eq!(request_body(&request, 9), v9.concat());
}

#[test]
fn join_group_response_keeps_defaults_for_what_old_versions_lack() {
    let body = b"\x00\x00\x00\x00\x00\x05\x00\x05range\x00\x01m\x00\x01m\
                 \x00\x00\x00\x01\x00\x01m\x00\x00\x00\x01\x07";
    let response = JoinGroupResponse::decode(0, body).unwrap();
    assert_eq!(
        response,
        JoinGroupResponse {
            generation_id: 5,
            protocol_name: Some("range".to_owned()),
            leader: "m".to_owned(),
            member_id: "m".to_owned(),
            members: vec![JoinGroupResponseMember {
                member_id: "m".to_owned(),
                metadata: Bytes::from_static(&[7]),
                ..JoinGroupResponseMember::default()
            }],
            ..JoinGroupResponse::default()
        }
    );
    assert!(!response.skip_assignment);
    assert_eq!(response.protocol_type, None);
}

#[test]
fn metadata_request_by_id_and_for_all() {
    let all = MetadataRequest {
        topics: None,
        ..MetadataRequest::default()
    };
    assert_eq!(
        request_body(&all, 0),
        [0, 0, 0, 0],
        "before null, empty meant all"
    );
    assert_eq!(request_body(&all, 1), [0xff; 4]);
    assert_eq!(request_body(&all, 13), [0, 1, 0, 0]);
    let by_id = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id: TopicId::new([9; 16]),
            name: None,
        }]),
        ..MetadataRequest::default()
    };
    let v12 = [&[2][..], &[9; 16], &[0, 0, 1, 0, 0]].concat();
    assert_eq!(request_body(&by_id, 12), v12);
    let error = by_id.encode(9, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.kind, EncodeErrorKind::UnexpectedNull);
    assert_eq!(error.field.to_string(), "topics[0].name");
}

#[test]
fn fetch_request_tags_and_defaults() {
    let request = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        ..FetchRequest::default()
    };
    let v4 = [
        &[0xff; 4][..],               // replica −1
        &[0, 0, 1, 0xf4, 0, 0, 0, 1], // wait, least bytes
        &[0x7f, 0xff, 0xff, 0xff, 0], // most bytes, isolation level
        &[0, 0, 0, 0],                // topics
    ];
    assert_eq!(request_body(&request, 4), v4.concat());
    let v17 = [
        &[0, 0, 1, 0xf4, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0][..],
        &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], // session 0, epoch −1
        &[1, 1, 1, 0],                         // topics, forgotten, rack, no tagged fields
    ];
    assert_eq!(request_body(&request, 17), v17.concat());
}

#[test]
fn fetch_response_with_a_diverging_epoch_and_null_records() {
    let response = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: TopicId::new([1; 16]),
            partitions: vec![PartitionData {
                partition_index: 2,
                high_watermark: 10,
                diverging_epoch: EpochEndOffset {
                    epoch: 3,
                    end_offset: 8,
                },
                aborted_transactions: None,
                records: None,
                ..PartitionData::default()
            }],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    let body = [
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &[2],
        &[1; 16],
        &[2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        &[0xff; 16],                     // last stable and log start offset
        &[0, 0xff, 0xff, 0xff, 0xff, 0], // no aborted list, no preferred replica, no records
        &[1, 0, 13, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 8, 0],
        &[0, 0],
    ]
    .concat();
    let mut out = BytesMut::new();
    response.encode(13, &mut out).unwrap();
    assert_eq!(out, body);
    assert_eq!(FetchResponse::decode(13, &body).unwrap(), response);
}

#[test]
fn a_nullable_struct_is_told_by_a_byte() {
    let response = ConsumerGroupHeartbeatResponse {
        member_epoch: 1,
        heartbeat_interval_ms: 5_000,
        assignment: Some(consumer_group_heartbeat::Assignment::default()),
        ..ConsumerGroupHeartbeatResponse::default()
    };
    let start = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x13, 0x88];
    let present = [&start[..], &[1, 1, 0, 0]].concat();
    assert_eq!(
        ConsumerGroupHeartbeatResponse::decode(0, &present).unwrap(),
        response
    );
    let absent = [&start[..], &[0xff, 0]].concat();
    let decoded = ConsumerGroupHeartbeatResponse::decode(0, &absent).unwrap();
    assert_eq!(decoded.assignment, None);
}

#[test]
fn errors_name_message_field_and_byte() {
    // One member, whose id claims 500 bytes.
    let body = b"\x00\x00\x00\x00\x00\x05\x00\x05range\x00\x01m\x00\x01m\
                 \x00\x00\x00\x01\x01\xf4mmmmmm";
    let error = JoinGroupResponse::decode(0, body).unwrap_err();
    assert_eq!(
        error.to_string(),
        "JoinGroupResponse is malformed in members[0].member_id at byte 25: \
         500 bytes announced, 6 left"
    );
    let error = JoinGroupResponse::decode(10, body).unwrap_err();
    assert_eq!(
        error.kind,
        DecodeErrorKind::UnsupportedVersion { version: 10 }
    );
}

#[test]
fn bytes_after_the_last_field_are_let_pass() {
    let response = HeartbeatResponse::decode(0, &[0, 27, 9, 9]).unwrap();
    assert_eq!(response.error_code, ErrorCode::REBALANCE_IN_PROGRESS);
}

#[test]
fn passwords_are_not_printed() {
    let request = SaslAuthenticateRequest {
        auth_bytes: Bytes::from_static(b"\0user\0secret"),
    };
    let printed = format!("{:?}", RequestKind::from(request));
    assert!(printed.contains("<12 bytes>"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}
