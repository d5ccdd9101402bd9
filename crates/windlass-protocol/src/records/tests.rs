//! Record batches: golden bytes, round trips, faults and mutations.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::record_batch::checksum;
use super::*;

/// Far more than any test unpacks.
const LIMIT: usize = 1 << 20;

/// A batch written out by hand from the description of the format: base offset 256, leader epoch 3,
/// two records: `k`=`v` with a header `h`=null, and a null key with an empty value 5 ms later.
const BY_HAND: &[&[u8]] = &[
    &[0, 0, 0, 0, 0, 0, 1, 0],   // base offset
    &[0, 0, 0, 69],              // length of what follows: 49 + 20
    &[0, 0, 0, 3],               // partition leader epoch
    &[2],                        // magic
    &[0, 0, 0, 0],               // CRC, filled in by `by_hand`
    &[0, 0],                     // attributes: nothing special
    &[0, 0, 0, 1],               // last offset delta
    &[0, 0, 0, 0, 0, 0, 0, 100], // base timestamp
    &[0, 0, 0, 0, 0, 0, 0, 105], // max timestamp
    &[0xff; 8],                  // no producer id
    &[0xff; 2],                  // no producer epoch
    &[0xff; 4],                  // no base sequence
    &[0, 0, 0, 2],               // two records
    &[22],                       // first record: 11 bytes
    &[0, 0, 0],                  // attributes, timestamp delta 0, offset delta 0
    &[2, b'k', 2, b'v'],         // key and value of one byte each
    &[2, 2, b'h', 1],            // one header: key of one byte, null value
    &[14],                       // second record: 7 bytes
    &[0, 10, 2],                 // attributes, timestamp delta 5, offset delta 1
    &[1, 0, 0x80, 0],            // null key, empty value, no headers (count in two bytes)
];

/// CRC-32C bit by bit, as its polynomial says.
fn slow_crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

fn sealed(mut bytes: Vec<u8>) -> Bytes {
    let crc = slow_crc(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    Bytes::from(bytes)
}

fn by_hand() -> Vec<u8> {
    BY_HAND.concat()
}

fn decoded(bytes: Bytes) -> DecodedBatch {
    let batch = RecordBatch::parse(bytes).unwrap();
    batch.verify_checksum().unwrap();
    batch.decompressed(LIMIT).unwrap()
}

fn first_error(batch: &DecodedBatch) -> BatchError {
    batch.records().find_map(Result::err).unwrap()
}

#[test]
fn checksum_is_the_castagnoli_one() {
    assert_eq!(slow_crc(b"123456789"), 0xE306_9283);
    let bytes = by_hand();
    assert_eq!(checksum(&bytes), slow_crc(&bytes[21..]));
}

#[test]
fn batch_by_hand_is_read() {
    let batch = decoded(sealed(by_hand()));
    let header = batch.header();
    assert_eq!(header.partition_leader_epoch, 3);
    assert_eq!((header.base_offset, header.last_offset()), (256, 257));
    assert_eq!(header.next_offset(), 258);
    assert!(header.is_dense());
    assert_eq!(header.delete_horizon(), None);
    let records: Vec<_> = batch.records().collect::<Result<_, _>>().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].offset, records[0].timestamp), (256, 100));
    assert_eq!(
        (records[0].key, records[0].value),
        (Some(&b"k"[..]), Some(&b"v"[..]))
    );
    let header = Header {
        key: b"h",
        value: None,
    };
    assert_eq!(records[0].headers.iter().collect::<Vec<_>>(), [Ok(header)]);
    assert_eq!((records[1].offset, records[1].timestamp), (257, 105));
    assert_eq!((records[1].key, records[1].value), (None, Some(&[][..])));
    assert_eq!(records[1].headers.iter().count(), 0);
}

#[test]
fn log_append_time_replaces_the_records_own() {
    let batch = RecordBatch::parse(sealed(by_hand())).unwrap();
    let stamped = batch.with_log_append_time(999).unwrap();
    stamped.verify_checksum().unwrap();
    assert_eq!(
        stamped.header().timestamp_type,
        TimestampType::LogAppendTime
    );
    let decoded = stamped.decompressed(LIMIT).unwrap();
    assert!(
        decoded
            .records()
            .all(|record| record.unwrap().timestamp == 999)
    );
}

#[test]
fn rebasing_moves_offsets_and_keeps_the_checksum() {
    let batch = RecordBatch::parse(sealed(by_hand())).unwrap();
    let moved = batch.rebased(7_000_000_000, 12).unwrap();
    moved.verify_checksum().unwrap();
    assert_eq!(moved.header().crc, batch.header().crc);
    assert_eq!(moved.header().partition_leader_epoch, 12);
    assert_eq!(
        (moved.base_offset(), moved.last_offset()),
        (7_000_000_000, 7_000_000_001)
    );
    assert!(batch.rebased(i64::MAX - 1, 0).is_err());
}

