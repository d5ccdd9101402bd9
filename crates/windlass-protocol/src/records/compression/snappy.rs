//! Snappy, raw or in the framing of Java's xerial library: a 16-byte header, then blocks of raw
//! Snappy with a big-endian length before each.

use bytes::BufMut;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_i32;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::too_large;
use crate::records::{BatchError, Compression};

/// How a xerial stream begins.
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The magic, the version and the lowest compatible version.
const XERIAL_HEADER: usize = 16;
/// How many bytes of records Java packs into one block.
const BLOCK: usize = 32 * 1024;

pub(super) fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    let mut records = Vec::new();
    if !packed.starts_with(&MAGIC) {
        append_block(packed, limit, &mut records)?;
        return Ok(records);
    }
    let mut rest = packed;
    while !rest.is_empty() {
        if rest.starts_with(&MAGIC) {
            // Streams written one after another repeat the header.
            rest = rest
                .get(XERIAL_HEADER..)
                .ok_or_else(|| corrupt("cut short in the xerial header"))?;
            continue;
        }
        let (after, length) = be_i32::<_, ()>
            .parse(rest)
            .map_err(|_| corrupt("cut short in a block length"))?;
        let length = u32::try_from(length).map_err(|_| corrupt("negative block length"))?;
        let (after, block) = take::<_, _, ()>(length)
            .parse(after)
            .map_err(|_| corrupt("block reaches past the end"))?;
        append_block(block, limit, &mut records)?;
        rest = after;
    }
    Ok(records)
}

/// Unpacks one raw block behind what is already there.
fn append_block(block: &[u8], limit: usize, records: &mut Vec<u8>) -> Result<(), BatchError> {
    let declared = decompress_len(block).map_err(|_| corrupt("invalid block header"))?;
    let start = records.len();
    let total = start.saturating_add(declared);
    if total > limit {
        return Err(too_large(limit, total));
    }
    // The best that Snappy can do is 64 bytes for 3.
    if declared / 64 > block.len() / 3 {
        return Err(corrupt("declares more than it can hold"));
    }
    records.resize(total, 0);
    let written = Decoder::new()
        .decompress(block, records.get_mut(start..).unwrap_or_default())
        .map_err(|_| corrupt("invalid block"))?;
    records.truncate(start.saturating_add(written));
    Ok(())
}

pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut packed = Vec::with_capacity(XERIAL_HEADER + records.len() / 2);
    packed.put_slice(&MAGIC);
    packed.put_i32(1);
    packed.put_i32(1);
    let mut encoder = Encoder::new();
    let mut block = vec![0; max_compress_len(BLOCK)];
    for chunk in records.chunks(BLOCK) {
        let written = encoder
            .compress(chunk, &mut block)
            .map_err(|_| corrupt("the encoder failed"))?;
        packed.put_i32(i32::try_from(written).map_err(|_| corrupt("the encoder failed"))?);
        packed.put_slice(block.get(..written).unwrap_or_default());
    }
    Ok(packed)
}

fn corrupt(reason: &'static str) -> BatchError {
    BatchError::CorruptCompression {
        codec: Compression::Snappy,
        reason,
    }
}
