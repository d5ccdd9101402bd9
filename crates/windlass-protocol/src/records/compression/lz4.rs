//! The LZ4 frame format, walked here; the blocks inside go to the raw block decoder and land in one
//! buffer, which is what makes this faster than a frame reader.

use bytes::BufMut;
use lz4_flex::block::{
    DecompressError, compress_into, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u32, le_u64, u8};

use super::too_large;
use super::xxhash32::xxhash32;
use crate::records::{BatchError, Compression};

const FRAME_MAGIC: u32 = 0x184D_2204;
/// The magic numbers of frames that readers pass over differ in their last four bits.
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;
/// A block's matches may reach this far back into the blocks before it.
const WINDOW: usize = 64 * 1024;
/// Blocks of 64 KiB, as Kafka's producer writes them.
const BLOCK: usize = 64 * 1024;
/// Set in a block's length when the block is stored as it is.
const STORED: u32 = 0x8000_0000;

const VERSION_MASK: u8 = 0xC0;
const VERSION: u8 = 0x40;
const INDEPENDENT_BLOCKS: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const RESERVED: u8 = 0x02;
const DICTIONARY: u8 = 0x01;

pub(super) fn decompress(packed: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
    let mut records = Vec::new();
    let mut rest = packed;
    while !rest.is_empty() {
        let (after, magic) = field(le_u32, rest)?;
        rest = match magic {
            FRAME_MAGIC => append_frame(after, limit, &mut records)?,
            _ if magic & 0xFFFF_FFF0 == SKIPPABLE_MAGIC => {
                let (after, length) = field(le_u32, after)?;
                field(take(length), after)?.0
            }
            _ => return Err(corrupt("not an LZ4 frame")),
        };
    }
    Ok(records)
}

pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, BatchError> {
    // Independent blocks of 64 KiB, no checksums: the shape of Kafka's producer.
    let descriptor = [VERSION | INDEPENDENT_BLOCKS, 4 << 4];
    let mut packed = Vec::with_capacity(64 + records.len() / 2);
    packed.put_u32_le(FRAME_MAGIC);
    packed.put_slice(&descriptor);
    packed.put_u8(header_checksum(&descriptor));
    let mut block = vec![0; get_maximum_output_size(BLOCK)];
    for chunk in records.chunks(BLOCK) {
        let written =
            compress_into(chunk, &mut block).map_err(|_| corrupt("the encoder failed"))?;
        let (stored, bytes) = match block.get(..written) {
            Some(smaller) if written < chunk.len() => (0, smaller),
            _ => (STORED, chunk),
        };
        let length = u32::try_from(bytes.len()).map_err(|_| corrupt("the encoder failed"))?;
        packed.put_u32_le(length | stored);
        packed.put_slice(bytes);
    }
    packed.put_u32_le(0);
    Ok(packed)
}

/// What the descriptor of a frame says about its blocks.
struct Frame {
    independent_blocks: bool,
    block_checksum: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_limit: usize,
}

impl Frame {
    fn parse(input: &[u8]) -> Result<(&[u8], Self), BatchError> {
        let (rest, (flags, block_descriptor)) = field((u8, u8), input)?;
        if flags & VERSION_MASK != VERSION || flags & RESERVED != 0 {
            return Err(corrupt("unknown version of the frame format"));
        }
        if flags & DICTIONARY != 0 {
            return Err(corrupt(
                "packed with a dictionary, which Kafka does not have",
            ));
        }
        let block_limit = match block_descriptor {
            0x40 => 64 << 10,
            0x50 => 256 << 10,
            0x60 => 1 << 20,
            0x70 => 4 << 20,
            _ => return Err(corrupt("unknown block size")),
        };
        let (rest, content_size) = if flags & CONTENT_SIZE == 0 {
            (rest, None)
        } else {
            let (rest, size) = field(le_u64, rest)?;
            (rest, Some(size))
        };
        let described = input.len().saturating_sub(rest.len());
        let (rest, checksum) = field(u8, rest)?;
        if header_checksum(input.get(..described).unwrap_or_default()) != checksum {
            return Err(corrupt("header checksum does not match"));
        }
        let frame = Self {
            independent_blocks: flags & INDEPENDENT_BLOCKS != 0,
            block_checksum: flags & BLOCK_CHECKSUM != 0,
            content_checksum: flags & CONTENT_CHECKSUM != 0,
            content_size,
            block_limit,
        };
        Ok((rest, frame))
    }

