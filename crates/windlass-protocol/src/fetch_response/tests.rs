//! Fetch responses in every division of their bytes, sound and not.

use bytes::{Bytes, BytesMut};
use windlass_model::TopicId;

use super::*;
use crate::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use crate::records::{BatchError, RecordBatchBuilder};
use crate::{DecodeError, DecodeErrorKind, ErrorCode};

mod any_division;

type Outcome = Result<Vec<FetchPart>, DecodeError>;

/// Reads a body that arrives in pieces of these lengths, over and over.
fn read_in_pieces(version: i16, body: &[u8], pieces: &[usize]) -> Outcome {
    let mut reader = FetchResponseReader::new(version, body.len(), FetchReaderOptions::default());
    let mut parts = Vec::new();
    let mut buffer = BytesMut::new();
    let mut rest = body;
    let mut pieces = pieces.iter().cycle();
    loop {
        match reader.advance(&mut buffer, &mut |part| parts.push(part))? {
            ReadProgress::Done => {
                assert!(rest.is_empty() && buffer.is_empty() && reader.remaining() == 0);
                return Ok(parts);
            }
            ReadProgress::Need(bytes) => {
                assert!(
                    bytes > 0 && bytes <= rest.len(),
                    "needs {bytes} of {}",
                    rest.len()
                );
                let length = *pieces.next().unwrap();
                let (piece, later) = rest.split_at(length.clamp(1, rest.len()));
                buffer.extend_from_slice(piece);
                rest = later;
            }
        }
    }
}

fn read(version: i16, body: &[u8]) -> Outcome {
    read_in_pieces(version, body, &[usize::MAX])
}

/// Reads a body whole, byte by byte and in other pieces; all must say the same.
fn read_in_every_way(version: i16, body: &[u8], pieces: &[usize]) -> Outcome {
    let whole = read(version, body);
    assert_eq!(read_in_pieces(version, body, &[1]), whole);
    assert_eq!(read_in_pieces(version, body, pieces), whole);
    whole
}

fn batch(base_offset: i64, value: &[u8]) -> Bytes {
    let mut builder = RecordBatchBuilder::new().base_offset(base_offset);
    builder.append(1, None, Some(value), &[]).unwrap();
    builder.build().unwrap().bytes().clone()
}

/// A response with one partition that has these records.
fn response(records: Option<Bytes>) -> FetchResponse {
    let partition = PartitionData {
        partition_index: 5,
        records,
        ..PartitionData::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            partitions: vec![partition],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}

fn encoded(response: &FetchResponse, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    response.encode(version, &mut out).unwrap();
    out.freeze()
}

/// What is between `Partition` and `PartitionEnd` of a response with one partition, and the end.
fn inside(records: &[u8]) -> (Vec<FetchPart>, PartitionEnd) {
    let body = encoded(&response(Some(Bytes::copy_from_slice(records))), 12);
    let mut parts = read_in_every_way(12, &body, &[3, 50]).unwrap();
    assert!(matches!(parts.pop(), Some(FetchPart::End { .. })));
    let Some(FetchPart::PartitionEnd(end)) = parts.pop() else {
        panic!("the partition does not end: {parts:?}");
    };
    parts.drain(..2);
    (parts, end)
}

/// A hand-written body of version 4: one topic `t`, its partition 2 with an aborted transaction.
fn version_4_by_hand(records: &[u8]) -> Vec<u8> {
    [
        &[0, 0, 0, 9][..],                     // throttle time
        &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1], // one topic with one partition
        &[0, 0, 0, 2, 0, 3],                   // partition 2, error 3
        &[0, 0, 0, 0, 0, 0, 0, 50],            // high watermark
        &[0, 0, 0, 0, 0, 0, 0, 40],            // last stable offset
        &[0, 0, 0, 1],                         // one aborted transaction
        &[0, 0, 0, 0, 0, 0, 0, 7],             // its producer
        &[0, 0, 0, 0, 0, 0, 0, 33],            // its first offset
        &u32::try_from(records.len()).unwrap().to_be_bytes(),
        records,
    ]
    .concat()
}

#[test]
fn version_4_is_read_as_written_by_hand() {
    let body = version_4_by_hand(&[]);
    let parts = read_in_every_way(4, &body, &[7]).unwrap();
    let expected = [
        FetchPart::Head {
            throttle_time_ms: 9,
            error_code: ErrorCode::NONE,
            session_id: 0,
        },
        FetchPart::Partition(FetchedPartition {
            topic: "t".into(),
            topic_id: TopicId::ZERO,
            partition: 2,
            error_code: ErrorCode(3),
            high_watermark: 50,
            last_stable_offset: 40,
            log_start_offset: -1,
            aborted_transactions: vec![AbortedTransaction {
                producer_id: 7,
                first_offset: 33,
            }],
            preferred_read_replica: -1,
        }),
        FetchPart::PartitionEnd(PartitionEnd::default()),
        FetchPart::End {
            node_endpoints: Vec::new(),
        },
    ];
    assert_eq!(parts, expected);
}

