//! Metadata had no null before version 1: an empty list of topics meant all of them.

use crate::encode_error::EncodeError;
use crate::messages::metadata::{MetadataRequest, MetadataRequestBefore1, MetadataResponse};

impl TryFrom<&MetadataRequest> for MetadataRequestBefore1 {
    type Error = EncodeError;

    fn try_from(request: &MetadataRequest) -> Result<Self, EncodeError> {
        let unsayable = [
            (
                !request.allow_auto_topic_creation,
                "allow_auto_topic_creation",
            ),
            (
                request.include_cluster_authorized_operations,
                "include_cluster_authorized_operations",
            ),
            (
                request.include_topic_authorized_operations,
                "include_topic_authorized_operations",
            ),
            (request.topics.as_ref().is_some_and(Vec::is_empty), "topics"),
        ];
        match unsayable.into_iter().find(|(is_said, _)| *is_said) {
            Some((_, field)) => Err(EncodeError::not_in_this_version(field)),
            None => Ok(Self {
                topics: request.topics.clone().unwrap_or_default(),
            }),
        }
    }
}

impl From<MetadataRequestBefore1> for MetadataRequest {
    fn from(old: MetadataRequestBefore1) -> Self {
        Self {
            topics: (!old.topics.is_empty()).then_some(old.topics),
            ..Self::default()
        }
    }
}

/// The first version of Metadata whose leader epochs are those that the leaders hold (KAFKA-9212).
const FIRST_TRUE_EPOCHS: i16 = 9;

impl MetadataResponse {
    /// Takes out the leader epochs where a response of this version has them from a controller that lags
    /// behind during a reassignment (Kafka 2.1 to 2.3): who put one into a request would be fenced for as
    /// long. A request without an epoch is not.
    pub fn drop_lagging_epochs(&mut self, version: i16) {
        if version >= FIRST_TRUE_EPOCHS {
            return;
        }
        for topic in &mut self.topics {
            for partition in &mut topic.partitions {
                partition.leader_epoch = -1;
            }
        }
    }
}
