//! What the leader of a group gives to a member.

use bytes::{Bytes, BytesMut};
use nom::Parser as _;
use nom::error::context;
use windlass_model::TopicPartitions;

use super::{VERSIONS, put_topic_partitions, topic_partitions, version};
use crate::decode_error::{DecodeError, finish};
use crate::encode_error::EncodeError;
use crate::message::encode_message;
use crate::primitive::Layout;
use crate::primitive::read::{Parsed, nullable_bytes};
use crate::primitive::write::{put_int16, put_nullable_bytes};

const MESSAGE: &str = "ConsumerProtocolAssignment";

/// The partitions that a member is given (mirrors Kafka's `ConsumerProtocolAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The partitions.
    pub partitions: TopicPartitions,
    /// What the assignor of the leader tells that of the member.
    pub user_data: Option<Bytes>,
}

impl Assignment {
    /// Reads an assignment. No bytes at all are the empty assignment: that is what the coordinator
    /// hands to a member whom the leader left out.
    ///
    /// # Errors
    ///
    /// When the bytes are no assignment.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        finish(MESSAGE, bytes, Self::read(bytes))
    }

    fn read(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, _) = context("version", version).parse(input)?;
        let (rest, partitions) = context("assigned_partitions", topic_partitions).parse(rest)?;
        let (rest, user_data) = context("user_data", nullable_bytes(Layout::Plain)).parse(rest)?;
        let assignment = Self {
            partitions,
            user_data,
        };
        Ok((rest, assignment))
    }

    /// Writes the assignment in a version from 0 to 3; the versions differ in nothing but their
    /// number. A leader writes the version that the member's subscription had.
    ///
    /// # Errors
    ///
    /// For another version, and for more than a length field can say.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        encode_message(MESSAGE, VERSIONS, version, &mut || {
            put_int16(&mut out, version);
            put_topic_partitions(&mut out, &self.partitions)
                .map_err(|error| error.in_field("assigned_partitions"))?;
            put_nullable_bytes(&mut out, Layout::Plain, self.user_data.as_ref())
                .map_err(|error| error.in_field("user_data"))
        })?;
        Ok(out.freeze())
    }
}