#[test]
fn batches_share_the_buffer() {
    let records = batch(10, &[b'v'; 1000]);
    let body = version_4_by_hand(&records);
    let mut buffer = BytesMut::from(&body[..]);
    let memory = buffer.as_ptr_range();
    let mut reader = FetchResponseReader::new(4, body.len(), FetchReaderOptions::default());
    let mut found = 0;
    let mut emit = |part| {
        if let FetchPart::Batch(batch) = part {
            assert!(memory.contains(&batch.bytes().as_ptr()));
            found += 1;
        }
    };
    assert_eq!(
        reader.advance(&mut buffer, &mut emit),
        Ok(ReadProgress::Done)
    );
    assert_eq!(found, 1);
}

#[test]
fn a_batch_is_given_before_the_next_one_arrives() {
    let records = [batch(10, b"first"), batch(11, b"second")].concat();
    let body = version_4_by_hand(&records);
    let half = body.len() - batch(11, b"second").len();
    let mut reader = FetchResponseReader::new(4, body.len(), FetchReaderOptions::default());
    let mut parts = Vec::new();
    let mut buffer = BytesMut::from(&body[..half]);
    let progress = reader.advance(&mut buffer, &mut |part| parts.push(part));
    assert_eq!(progress, Ok(ReadProgress::Need(12)));
    assert!(matches!(parts.last(), Some(FetchPart::Batch(batch)) if batch.base_offset() == 10));
    buffer.extend_from_slice(&body[half..half + 12]);
    let progress = reader.advance(&mut buffer, &mut |part| parts.push(part));
    assert_eq!(
        progress,
        Ok(ReadProgress::Need(batch(11, b"second").len() - 12))
    );
}

#[test]
fn bytes_beyond_the_body_are_left_alone() {
    let body = version_4_by_hand(&batch(10, b"v")[..40]);
    let mut buffer = BytesMut::from(&[&body[..], b"the next response"].concat()[..]);
    let mut reader = FetchResponseReader::new(4, body.len(), FetchReaderOptions::default());
    for _ in 0..2 {
        let progress = reader.advance(&mut buffer, &mut |_| {});
        assert_eq!(progress, Ok(ReadProgress::Done));
        assert_eq!(&buffer[..], b"the next response");
    }
}

#[test]
fn a_cut_tail_is_dropped_and_counted() {
    let (first, second) = (batch(10, b"first"), batch(11, b"second"));
    for cut in 1..second.len() {
        let (parts, end) = inside(&[&first[..], &second[..cut]].concat());
        assert_eq!(parts.len(), 1, "cut at {cut}");
        assert_eq!(end.dropped_tail, cut);
    }
    let (parts, end) = inside(&[&first[..], &second].concat());
    assert_eq!((parts.len(), end.dropped_tail), (2, 0));
}

#[test]
fn a_corrupt_batch_does_not_hide_the_next() {
    let mut corrupt = batch(10, b"first").to_vec();
    let last = corrupt.len() - 1;
    corrupt[last] ^= 1;
    let (parts, _) = inside(&[&corrupt[..], &batch(11, b"second")].concat());
    let [corrupt, FetchPart::Batch(sound)] = &parts[..] else {
        panic!("{parts:?}");
    };
    assert!(matches!(
        corrupt,
        FetchPart::CorruptBatch {
            base_offset: 10,
            last_offset: Some(10),
            error: BatchError::ChecksumMismatch { .. },
        }
    ));
    assert_eq!(sound.base_offset(), 11);
}

#[test]
fn checksums_can_be_left_unchecked() {
    let mut records = batch(10, b"first").to_vec();
    let last = records.len() - 1;
    records[last] ^= 1;
    let body = version_4_by_hand(&records);
    let options = FetchReaderOptions { check_crcs: false };
    let mut reader = FetchResponseReader::new(4, body.len(), options);
    let mut batches = 0;
    let mut count = |part| batches += i32::from(matches!(part, FetchPart::Batch(_)));
    let progress = reader.advance(&mut BytesMut::from(&body[..]), &mut count);
    assert_eq!((progress, batches), (Ok(ReadProgress::Done), 1));
}