#[test]
fn header_faults_are_told_apart() {
    let altered = |at: usize, bytes: &[u8]| {
        let mut batch = by_hand();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        RecordBatch::parse(sealed(batch)).unwrap_err()
    };
    assert_eq!(altered(16, &[1]), BatchError::UnsupportedMagic { magic: 1 });
    assert_eq!(
        altered(8, &(-1i32).to_be_bytes()),
        BatchError::InvalidLength { length: -1 }
    );
    assert_eq!(
        altered(8, &48i32.to_be_bytes()),
        BatchError::InvalidLength { length: 48 }
    );
    let truncated = BatchError::Truncated {
        needed: 82,
        available: 81,
    };
    assert_eq!(altered(8, &70i32.to_be_bytes()), truncated);
    assert_eq!(
        altered(8, &68i32.to_be_bytes()),
        BatchError::TrailingBytes { extra: 1 }
    );
    assert_eq!(
        altered(22, &[7]),
        BatchError::UnknownCompression { codec: 7 }
    );
    for (base_offset, last_offset_delta) in [(-1, 1), (0, -1), (i64::MAX - 1, 1), (i64::MAX, 1)] {
        let mut batch = by_hand();
        batch[0..8].copy_from_slice(&i64::to_be_bytes(base_offset));
        batch[23..27].copy_from_slice(&i32::to_be_bytes(last_offset_delta));
        let expected = BatchError::InvalidOffset {
            base_offset,
            last_offset_delta,
        };
        assert_eq!(RecordBatch::parse(sealed(batch)), Err(expected));
    }
    for record_count in [-1, 3] {
        let expected = BatchError::InvalidRecordCount {
            record_count,
            last_offset_delta: 1,
        };
        assert_eq!(altered(57, &record_count.to_be_bytes()), expected);
    }
}

#[test]
fn every_flipped_bit_behind_the_crc_is_noticed() {
    let bytes = sealed(by_hand());
    for bit in 17 * 8..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let noticed = RecordBatch::parse(Bytes::from(flipped))
            .and_then(|batch| batch.verify_checksum())
            .is_err();
        assert!(noticed, "bit {bit}");
    }
}

#[test]
fn record_faults_are_told_apart() {
    let fault = |at: usize, byte: u8| {
        let mut batch = by_hand();
        batch[at] = byte;
        first_error(&decoded(sealed(batch)))
    };
    let malformed = |index, position, fault| BatchError::MalformedRecord {
        index,
        position,
        fault,
    };
    assert_eq!(fault(61, 1), malformed(0, 0, RecordFault::Length));
    assert_eq!(fault(61, 44), malformed(0, 0, RecordFault::Overrun));
    assert_eq!(fault(61, 0), malformed(0, 0, RecordFault::Attributes));
    assert_eq!(fault(64, 1), malformed(0, 0, RecordFault::OffsetDelta));
    assert_eq!(fault(76, 0), malformed(1, 12, RecordFault::OffsetDelta));
    assert_eq!(fault(76, 4), malformed(1, 12, RecordFault::OffsetDelta));
    assert_eq!(fault(65, 3), malformed(0, 0, RecordFault::Key));
    assert_eq!(fault(65, 40), malformed(0, 0, RecordFault::Key));
    assert_eq!(fault(67, 40), malformed(0, 0, RecordFault::Value));
    assert_eq!(fault(67, 10), malformed(0, 0, RecordFault::HeaderCount));
    // Fewer and more bytes than the count promises.
    let unread = BatchError::UnreadBytes {
        record_count: 1,
        extra: 8,
    };
    assert_eq!(fault(60, 1), unread);
    let mut long = by_hand();
    long[26] = 2;
    long[60] = 3;
    let missing = malformed(2, 20, RecordFault::Missing);
    assert_eq!(first_error(&decoded(sealed(long))), missing);
}

#[test]
fn errors_end_the_walk() {
    let mut bytes = by_hand();
    bytes[61] = 1;
    let batch = decoded(sealed(bytes));
    assert_eq!(batch.records().count(), 1);
}

#[test]
fn malformed_headers_are_errors_when_walked() {
    for (at, byte) in [(69, 4), (69, 1), (69, 0), (70, 1), (72, 4)] {
        let mut bytes = by_hand();
        bytes[at] = byte;
        let batch = decoded(sealed(bytes));
        let record = batch.records().next().unwrap().unwrap();
        let headers: Vec<_> = record.headers.iter().collect();
        assert!(
            headers.last().unwrap().is_err(),
            "byte {at} = {byte}: {headers:?}"
        );
    }
}

