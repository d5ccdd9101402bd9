//! Codecs: round trips, forms that other writers use, limits, bombs and mutations.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use proptest::collection::vec;
use proptest::prelude::*;

use super::Compression;
use crate::records::BatchError;

const CODECS: [Compression; 4] = [
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

/// Text that repeats itself now near and now far.
fn text(length: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| format!("user-{} clicked {};", n % 97, n * n % 1013).into_bytes())
        .take(length)
        .collect()
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn is_too_large(result: &Result<Vec<u8>, BatchError>) -> bool {
    matches!(result, Err(BatchError::TooLarge { .. }))
}

fn is_corrupt(result: &Result<Vec<u8>, BatchError>) -> bool {
    matches!(result, Err(BatchError::CorruptCompression { .. }))
}

#[test]
fn what_is_packed_unpacks_to_the_byte() {
    for codec in CODECS {
        for size in [0, 1, 15, 16, 1_000, 65_535, 65_536, 65_537, 300_000] {
            for records in [text(size), noise(size), vec![7; size]] {
                let packed = codec.compress(&records).unwrap();
                let unpacked = codec.decompress(&packed, size);
                assert_eq!(unpacked.as_deref(), Ok(&records[..]), "{codec} {size}");
            }
        }
    }
}

#[test]
fn one_byte_over_the_limit_is_too_large() {
    for codec in CODECS {
        for size in [1, 1_000, 65_537, 300_000] {
            for records in [text(size), noise(size), vec![7; size]] {
                let packed = codec.compress(&records).unwrap();
                let unpacked = codec.decompress(&packed, size - 1);
                assert!(is_too_large(&unpacked), "{codec} {size}: {unpacked:?}");
            }
        }
    }
}

#[test]
fn bombs_go_off_at_the_limit() {
    let zeros = vec![0; 32 << 20];
    for codec in CODECS {
        let bomb = codec.compress(&zeros).unwrap();
        assert!(bomb.len() < zeros.len() / 15, "{codec}: {}", bomb.len());
        let unpacked = codec.decompress(&bomb, 1 << 20);
        assert!(is_too_large(&unpacked), "{codec}: {unpacked:?}");
    }
    let raw = snap::raw::Encoder::new().compress_vec(&zeros).unwrap();
    assert!(is_too_large(&Compression::Snappy.decompress(&raw, 1 << 20)));
}

#[test]
fn zstd_bombs_are_left_before_their_end() {
    // A window of 8 MiB, no content size, blocks that each repeat a byte 128 KiB times, no end.
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68];
    for _ in 0..40 {
        bomb.extend_from_slice(&[0x02, 0x00, 0x10, 0]);
    }
    assert!(is_corrupt(&Compression::Zstd.decompress(&bomb, 8 << 20)));
    assert!(is_too_large(&Compression::Zstd.decompress(&bomb, 1 << 20)));
}

#[test]
fn declared_sizes_are_checked_before_they_are_believed() {
    // A raw Snappy block of three bytes that claims a gigabyte.
    let claim = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 0x00];
    assert!(is_too_large(
        &Compression::Snappy.decompress(&claim, 1 << 20)
    ));
    assert!(is_corrupt(&Compression::Snappy.decompress(&claim, 1 << 31)));
    // An LZ4 frame with a content size of a gigabyte and no block.
    let info = FrameInfo::new().content_size(Some(1 << 30));
    let mut packed = Vec::new();
    let mut encoder = FrameEncoder::with_frame_info(info, &mut packed);
    encoder.write_all(b"x").unwrap();
    drop(encoder);
    assert!(is_too_large(&Compression::Lz4.decompress(&packed, 1 << 20)));
    // A Zstandard frame with a content size of a gigabyte and an empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x80, 0x00, 0, 0, 0, 0x40, 1, 0, 0];
    let declared = BatchError::TooLarge {
        limit: 1 << 20,
        declared: Some(1 << 30),
    };
    assert_eq!(Compression::Zstd.decompress(&frame, 1 << 20), Err(declared));
    assert!(is_corrupt(&Compression::Zstd.decompress(&frame, 1 << 31)));
}

#[test]
fn lz4_frames_of_every_shape_are_read() {
    let records = [text(200_000), noise(70_000), text(100_000)].concat();
    for block_mode in [BlockMode::Independent, BlockMode::Linked] {
        for block_size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            for checksums in [false, true] {
                for content_size in [None, Some(370_000)] {
                    let info = FrameInfo::new()
                        .block_mode(block_mode)
                        .block_size(block_size)
                        .block_checksums(checksums)
                        .content_checksum(checksums)
                        .content_size(content_size);
                    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                    encoder.write_all(&records).unwrap();
                    let packed = encoder.finish().unwrap();
                    let unpacked = Compression::Lz4.decompress(&packed, records.len());
                    assert!(
                        unpacked.as_ref() == Ok(&records),
                        "{block_mode:?} {block_size:?}"
                    );
                    let short = Compression::Lz4.decompress(&packed, records.len() - 1);
                    assert!(is_too_large(&short));
                }
            }
        }
    }
}