#[test]
fn batches_of_older_formats_are_named_and_passed_over() {
    // Format 1: offset 3, 22 bytes after the length, CRC, magic, and the rest.
    let old = [
        &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 22, 1, 2, 3, 4, 1][..],
        &[0; 17],
    ]
    .concat();
    let (parts, _) = inside(&[&old[..], &batch(11, b"second")].concat());
    let expected = FetchPart::CorruptBatch {
        base_offset: 3,
        last_offset: None,
        error: BatchError::UnsupportedMagic { magic: 1 },
    };
    assert_eq!(parts[0], expected);
    assert!(matches!(parts[1], FetchPart::Batch(_)));
}

#[test]
fn a_batch_too_short_for_its_header_is_passed_over_by_its_length() {
    let mut short = batch(10, b"first")[..30].to_vec();
    short[8..12].copy_from_slice(&18i32.to_be_bytes());
    let (parts, _) = inside(&[&short[..], &batch(11, b"second")].concat());
    let expected = FetchPart::CorruptBatch {
        base_offset: 10,
        last_offset: None,
        error: BatchError::InvalidLength { length: 18 },
    };
    assert_eq!(parts[0], expected);
    assert!(matches!(parts[1], FetchPart::Batch(_)));
}

#[test]
fn without_a_credible_length_the_rest_of_the_records_is_lost_but_not_in_silence() {
    for length in [-1, 0, 13] {
        let mut records = [batch(1 << 57, b"first"), batch(11, b"second")].concat();
        records[8..12].copy_from_slice(&i32::to_be_bytes(length));
        let (parts, end) = inside(&records);
        let expected = FetchPart::CorruptBatch {
            base_offset: 1 << 57,
            last_offset: None,
            error: BatchError::InvalidLength { length },
        };
        assert_eq!(parts, [expected]);
        assert_eq!(end.dropped_tail, 0);
    }
}

#[test]
fn null_records_are_no_records() {
    for version in [4, 12] {
        let mut body = encoded(&response(Some(Bytes::new())), version).to_vec();
        let at = body.len() - 4;
        if version == 4 {
            body[at..].copy_from_slice(&[0xff; 4]);
        } else {
            // Records, then the tags of partition, topic and response.
            assert_eq!(body[at..], [1, 0, 0, 0]);
            body[at] = 0;
        }
        assert_eq!(read_in_every_way(version, &body, &[5]).unwrap().len(), 4);
    }
}

#[test]
fn unknown_tags_are_passed_over() {
    let mut body = encoded(&response(Some(Bytes::new())), 12).to_vec();
    body.truncate(body.len() - 3);
    let tags = [2, 9, 3, 1, 2, 3, 10, 0];
    for _ in 0..3 {
        body.extend_from_slice(&tags);
    }
    assert_eq!(read_in_every_way(12, &body, &[5]).unwrap().len(), 4);
}

#[test]
fn bytes_after_the_end_are_passed_over() {
    let mut body = version_4_by_hand(&[]);
    body.extend_from_slice(&[1, 2, 3]);
    assert_eq!(read_in_every_way(4, &body, &[2]).unwrap().len(), 4);
}

#[test]
fn errors_say_where() {
    let error = |version, body: &[u8]| read_in_every_way(version, body, &[4]).unwrap_err();
    let body = version_4_by_hand(&[]);
    let cut = error(4, &body[..body.len() - 2]);
    assert_eq!(cut.field.to_string(), "responses[0].partitions[0].records");
    assert_eq!((cut.kind, cut.offset), (DecodeErrorKind::Truncated, 57));
    // The same topic twice, the second without the length of its records.
    let mut twice = [&body[..], &body[8..body.len() - 4]].concat();
    twice[7] = 2;
    let twice = error(4, &twice);
    assert_eq!(
        twice.field.to_string(),
        "responses[1].partitions[0].records"
    );
    let mut hostile = body.clone();
    hostile[4] = 0x7f;
    let hostile = error(4, &hostile);
    assert_eq!(hostile.field.to_string(), "responses");
    assert!(matches!(
        hostile.kind,
        DecodeErrorKind::CountBeyondEnd { .. }
    ));
    let mut negative = body.clone();
    negative[37..41].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe]);
    let negative = error(4, &negative);
    assert_eq!(
        negative.field.to_string(),
        "responses[0].partitions[0].aborted_transactions"
    );
    assert_eq!(
        negative.kind,
        DecodeErrorKind::NegativeLength { length: -2 }
    );
    let mut records = body;
    let last = records.len() - 1;
    records[last] = 1;
    let records = error(4, &records);
    assert!(matches!(
        records.kind,
        DecodeErrorKind::CountBeyondEnd { count: 1, .. }
    ));
}