    /// What the blocks would unpack to if each were full, as all but the last one usually are. Any
    /// number will do for blocks that are malformed: they are refused when they are unpacked.
    fn most_content(&self, blocks: &[u8]) -> usize {
        let mut rest = blocks;
        let mut content = 0usize;
        while let Ok((after, header)) = field(le_u32, rest)
            && header != 0
            && let Ok((after, block)) = field(take(header & !STORED), after)
        {
            content = content.saturating_add(self.block_limit.min(most_output(block.len())));
            rest = after
                .get(if self.block_checksum { 4 } else { 0 }..)
                .unwrap_or_default();
        }
        content
    }
}

/// Unpacks the frame whose magic was just read; returns what follows it.
fn append_frame<'a>(
    input: &'a [u8],
    limit: usize,
    records: &mut Vec<u8>,
) -> Result<&'a [u8], BatchError> {
    let (mut rest, frame) = Frame::parse(input)?;
    let start = records.len();
    let expected = match frame.content_size {
        Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
        None => frame.most_content(rest),
    };
    let total = start.saturating_add(expected);
    if total > limit && frame.content_size.is_some() {
        return Err(too_large(limit, total));
    }
    records.reserve(
        expected
            .min(most_output(rest.len()))
            .min(limit.saturating_sub(start)),
    );
    loop {
        let (after, header) = field(le_u32, rest)?;
        if header == 0 {
            rest = after;
            break;
        }
        let (after, block) = field(take(header & !STORED), after)?;
        rest = after;
        if frame.block_checksum {
            let (after, checksum) = field(le_u32, rest)?;
            rest = after;
            if xxhash32(block) != checksum {
                return Err(corrupt("block checksum does not match"));
            }
        }
        append_block(&frame, header, block, start, limit, records)?;
    }
    let content = records.get(start..).unwrap_or_default();
    if frame.content_checksum {
        let (after, checksum) = field(le_u32, rest)?;
        rest = after;
        if xxhash32(content) != checksum {
            return Err(corrupt("content checksum does not match"));
        }
    }
    match frame.content_size {
        Some(size) if u64::try_from(content.len()) != Ok(size) => {
            Err(corrupt("content is not as long as declared"))
        }
        _ => Ok(rest),
    }
}

fn append_block(
    frame: &Frame,
    header: u32,
    block: &[u8],
    frame_start: usize,
    limit: usize,
    records: &mut Vec<u8>,
) -> Result<(), BatchError> {
    let start = records.len();
    let room = limit.saturating_sub(start);
    let exceeded = BatchError::TooLarge {
        limit,
        declared: None,
    };
    if header & STORED != 0 {
        if block.len() > frame.block_limit {
            return Err(corrupt("block larger than the frame allows"));
        }
        if block.len() > room {
            return Err(exceeded);
        }
        records.extend_from_slice(block);
        return Ok(());
    }
    let possible = frame.block_limit.min(most_output(block.len()));
    records.resize(start.saturating_add(possible.min(room)), 0);
    let (before, output) = records.split_at_mut_checked(start).unwrap_or_default();
    let written = if frame.independent_blocks || start == frame_start {
        unpack(block, output)
    } else {
        let window = before.len().saturating_sub(WINDOW);
        decompress_into_with_dict(block, output, before.get(window..).unwrap_or_default())
    };
    match written {
        Ok(written) => {
            records.truncate(start.saturating_add(written));
            Ok(())
        }
        // The block may be sound and only be longer than what is left of the limit.
        Err(_) if room < possible => Err(exceeded),
        Err(_) => Err(corrupt("invalid block")),
    }
}

/// On its own, so that the decoder is compiled as one tight loop whatever stands around the call.
#[inline(never)]
fn unpack(block: &[u8], output: &mut [u8]) -> Result<usize, DecompressError> {
    decompress_into(block, output)
}

/// The best that LZ4 can do is 255 bytes for one; the constant covers the first few.
fn most_output(packed: usize) -> usize {
    packed.saturating_mul(255).saturating_add(64)
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    let [_, second, ..] = xxhash32(descriptor).to_le_bytes();
    second
}

fn field<'a, P>(mut parser: P, input: &'a [u8]) -> Result<(&'a [u8], P::Output), BatchError>
where
    P: Parser<&'a [u8], Error = ()>,
{
    parser.parse(input).map_err(|_| corrupt("cut short"))
}

fn corrupt(reason: &'static str) -> BatchError {
    BatchError::CorruptCompression {
        codec: Compression::Lz4,
        reason,
    }
}
