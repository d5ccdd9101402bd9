//! Zstandard, frames one after another read as one.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::too_large;
use crate::records::{BatchError, Compression};

/// How much is unpacked between two looks at the limit.
const STEP: usize = 256 * 1024;
/// A window above this is refused, as the reference decoder refuses it by default.
const WINDOW_LIMIT: u64 = 128 * 1024 * 1024;
/// How far a declared size is believed before the bytes are there.
const TRUSTED_RATIO: usize = 32;

pub(super) fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    let mut records = Vec::new();
    let mut rest = packed;
    while !rest.is_empty() {
        // A decoder that is used again allocates the whole declared window at once.
        let mut decoder = FrameDecoder::new();
        // A window larger than the limit is no bomb yet: level 22 declares 128 MiB for any stream.
        decoder.set_max_window_size(WINDOW_LIMIT);
        match decoder.init(&mut rest) {
            Ok(()) => {}
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                rest = usize::try_from(length)
                    .ok()
                    .and_then(|length| rest.get(length..))
                    .ok_or_else(|| corrupt("skippable frame reaches past the end"))?;
                continue;
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                return Err(corrupt("window too large"));
            }
            Err(_) => return Err(corrupt("invalid frame header")),
        }
        append_frame(&mut decoder, &mut rest, limit, &mut records)?;
    }
    Ok(records)
}

fn append_frame(
    decoder: &mut FrameDecoder,
    rest: &mut &[u8],
    limit: usize,
    records: &mut Vec<u8>,
) -> Result<(), BatchError> {
    // Zero also stands for "not declared".
    let declared = usize::try_from(decoder.content_size()).unwrap_or(usize::MAX);
    let total = records.len().saturating_add(declared);
    if total > limit {
        return Err(too_large(limit, total));
    }
    records.reserve(declared.min(rest.len().saturating_mul(TRUSTED_RATIO)));
    let start = records.len();
    // The decoder keeps a whole window back and does not tell how full it is; but every step that
    // does not end the frame has unpacked at least so much.
    let mut unpacked = start;
    loop {
        decoder
            .decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBytes(STEP))
            .map_err(|_| corrupt("invalid block"))?;
        unpacked = unpacked.saturating_add(STEP);
        let exceeded = if decoder.is_finished() {
            records.len().saturating_add(decoder.can_collect()) > limit
        } else {
            unpacked > limit
        };
        if exceeded {
            return Err(BatchError::TooLarge {
                limit,
                declared: None,
            });
        }
        decoder
            .collect_to_writer(&mut *records)
            .map_err(|_| corrupt("invalid block"))?;
        if decoder.is_finished() {
            break;
        }
    }
    if declared != 0 && records.len().saturating_sub(start) != declared {
        return Err(corrupt("content is not as long as declared"));
    }
    Ok(())
}

/// Packs at the one level the encoder has, which is about level 1 of the reference encoder.
pub(super) fn compress(records: &[u8]) -> Vec<u8> {
    compress_to_vec(records, CompressionLevel::Fastest)
}

fn corrupt(reason: &'static str) -> BatchError {
    BatchError::CorruptCompression {
        codec: Compression::Zstd,
        reason,
    }
}
