//! What a message takes up when it is read, against what it took up on the wire: a broker that sends many
//! small things must not fill the memory with a multiple of what it sent.

use std::alloc::System;

use bytes::{BufMut, BytesMut};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use windlass_protocol::{ApiKey, ResponseKind};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ELEMENTS: usize = 200_000;

/// Reads the body, and says how many bytes were allocated for each of its own.
fn ratio(api: ApiKey, version: i16, body: &[u8]) -> usize {
    let region = Region::new(GLOBAL);
    let response = ResponseKind::decode(api, version, body);
    let allocated = region.change().bytes_allocated;
    assert!(response.is_ok(), "{api:?} v{version}: {response:?}");
    allocated / body.len()
}

/// The length of a compact array.
fn compact_length(out: &mut BytesMut, length: usize) {
    let mut left = length + 1;
    while left >= 0x80 {
        out.put_u8(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    out.put_u8(left.to_le_bytes()[0]);
}

/// A JoinGroup v9 response of members of which each takes up four bytes.
fn members() -> BytesMut {
    let mut body = BytesMut::new();
    // Throttle time, error, generation, protocol type and name, leader, no assignment skipped, member id.
    body.put_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1]);
    compact_length(&mut body, ELEMENTS);
    for _ in 0..ELEMENTS {
        // Member id, instance id, metadata, tagged fields.
        body.put_slice(&[1, 0, 1, 0]);
    }
    body.put_u8(0);
    body
}

/// A Metadata v12 response whose one partition has no end of replicas, four bytes each.
fn replicas() -> BytesMut {
    let mut body = BytesMut::new();
    // Throttle time, no brokers, cluster id, controller, one topic without an error.
    body.put_slice(&[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0]);
    // Name, id, not internal, one partition.
    body.put_slice(&[2, b't']);
    body.put_slice(&[0; 16]);
    body.put_slice(&[0, 2]);
    // Error, index, leader, epoch.
    body.put_slice(&[0; 14]);
    compact_length(&mut body, ELEMENTS);
    body.put_bytes(0, 4 * ELEMENTS);
    // In sync, offline, tagged fields; operations and tagged fields of the topic; tagged fields.
    body.put_slice(&[1, 1, 0, 0, 0, 0, 0, 0, 0]);
    body
}

/// A DescribeGroups v5 response of groups that say nothing, 13 bytes each.
fn groups() -> BytesMut {
    let mut body = BytesMut::new();
    body.put_slice(&[0, 0, 0, 0]);
    compact_length(&mut body, ELEMENTS);
    for _ in 0..ELEMENTS {
        // Error, id, state, type, data, no members, operations, tagged fields.
        body.put_slice(&[0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    }
    body.put_u8(0);
    body
}

#[test]
fn what_is_read_takes_up_a_bounded_multiple_of_what_was_sent() {
    for (api, version, body, most) in [
        (ApiKey::JoinGroup, 9, members(), 28),
        (ApiKey::Metadata, 12, replicas(), 2),
        (ApiKey::DescribeGroups, 5, groups(), 18),
    ] {
        let ratio = ratio(api, version, &body);
        println!("{api:?} v{version}: {} bytes, {ratio} for each", body.len());
        assert!(ratio <= most, "{api:?}: {ratio} bytes for each byte");
    }
}

#[test]
fn what_is_only_announced_takes_up_nothing() {
    let whole = members();
    let region = Region::new(GLOBAL);
    // So many members are announced, and one is there.
    let cut = &whole[..24];
    assert!(ResponseKind::decode(ApiKey::JoinGroup, 9, cut).is_err());
    let allocated = region.change().bytes_allocated;
    assert!(allocated < 4096, "{allocated} bytes");
}
