//! What a member tells the leader of its group.

use bytes::{Bytes, BytesMut};
use nom::Parser as _;
use nom::error::context;
use windlass_model::{Generation, TopicName, TopicPartitions};

use super::{VERSIONS, put_topic_partitions, topic_partitions, version};
use crate::decode_error::{DecodeError, finish};
use crate::encode_error::EncodeError;
use crate::message::encode_message;
use crate::primitive::Layout;
use crate::primitive::read::{Parsed, array, int32, nullable_bytes, nullable_string, string};
use crate::primitive::write::{
    put_array, put_int16, put_int32, put_nullable_bytes, put_nullable_string, put_string,
};

const MESSAGE: &str = "ConsumerProtocolSubscription";

/// What a member wants and what it has (mirrors Kafka's `ConsumerProtocolSubscription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics the member wants to read.
    pub topics: Vec<TopicName>,
    /// What the assignor of the member tells that of the leader.
    pub user_data: Option<Bytes>,
    /// The partitions the member still has, from version 1 on. A claim, not a fact.
    pub owned_partitions: TopicPartitions,
    /// The generation in which it got them, from version 2 on (KIP-792).
    pub generation: Option<Generation>,
    /// Where the member stands (`client.rack`), from version 3 on (KIP-881).
    pub rack: Option<String>,
}

impl Subscription {
    /// Reads a subscription.
    ///
    /// Some clients call theirs version 1 and leave the owned partitions out, or write something
    /// else in their place. Such a member owns nothing as far as anybody can tell, which is no
    /// reason to fail the whole group.
    ///
    /// # Errors
    ///
    /// When the bytes are no subscription.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        finish(MESSAGE, bytes, Self::read(bytes))
    }

    fn read(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, version) = context("version", version).parse(input)?;
        let topic = |input| string(Layout::Plain).map(TopicName::from).parse(input);
        let (rest, topics) = context("topics", array(Layout::Plain, 2, topic)).parse(rest)?;
        let (rest, user_data) = context("user_data", nullable_bytes(Layout::Plain)).parse(rest)?;
        let mut subscription = Self {
            topics,
            user_data,
            ..Self::default()
        };
        if version == 1 {
            let Ok((rest, owned)) = topic_partitions(rest) else {
                return Ok((&[], subscription));
            };
            subscription.owned_partitions = owned;
            return Ok((rest, subscription));
        }
        if version == 0 {
            return Ok((rest, subscription));
        }
        let (rest, owned) = context("owned_partitions", topic_partitions).parse(rest)?;
        let (rest, generation) = context("generation_id", int32).parse(rest)?;
        subscription.owned_partitions = owned;
        subscription.generation = Generation::from_wire(generation);
        if version == 2 {
            return Ok((rest, subscription));
        }
        let (rest, rack) = context("rack_id", nullable_string(Layout::Plain)).parse(rest)?;
        subscription.rack = rack;
        Ok((rest, subscription))
    }

    /// Writes the subscription in a version from 0 to 3, without what the version has no room for.
    ///
    /// # Errors
    ///
    /// For another version, and for more than a length field can say.
    pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        encode_message(MESSAGE, VERSIONS, version, &mut || {
            self.write(version, &mut out)
        })?;
        Ok(out.freeze())
    }

    fn write(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_int16(out, version);
        put_array(out, Layout::Plain, &self.topics, &mut |topic, out| {
            put_string(out, Layout::Plain, topic.as_str())
        })
        .map_err(|error| error.in_field("topics"))?;
        put_nullable_bytes(out, Layout::Plain, self.user_data.as_ref())
            .map_err(|error| error.in_field("user_data"))?;
        if version >= 1 {
            put_topic_partitions(out, &self.owned_partitions)
                .map_err(|error| error.in_field("owned_partitions"))?;
        }
        if version >= 2 {
            put_int32(out, Generation::to_wire(self.generation));
        }
        if version >= 3 {
            put_nullable_string(out, Layout::Plain, self.rack.as_deref())
                .map_err(|error| error.in_field("rack_id"))?;
        }
        Ok(())
    }
}