#[test]
fn reading_from_an_offset_leaves_out_what_is_before_it() {
    let mut builder = RecordBatchBuilder::new().base_offset(100);
    for delta in [0, 3, 4, 9] {
        builder.append_at(delta, 0, None, None, &[]).unwrap();
    }
    let batch = builder.build().unwrap().decompressed(LIMIT).unwrap();
    assert!(!batch.header().is_dense());
    let offsets = |from| -> Vec<i64> {
        batch
            .records_from(from)
            .map(|record| record.unwrap().offset)
            .collect()
    };
    assert_eq!(offsets(i64::MIN), [100, 103, 104, 109]);
    assert_eq!(offsets(100), [100, 103, 104, 109]);
    assert_eq!(offsets(101), [103, 104, 109]);
    assert_eq!(offsets(109), [109]);
    assert_eq!(offsets(110), []);
    assert_eq!(offsets(i64::MAX), []);
}

#[test]
fn a_codec_that_is_left_out_is_named() {
    for codec in Compression::ALL {
        let mut bytes = by_hand();
        bytes[22] = codec.to_wire();
        let decoded = RecordBatch::parse(sealed(bytes))
            .unwrap()
            .decompressed(LIMIT);
        let left_out = decoded == Err(BatchError::CodecNotBuilt { codec });
        assert_eq!(left_out, !codec.is_built());
        assert_eq!(left_out, codec.compress(&[]).is_err());
    }
}

#[test]
fn an_emptied_batch_still_has_its_offsets() {
    let batch = RecordBatchBuilder::new()
        .base_offset(10)
        .last_offset_delta(4)
        .build()
        .unwrap();
    assert_eq!((batch.header().record_count, batch.next_offset()), (0, 15));
    assert_eq!(batch.decompressed(LIMIT).unwrap().records().count(), 0);
    assert!(!batch.header().is_dense());
}

#[test]
fn a_run_of_batches_is_split() {
    let one = sealed(by_hand());
    let mut run = Bytes::from([&one[..], &one[..], &one[..5]].concat());
    for _ in 0..2 {
        assert_eq!(
            RecordBatch::split_from(&mut run).unwrap().unwrap().bytes(),
            &one
        );
    }
    assert!(RecordBatch::split_from(&mut run).is_err());
    assert_eq!(RecordBatch::split_from(&mut Bytes::new()), Ok(None));
}

#[test]
fn the_last_header_of_a_key_is_found() {
    let headers: [(&[u8], Option<&[u8]>); 3] =
        [(b"a", Some(b"1")), (b"b", None), (b"a", Some(b"2"))];
    let mut builder = RecordBatchBuilder::new();
    builder.append(0, None, None, &headers).unwrap();
    let batch = builder.build().unwrap().decompressed(LIMIT).unwrap();
    let record = batch.records().next().unwrap().unwrap();
    let last = record.headers.last_with_key(b"a").unwrap().unwrap();
    assert_eq!((last.key_text(), last.value), (Ok("a"), Some(&b"2"[..])));
    assert_eq!(record.headers.last_with_key(b"c"), Ok(None));
    assert!(!record.headers.is_empty());
}

#[test]
fn offsets_must_increase_while_building() {
    let mut builder = RecordBatchBuilder::new();
    builder.append_at(5, 0, None, None, &[]).unwrap();
    assert!(builder.append_at(5, 0, None, None, &[]).is_err());
    assert!(builder.append_at(i32::MAX, 0, None, None, &[]).is_err());
    builder.append(0, None, None, &[]).unwrap();
    assert_eq!(builder.record_count(), 2);
    assert_eq!(builder.build().unwrap().last_offset(), 6);
}

#[test]
fn a_delete_horizon_does_not_shift_timestamps() {
    let mut builder = RecordBatchBuilder::new().delete_horizon(5_000);
    builder.append(1_000, Some(b"k"), None, &[]).unwrap();
    let batch = decoded(builder.build().unwrap().bytes().clone());
    assert_eq!(batch.header().delete_horizon(), Some(5_000));
    assert_eq!(batch.records().next().unwrap().unwrap().timestamp, 1_000);
}

