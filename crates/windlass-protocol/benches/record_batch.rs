//! What it costs to check a record batch and walk its records, per record: 1000 records of 100
//! bytes, without and with a key and two headers, the same packed by each codec, and handed out in
//! parts.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot build its input should stop"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use windlass_protocol::records::{Compression, RecordBatch, RecordBatchBuilder};

const RECORDS: u64 = 1000;
const LIMIT: usize = 1 << 24;

fn batch(key: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)]) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new().base_offset(1_000_000);
    for timestamp in 0..1000 {
        builder
            .append(
                1_700_000_000_000 + timestamp,
                key,
                Some(&[b'v'; 100]),
                headers,
            )
            .unwrap();
    }
    builder.build().unwrap()
}

/// Log lines that compress about as real ones do.
fn packed_batch(compression: Compression) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new().compression(compression);
    let mut state = 1u64;
    for timestamp in 0..1000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let line = format!(
            r#"{{"user":{},"action":"click","page":"/items/{}","session":"{:016x}","ok":true}}"#,
            state >> 54,
            state >> 44 & 0xfff,
            state,
        );
        builder
            .append(
                1_700_000_000_000 + timestamp,
                None,
                Some(line.as_bytes()),
                &[],
            )
            .unwrap();
    }
    builder.build().unwrap()
}

/// Verifies the checksum, walks the records, and touches what a consumer touches.
fn read(batch: &RecordBatch) -> i64 {
    batch.verify_checksum().unwrap();
    let decoded = batch.decompressed(LIMIT).unwrap();
    let mut sum = 0i64;
    for record in &decoded {
        let record = record.unwrap();
        let length = record.value.unwrap_or_default().len();
        sum = sum
            .wrapping_add(record.offset)
            .wrapping_add_unsigned(length as u64);
    }
    sum
}

fn read_with_headers(batch: &RecordBatch) -> usize {
    batch.verify_checksum().unwrap();
    let decoded = batch.decompressed(LIMIT).unwrap();
    decoded
        .records()
        .flat_map(|record| record.unwrap().headers)
        .map(|header| header.unwrap().key.len())
        .sum()
}

fn uncompressed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record_batch");
    group.throughput(Throughput::Elements(RECORDS));
    let plain = batch(None, &[]);
    let headers: [(&[u8], Option<&[u8]>); 2] = [
        (b"trace-id", Some(b"0123456789abcdef")),
        (b"source", Some(b"web")),
    ];
    let with_headers = batch(Some(b"key-000001"), &headers);
    group.bench_function("100_bytes", |bencher| {
        bencher.iter(|| read(black_box(&plain)));
    });
    group.bench_function("100_bytes_key_and_2_headers", |bencher| {
        bencher.iter(|| read(black_box(&with_headers)));
    });
    group.bench_function("100_bytes_key_and_2_headers_walked", |bencher| {
        bencher.iter(|| read_with_headers(black_box(&with_headers)));
    });
    group.bench_function("checksum_alone", |bencher| {
        bencher.iter(|| black_box(&plain).verify_checksum());
    });
    group.bench_function("skip_to_the_last_record", |bencher| {
        let decoded = plain.decompressed(LIMIT).unwrap();
        let last = plain.last_offset();
        bencher.iter(|| black_box(&decoded).records_from(last).count());
    });
    group.finish();
}

fn compressed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("packed_record_batch");
    let codecs = Compression::ALL
        .into_iter()
        .filter(|codec| codec.is_built());
    for codec in codecs {
        let batch = packed_batch(codec);
        let unpacked = batch.decompressed(LIMIT).unwrap().body().len();
        group.throughput(Throughput::Bytes(unpacked as u64));
        group.bench_function(codec.name(), |bencher| {
            bencher.iter(|| read(black_box(&batch)));
        });
    }
    group.finish();
}

/// What a small `max.poll.records` costs: a batch handed out in twenty parts, each of which passes
/// over those before it, or begins at the bookmark that the one before it left.
fn in_parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in_20_parts");
    group.throughput(Throughput::Elements(RECORDS));
    let decoded = batch(None, &[]).decompressed(LIMIT).unwrap();
    let base = decoded.header().base_offset;
    let ends = || (1..=20).map(move |part| base + part * 50);
    group.bench_function("passing_over", |bencher| {
        bencher.iter(|| {
            ends()
                .map(|end| {
                    let walk = black_box(&decoded).records_from(end - 50);
                    walk.ending_before(end).count()
                })
                .sum::<usize>()
        });
    });
    group.bench_function("with_bookmarks", |bencher| {
        bencher.iter(|| {
            let mut bookmark = black_box(&decoded).records().bookmark();
            ends()
                .map(|end| {
                    let mut walk = decoded.records().resumed_at(bookmark).ending_before(end);
                    let count = walk.by_ref().count();
                    bookmark = walk.bookmark();
                    count
                })
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, uncompressed, compressed, in_parts);
criterion_main!(benches);
