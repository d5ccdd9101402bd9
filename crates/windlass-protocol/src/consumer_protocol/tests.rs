//! Consumer protocol payloads: golden bytes, tolerance, round trips.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use windlass_model::{Generation, TopicPartition, TopicPartitions};

use super::{Assignment, Subscription};
use crate::{DecodeErrorKind, EncodeErrorKind};

/// Version 3, written by hand: topics `a` and `bc`, user data 1 2, owned `a` 0 and 5, generation 9,
/// rack `r`.
const SUBSCRIPTION: &[&[u8]] = &[
    &[0, 3],
    &[0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c'],
    &[0, 0, 0, 2, 1, 2],
    &[0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5],
    &[0, 0, 0, 9],
    &[0, 1, b'r'],
];

/// Version 1, written by hand: `a` 0 and 5, null user data.
const ASSIGNMENT: &[&[u8]] = &[
    &[0, 1],
    &[0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5],
    &[0xff, 0xff, 0xff, 0xff],
];

fn owned() -> TopicPartitions {
    [0, 5]
        .map(|index| TopicPartition::new("a", index))
        .iter()
        .collect()
}

fn subscription() -> Subscription {
    Subscription {
        topics: vec!["a".into(), "bc".into()],
        user_data: Some(Bytes::from_static(&[1, 2])),
        owned_partitions: owned(),
        generation: Generation::from_wire(9),
        rack: Some("r".to_owned()),
    }
}

/// What is left of a subscription in a version.
fn cut_down(mut subscription: Subscription, version: i16) -> Subscription {
    if version < 3 {
        subscription.rack = None;
    }
    if version < 2 {
        subscription.generation = None;
    }
    if version < 1 {
        subscription.owned_partitions = TopicPartitions::new();
    }
    subscription
}

#[test]
fn subscription_bytes_are_kafkas() {
    let bytes = SUBSCRIPTION.concat();
    assert_eq!(Subscription::decode(&bytes), Ok(subscription()));
    assert_eq!(subscription().encode(3).unwrap(), bytes);
    for version in 0..3u8 {
        let parts = 3 + usize::from(version);
        let mut bytes = SUBSCRIPTION[..parts].concat();
        bytes[1] = version;
        let version = i16::from(version);
        assert_eq!(subscription().encode(version).unwrap(), bytes);
        let expected = cut_down(subscription(), version);
        assert_eq!(Subscription::decode(&bytes), Ok(expected));
    }
}

#[test]
fn assignment_bytes_are_kafkas() {
    let bytes = ASSIGNMENT.concat();
    let assignment = Assignment {
        partitions: owned(),
        user_data: None,
    };
    assert_eq!(Assignment::decode(&bytes).as_ref(), Ok(&assignment));
    assert_eq!(assignment.encode(1).unwrap(), bytes);
    assert_eq!(Assignment::decode(&[]), Ok(Assignment::default()));
}

#[test]
fn newer_versions_are_read_as_the_newest_known() {
    let mut bytes = SUBSCRIPTION.concat();
    bytes[..2].copy_from_slice(&[1, 0]);
    bytes.extend_from_slice(b"what version 256 adds");
    assert_eq!(Subscription::decode(&bytes), Ok(subscription()));
    let mut bytes = ASSIGNMENT.concat();
    bytes[1] = 4;
    assert_eq!(Assignment::decode(&bytes).unwrap().partitions, owned());
}

#[test]
fn version_1_may_be_broken_behind_the_user_data() {
    let expected = cut_down(subscription(), 0);
    let start = [&[0, 1], SUBSCRIPTION[1], SUBSCRIPTION[2]].concat();
    for owned in [&[][..], &[0, 0], &[0xff; 9], &SUBSCRIPTION[3][..12]] {
        let bytes = [&start, owned].concat();
        assert_eq!(Subscription::decode(&bytes).as_ref(), Ok(&expected));
    }
}

#[test]
fn later_versions_must_be_whole() {
    let bytes = SUBSCRIPTION.concat();
    for length in 0..bytes.len() {
        assert!(
            Subscription::decode(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let bytes = ASSIGNMENT.concat();
    for length in 1..bytes.len() {
        assert!(
            Assignment::decode(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn errors_say_where() {
    let negative = Subscription::decode(&[0xff, 0xff, 0, 0]).unwrap_err();
    assert_eq!(
        negative.kind,
        DecodeErrorKind::UnsupportedVersion { version: -1 }
    );
    let hostile = Assignment::decode(&[0, 0, 0x7f, 0, 0, 0, 1, 2, 3]).unwrap_err();
    assert_eq!(hostile.message, "ConsumerProtocolAssignment");
    assert_eq!(hostile.field.to_string(), "assigned_partitions");
    assert!(matches!(
        hostile.kind,
        DecodeErrorKind::CountBeyondEnd { .. }
    ));
    let unknown = subscription().encode(4).unwrap_err();
    assert_eq!(unknown.kind, EncodeErrorKind::UnsupportedVersion);
}

fn any_partitions() -> impl Strategy<Value = TopicPartitions> {
    vec(("[a-z]{0,4}", any::<i32>()), 0..6).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(topic, index)| TopicPartition::new(topic, index))
            .collect()
    })
}

fn any_user_data() -> impl Strategy<Value = Option<Bytes>> {
    proptest::option::of(vec(any::<u8>(), 0..20).prop_map(Bytes::from))
}

proptest! {
    #[test]
    fn subscriptions_come_back(
        topics in vec("[a-zé]{0,4}", 0..4),
        user_data in any_user_data(),
        owned_partitions in any_partitions(),
        generation: i32,
        rack in proptest::option::of("[a-z]{0,4}"),
        version in 0i16..=3,
    ) {
        let subscription = Subscription {
            topics: topics.into_iter().map(Into::into).collect(),
            user_data,
            owned_partitions,
            generation: Generation::from_wire(generation),
            rack,
        };
        let bytes = subscription.encode(version).unwrap();
        prop_assert_eq!(Subscription::decode(&bytes), Ok(cut_down(subscription, version)));
    }

    #[test]
    fn assignments_come_back(
        partitions in any_partitions(),
        user_data in any_user_data(),
        version in 0i16..=3,
    ) {
        let assignment = Assignment { partitions, user_data };
        let bytes = assignment.encode(version).unwrap();
        prop_assert_eq!(Assignment::decode(&bytes), Ok(assignment));
    }

    #[test]
    fn any_bytes_are_safe(bytes in vec(any::<u8>(), 0..60), version in 0u8..4) {
        for bytes in [&bytes[..], &[&[0, version][..], &bytes].concat()] {
            drop(Subscription::decode(bytes));
            drop(Assignment::decode(bytes));
        }
    }
}
