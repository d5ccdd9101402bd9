//! gzip, with members one after another read as one (RFC 1952).

use std::io::{Read, Write};

use flate2::Compression as Level;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::records::{BatchError, Compression};

/// The best that deflate can do: a pair of bits for 258 bytes.
const BEST_RATIO: usize = 1032;

pub(super) fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    // The last four bytes state the length of the last member: a good first guess, never trusted.
    let stated = match packed.last_chunk::<4>() {
        Some(length) => usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX),
        None => return Err(corrupt("shorter than a gzip member")),
    };
    let most = packed.len().saturating_mul(BEST_RATIO).min(limit);
    let mut records = Vec::with_capacity(stated.min(most));
    // One byte more than allowed tells an overrun from a perfect fit.
    let allowed = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed)
        .take(allowed)
        .read_to_end(&mut records)
        .map_err(|_| corrupt("not a valid gzip stream"))?;
    if records.len() > limit {
        return Err(BatchError::TooLarge {
            limit,
            declared: None,
        });
    }
    Ok(records)
}

pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder
        .write_all(records)
        .and_then(|()| encoder.finish())
        .map_err(|_| corrupt("the encoder failed"))
}

fn corrupt(reason: &'static str) -> BatchError {
    BatchError::CorruptCompression {
        codec: Compression::Gzip,
        reason,
    }
}
