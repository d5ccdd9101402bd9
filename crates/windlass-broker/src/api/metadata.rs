//! Metadata: who is there, and who leads what.

use windlass_model::TopicId;
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};

use super::topic_admin::is_legal;
use crate::ClusterCore;
use crate::topic::Topic;

impl ClusterCore {
    pub(super) fn metadata(&mut self, request: MetadataRequest) -> MetadataResponse {
        let brokers: Vec<_> = self
            .nodes
            .alive()
            .map(|(id, node)| MetadataResponseBroker {
                node_id: id.0,
                host: node.endpoint.host.clone(),
                port: i32::from(node.endpoint.port),
                rack: node.endpoint.rack.clone(),
            })
            .collect();
        let controller_id = brokers.first().map_or(-1, |broker| broker.node_id);
        let topics = match request.topics {
            None => self
                .topics
                .by_name
                .iter()
                .map(|(name, topic)| self.describe(name, topic))
                .collect(),
            Some(topics) => topics
                .into_iter()
                .map(|topic| {
                    let name = topic.name.unwrap_or_default();
                    self.topic_metadata(&name, topic.topic_id, request.allow_auto_topic_creation)
                })
                .collect(),
        };
        MetadataResponse {
            brokers,
            cluster_id: Some("windlass-embedded".to_owned()),
            controller_id,
            topics,
            ..MetadataResponse::default()
        }
    }

    fn topic_metadata(
        &mut self,
        name: &str,
        id: TopicId,
        may_create: bool,
    ) -> MetadataResponseTopic {
        if let Some(partitions) = self.config.auto_create_partitions
            && may_create
            && is_legal(name)
        {
            self.create_topic(name, partitions);
        }
        if let Some((name, topic)) = self.topics.find(name, id) {
            return self.describe(name, topic);
        }
        let error_code = if name.is_empty() {
            ErrorCode::UNKNOWN_TOPIC_ID
        } else if !is_legal(name) {
            ErrorCode::INVALID_TOPIC_EXCEPTION
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        };
        MetadataResponseTopic {
            error_code,
            name: (!name.is_empty()).then(|| name.to_owned()),
            topic_id: id,
            ..MetadataResponseTopic::default()
        }
    }

    fn describe(&self, name: &str, topic: &Topic) -> MetadataResponseTopic {
        let all: Vec<i32> = self.nodes.ids().map(|id| id.0).collect();
        let alive: Vec<i32> = self.nodes.alive().map(|(id, _)| id.0).collect();
        let dead: Vec<i32> = all
            .iter()
            .copied()
            .filter(|id| !alive.contains(id))
            .collect();
        let partitions = (0..)
            .zip(&topic.partitions)
            .map(|(partition_index, partition)| MetadataResponsePartition {
                error_code: if partition.leader.is_some() {
                    ErrorCode::NONE
                } else {
                    ErrorCode::LEADER_NOT_AVAILABLE
                },
                partition_index,
                leader_id: partition.leader.map_or(-1, |leader| leader.0),
                leader_epoch: partition.leader_epoch,
                replica_nodes: all.clone(),
                isr_nodes: alive.clone(),
                offline_replicas: dead.clone(),
            })
            .collect();
        MetadataResponseTopic {
            name: Some(name.to_owned()),
            topic_id: topic.id,
            partitions,
            ..MetadataResponseTopic::default()
        }
    }
}