#[test]
fn lz4_checksums_are_checked() {
    let info = FrameInfo::new()
        .block_checksums(true)
        .content_checksum(true);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&noise(1_000)).unwrap();
    let packed = encoder.finish().unwrap();
    // Header checksum, a byte of the stored block, block checksum, content checksum.
    for at in [6, 500, packed.len() - 10, packed.len() - 1] {
        let mut corrupt = packed.clone();
        corrupt[at] ^= 1;
        assert!(
            is_corrupt(&Compression::Lz4.decompress(&corrupt, 1 << 20)),
            "byte {at}"
        );
    }
}

#[test]
fn lz4_skippable_frames_are_passed_over() {
    let mut packed = vec![0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    packed.extend(Compression::Lz4.compress(b"after").unwrap());
    assert_eq!(
        Compression::Lz4.decompress(&packed, 5),
        Ok(b"after".to_vec())
    );
    packed.truncate(10);
    assert!(is_corrupt(&Compression::Lz4.decompress(&packed, 5)));
}

#[test]
fn streams_one_after_another_are_one() {
    for codec in CODECS {
        let mut packed = codec.compress(b"first, ").unwrap();
        packed.extend(codec.compress(b"second").unwrap());
        let unpacked = codec.decompress(&packed, 13);
        assert_eq!(unpacked, Ok(b"first, second".to_vec()), "{codec}");
        assert!(is_too_large(&codec.decompress(&packed, 12)), "{codec}");
    }
}

#[test]
fn snappy_is_read_raw_and_framed() {
    // "abcabcabcabc" as raw Snappy: its length, a literal of three, a copy of nine from three back.
    let raw = [12, 0x08, b'a', b'b', b'c', 0x15, 3];
    let framed = [
        &[
            0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1,
        ][..],
        &[0, 0, 0, 7],
        &raw,
        &[0, 0, 0, 7],
        &raw,
    ]
    .concat();
    let records = b"abcabcabcabc".repeat(2);
    assert_eq!(
        Compression::Snappy.decompress(&raw, 12).as_deref(),
        Ok(&records[..12])
    );
    assert_eq!(
        Compression::Snappy.decompress(&framed, 24).as_deref(),
        Ok(&records[..])
    );
    assert!(is_too_large(&Compression::Snappy.decompress(&framed, 23)));
    for cut in [8, 15, 18, 22, 26, 29, 33] {
        let cut = Compression::Snappy.decompress(&framed[..cut], 24);
        assert!(is_corrupt(&cut), "{cut:?}");
    }
    let mut negative = framed;
    negative[16] = 0xff;
    assert!(is_corrupt(&Compression::Snappy.decompress(&negative, 24)));
}

#[test]
fn cut_streams_are_corrupt() {
    for codec in CODECS {
        let packed = codec.compress(&text(10_000)).unwrap();
        for cut in [1, packed.len() / 2, packed.len() - 5, packed.len() - 1] {
            let unpacked = codec.decompress(&packed[..cut], 1 << 20);
            assert!(is_corrupt(&unpacked), "{codec} cut at {cut}");
        }
    }
}

#[test]
fn numbers_and_names_are_kafkas() {
    for (number, codec) in Compression::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(codec.to_wire()), number);
        let attributes = i16::from(codec.to_wire()) | 0x38;
        assert_eq!(Compression::from_attributes(attributes), Ok(codec));
        assert!(codec.is_built());
    }
    let names = Compression::ALL.map(Compression::name);
    assert_eq!(names, ["none", "gzip", "snappy", "lz4", "zstd"]);
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in vec(any::<u8>(), 0..200), codec in 0usize..4) {
        let unpacked = CODECS[codec].decompress(&bytes, 1 << 16);
        prop_assert!(unpacked.is_err() || unpacked.unwrap().len() <= 1 << 16);
    }

    #[test]
    fn mutations_are_safe(
        length in 0usize..5_000,
        codec in 0usize..4,
        mutations in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut packed = CODECS[codec].compress(&text(length)).unwrap();
        for (at, byte) in mutations {
            let at = at.index(packed.len());
            packed[at] = byte;
        }
        let unpacked = CODECS[codec].decompress(&packed, 1 << 16);
        prop_assert!(unpacked.is_err() || unpacked.unwrap().len() <= 1 << 16);
    }
}
