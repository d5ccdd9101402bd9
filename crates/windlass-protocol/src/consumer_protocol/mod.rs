//! What members of a classic group tell each other through the coordinator, which does not look
//! inside: subscriptions on the way to the leader of the group, assignments on the way back.
//!
//! Both begin with a version, and a reader that meets a newer one than it knows reads it as the
//! newest it knows. The bytes come from other members, so they are trusted with nothing.

mod assignment;
mod subscription;
#[cfg(test)]
mod tests;

pub use assignment::Assignment;
pub use subscription::Subscription;

use bytes::BytesMut;
use nom::Parser as _;
use windlass_model::{TopicPartitionList, TopicPartitions};

use crate::decode_error::{DecodeErrorKind, Fault};
use crate::encode_error::EncodeError;
use crate::primitive::Layout;
use crate::primitive::read::{Parsed, array, int16, int32, string};
use crate::primitive::write::{put_array, put_int32, put_string};
use crate::version_range::VersionRange;

/// The versions of both payloads; the payloads are never flexible.
const VERSIONS: VersionRange = VersionRange { min: 0, max: 3 };

/// The smallest entry of a list of partitions: a topic without a name, no partition.
const SMALLEST_ENTRY: usize = 6;

/// Reads the version in front. A negative one is no version.
fn version(input: &[u8]) -> Parsed<'_, i16> {
    let (rest, version) = int16(input)?;
    if version < VERSIONS.min {
        let kind = DecodeErrorKind::UnsupportedVersion { version };
        return Err(Fault::failure(input, kind));
    }
    Ok((rest, version.min(VERSIONS.max)))
}

/// Reads partitions by topic.
fn topic_partitions(input: &[u8]) -> Parsed<'_, TopicPartitions> {
    let entry = |input| {
        let (rest, topic) = string(Layout::Plain).parse(input)?;
        let (rest, partitions) = array(Layout::Plain, 4, int32).parse(rest)?;
        let topic = topic.into();
        Ok((rest, TopicPartitionList { topic, partitions }))
    };
    let (rest, topics) = array(Layout::Plain, SMALLEST_ENTRY, entry).parse(input)?;
    Ok((rest, TopicPartitions { topics }))
}

fn put_topic_partitions(
    out: &mut BytesMut,
    partitions: &TopicPartitions,
) -> Result<(), EncodeError> {
    put_array(out, Layout::Plain, &partitions.topics, &mut |list, out| {
        put_string(out, Layout::Plain, list.topic.as_str())?;
        put_array(out, Layout::Plain, &list.partitions, &mut |index, out| {
            put_int32(out, *index);
            Ok(())
        })
    })
}