#[test]
fn control_records_of_unknown_kinds_are_passed_on() {
    let control = |key: Option<&[u8]>, value: Option<&[u8]>| {
        let mut builder = RecordBatchBuilder::new().control();
        builder.append(0, key, value, &[]).unwrap();
        let batch = builder.build().unwrap().decompressed(LIMIT).unwrap();
        batch.control_record()
    };
    let leader_change = control(Some(&[0, 0, 0, 2]), Some(&[0, 0, 1, 2, 3, 4])).unwrap();
    assert_eq!(leader_change.record_type, ControlRecordType::Other(2));
    assert_eq!(leader_change.coordinator_epoch, None);
    let later = control(Some(&[0, 9, 0, 1, 5]), Some(&[0, 9, 0, 0, 0, 7, 1])).unwrap();
    assert_eq!(later.record_type, ControlRecordType::Commit);
    assert_eq!(later.coordinator_epoch, Some(7));
    assert_eq!(
        control(Some(&[0, 0, 0, 0]), None)
            .unwrap()
            .coordinator_epoch,
        None
    );
    for key in [
        None,
        Some(&[][..]),
        Some(&[0, 0, 0]),
        Some(&[0xff, 0xff, 0, 0]),
    ] {
        assert_eq!(control(key, None), Err(BatchError::MalformedControlRecord));
    }
    let empty = RecordBatchBuilder::new().control().build().unwrap();
    let empty = empty.decompressed(LIMIT).unwrap();
    assert_eq!(
        empty.control_record(),
        Err(BatchError::MalformedControlRecord)
    );
}

type OwnedHeaders = Vec<(Vec<u8>, Option<Vec<u8>>)>;
type OwnedRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>, OwnedHeaders);

fn any_record() -> impl Strategy<Value = OwnedRecord> {
    let bytes = || proptest::option::of(vec(any::<u8>(), 0..200));
    let headers = vec((vec(any::<u8>(), 0..20), bytes()), 0..4);
    (any::<i64>(), bytes(), bytes(), headers)
}

fn any_codec() -> impl Strategy<Value = Compression> {
    let built = Compression::ALL
        .into_iter()
        .filter(|codec| codec.is_built());
    proptest::sample::select(built.collect::<Vec<_>>())
}

fn built(records: &[OwnedRecord], compression: Compression) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new().compression(compression);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| (&key[..], value.as_deref()))
            .collect();
        builder
            .append(*timestamp, key.as_deref(), value.as_deref(), &headers)
            .unwrap();
    }
    let uncompressed = builder.uncompressed_length();
    let batch = builder.build().unwrap();
    if compression == Compression::None {
        assert_eq!(batch.bytes().len(), uncompressed);
    }
    batch
}

fn owned(record: &Record<'_>) -> OwnedRecord {
    let headers = record.headers.iter().map(|header| {
        let header = header.unwrap();
        (header.key.to_vec(), header.value.map(<[u8]>::to_vec))
    });
    (
        record.timestamp,
        record.key.map(<[u8]>::to_vec),
        record.value.map(<[u8]>::to_vec),
        headers.collect(),
    )
}

/// Walks everything there is to walk.
fn exhaust(bytes: Vec<u8>) {
    let Ok(batch) = RecordBatch::parse(Bytes::from(bytes)) else {
        return;
    };
    let _ = batch.verify_checksum();
    let Ok(batch) = batch.decompressed(LIMIT) else {
        return;
    };
    let last = batch.header().last_offset();
    let _ = batch.control_record();
    let mut previous = -1;
    for record in batch.records().flatten() {
        assert!(record.offset > previous && record.offset <= last);
        previous = record.offset;
        let _ = record.headers.iter().count();
    }
}

proptest! {
    #[test]
    fn records_come_back(records in vec(any_record(), 0..20), codec in any_codec()) {
        let batch = built(&records, codec);
        prop_assert_eq!(batch.header().compression, codec);
        let batch = decoded(batch.bytes().clone());
        let read: Vec<_> = batch.records().map(|record| owned(&record.unwrap())).collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn mutated_batches_never_panic(
        records in vec(any_record(), 1..8),
        codec in any_codec(),
        mutations in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut bytes = built(&records, codec).bytes().to_vec();
        for (at, byte) in mutations {
            let at = 21 + at.index(bytes.len() - 21);
            bytes[at] = byte;
        }
        exhaust(bytes.clone());
        bytes.truncate(61 + cut.index(bytes.len() - 60));
        let length = i32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        exhaust(bytes);
    }

    #[test]
    fn any_bytes_are_safe(bytes in vec(any::<u8>(), 0..300)) {
        exhaust(bytes);
    }

    #[test]
    fn any_body_is_safe(body in vec(any::<u8>(), 0..300), count in 0i32..10) {
        let mut bytes = by_hand();
        bytes.truncate(61);
        bytes[8..12].copy_from_slice(&i32::try_from(49 + body.len()).unwrap().to_be_bytes());
        bytes[23..27].copy_from_slice(&100i32.to_be_bytes());
        bytes[57..61].copy_from_slice(&count.to_be_bytes());
        bytes.extend_from_slice(&body);
        exhaust(bytes);
    }
}
