//! The five ways in which the records of a batch can be packed.
//!
//! Every decoder works under a limit: a declared size is compared with it before anything is
//! allocated, and output that declares none is counted while it grows. What is allocated ahead of
//! the output is bounded by what the compressed bytes could at best become.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(all(
    test,
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
))]
mod tests;
#[cfg(feature = "lz4")]
mod xxhash32;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;

use super::BatchError;

/// How the records of a batch are compressed (mirrors Kafka's `CompressionType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, at any level.
    Gzip,
    /// Snappy: read raw or in the framing of the xerial library, written in that framing.
    Snappy,
    /// LZ4 in its frame format.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// Kafka's name (`compression.type`), which is also that of the cargo feature.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build can read and write it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The number in the attributes of a batch.
    pub(super) const fn to_wire(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Reads the three lowest bits of the attributes of a batch.
    pub(super) fn from_attributes(attributes: i16) -> Result<Self, BatchError> {
        match attributes & 0x07 {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            other => Err(BatchError::UnknownCompression {
                codec: u8::try_from(other).unwrap_or(u8::MAX),
            }),
        }
    }

    /// Unpacks into a new buffer of at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`BatchError::TooLarge`], [`BatchError::CodecNotBuilt`], [`BatchError::CorruptCompression`].
    pub fn decompress(self, packed: &[u8], limit: usize) -> Result<Vec<u8>, BatchError> {
        match self {
            Self::None if packed.len() > limit => Err(too_large(limit, packed.len())),
            Self::None => Ok(packed.to_vec()),
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::decompress(packed, limit),
            #[cfg(feature = "snappy")]
            Self::Snappy => snappy::decompress(packed, limit),
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4::decompress(packed, limit),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::decompress(packed, limit),
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            codec => Err(BatchError::CodecNotBuilt { codec }),
        }
    }

    /// Packs into a new buffer, as Kafka's own producer would.
    ///
    /// # Errors
    ///
    /// [`BatchError::CodecNotBuilt`].
    pub fn compress(self, records: &[u8]) -> Result<Vec<u8>, BatchError> {
        match self {
            Self::None => Ok(records.to_vec()),
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::compress(records),
            #[cfg(feature = "snappy")]
            Self::Snappy => snappy::compress(records),
            #[cfg(feature = "lz4")]
            Self::Lz4 => lz4::compress(records),
            #[cfg(feature = "zstd")]
            Self::Zstd => Ok(zstd::compress(records)),
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            codec => Err(BatchError::CodecNotBuilt { codec }),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn too_large(limit: usize, declared: usize) -> BatchError {
    BatchError::TooLarge {
        limit,
        declared: u64::try_from(declared).ok(),
    }
}
