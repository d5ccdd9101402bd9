//! Batches written by Kafka's own Java classes (`MemoryRecordsBuilder` and
//! `MemoryRecords.withEndTransactionMarker` of kafka-clients 4.3.1), captured as bytes: they must
//! read as what went in, and where our writer has no freedom it must write the same bytes.

#![cfg(all(
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
))]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use bytes::Bytes;
use windlass_protocol::records::{
    Compression, ControlRecordType, Record, RecordBatch, RecordBatchBuilder,
};

const NONE: &str = concat!(
    "00000000000003e8000000950000000702a0e8002c0010000000020000018bcfe568000000018bcf",
    "e56805000000000000126700030000000c00000003320000000a6b65792d310e76616c75652d3104",
    "026802780268017a000a02016e76616c75652d322076616c75652d322076616c75652d322076616c",
    "75652d322076616c75652d322076616c75652d322076616c75652d3200160001040a6b65792d3301",
    "00",
);

const GZIP: &str = concat!(
    "00000000000003e8000000750000000702576feb970011000000020000018bcfe568000000018bcf",
    "e56805000000000000126700030000000c000000031f8b08000000000000ff33626060e0ca4eadd4",
    "35e42b4bcc294dd5356461ca60aa60ca60ac62e06262cc83081a29904833883130b280cd35666400",
    "00d40b9e1b64000000",
);

const SNAPPY: &str = concat!(
    "00000000000003e80000007d0000000702715643d40012000000020000018bcfe568000000018bcf",
    "e56805000000000000126700030000000c0000000382534e41505059000000000100000001000000",
    "38647c320000000a6b65792d310e76616c75652d3104026802780268017a000a02016e0915043220",
    "ba08003000160001040a6b65792d330100",
);

const LZ4: &str = concat!(
    "00000000000003e80000007800000007022cb6c3be0013000000020000018bcfe568000000018bcf",
    "e56805000000000000126700030000000c0000000304224d1860408238000000f211320000000a6b",
    "65792d310e76616c75652d3104026802780268017a000a02016e15002f322008001cd00016000104",
    "0a6b65792d33010000000000",
);

const ZSTD: &str = concat!(
    "00000000000003e8000000760000000702f592a28d0014000000020000018bcfe568000000018bcf",
    "e56805000000000000126700030000000c0000000328b52ffd0058cc0100f402320000000a6b6579",
    "2d310e76616c75652d3104026802780268017a000a02016e322000160001040a6b65792d33010002",
    "00ac440c1ce613010000",
);

const COMMIT: &str = concat!(
    "0000000000000037000000420000000702a8da87310030000000000000018bcfe568000000018bcf",
    "e5680000000000000012670003ffffffff000000012000000008000000010c00000000000900",
);

const ABORT: &str = concat!(
    "00000000000000380000004200000007025ce451790030000000000000018bcfe568000000018bcf",
    "e5680000000000000012670003ffffffff000000012000000008000000000c00000000000900",
);

const REPEATED: &str = "value-2 value-2 value-2 value-2 value-2 value-2 value-2";

fn bytes_of(hex: &str) -> Bytes {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn batch_of(hex: &str) -> RecordBatch {
    let batch = RecordBatch::parse(bytes_of(hex)).unwrap();
    batch.verify_checksum().unwrap();
    batch
}

fn ours(compression: Compression) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new()
        .compression(compression)
        .base_offset(1000)
        .partition_leader_epoch(7)
        .producer(4711, 3, 12)
        .transactional();
    let headers: [(&[u8], Option<&[u8]>); 2] = [(b"h", Some(b"x")), (b"h", None)];
    builder
        .append(
            1_700_000_000_000,
            Some(b"key-1"),
            Some(b"value-1"),
            &headers,
        )
        .unwrap();
    builder
        .append(1_700_000_000_005, None, Some(REPEATED.as_bytes()), &[])
        .unwrap();
    builder
        .append(1_699_999_999_999, Some(b"key-3"), None, &[])
        .unwrap();
    builder.build().unwrap()
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
}

#[test]
fn java_batches_read_as_what_went_in() {
    for (hex, compression) in [NONE, GZIP, SNAPPY, LZ4, ZSTD]
        .into_iter()
        .zip(Compression::ALL)
    {
        let batch = batch_of(hex);
        let header = batch.header();
        assert_eq!(header.compression, compression);
        assert_eq!((header.base_offset, header.last_offset()), (1000, 1002));
        assert_eq!(header.partition_leader_epoch, 7);
        assert_eq!(
            (
                header.producer_id,
                header.producer_epoch,
                header.base_sequence
            ),
            (4711, 3, 12)
        );
        assert_eq!(header.max_timestamp, 1_700_000_000_005);
        assert!(header.is_transactional && !header.is_control);
        let decoded = batch.decompressed(1 << 16).unwrap();
        let records: Vec<Record<'_>> = decoded.records().collect::<Result<_, _>>().unwrap();
        let expected = [
            (1000, 1_700_000_000_000, Some("key-1"), Some("value-1")),
            (1001, 1_700_000_000_005, None, Some(REPEATED)),
            (1002, 1_699_999_999_999, Some("key-3"), None),
        ];
        let read: Vec<_> = records
            .iter()
            .map(|record| {
                (
                    record.offset,
                    record.timestamp,
                    text(record.key),
                    text(record.value),
                )
            })
            .collect();
        assert_eq!(read, expected, "{compression}");
        let headers: Vec<_> = records[0]
            .headers
            .iter()
            .map(|header| header.map(|header| (header.key_text().unwrap(), text(header.value))))
            .collect();
        assert_eq!(headers, [Ok(("h", Some("x"))), Ok(("h", None))]);
    }
}

#[test]
fn our_batches_hold_what_javas_hold() {
    assert_eq!(ours(Compression::None).bytes(), &bytes_of(NONE));
    for (hex, compression) in [GZIP, SNAPPY, LZ4, ZSTD]
        .into_iter()
        .zip(&Compression::ALL[1..])
    {
        let java = batch_of(hex).decompressed(1 << 16).unwrap();
        let ours = ours(*compression).decompressed(1 << 16).unwrap();
        assert_eq!(ours.body(), java.body(), "{compression}");
    }
}

#[test]
fn transaction_markers_are_javas_to_the_byte() {
    let markers = [
        (COMMIT, ControlRecordType::Commit, 55),
        (ABORT, ControlRecordType::Abort, 56),
    ];
    for (hex, record_type, base_offset) in markers {
        let java = batch_of(hex);
        assert!(java.header().is_control);
        let control = java
            .decompressed(1 << 16)
            .unwrap()
            .control_record()
            .unwrap();
        assert_eq!(control.record_type, record_type);
        assert_eq!(control.coordinator_epoch, Some(9));
        let ours = RecordBatchBuilder::end_of_transaction(
            record_type,
            4711,
            3,
            9,
            base_offset,
            1_700_000_000_000,
        );
        let ours = ours.unwrap().rebased(base_offset, 7).unwrap();
        assert_eq!(ours.bytes(), java.bytes());
    }
}
