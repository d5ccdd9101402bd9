//! CreateTopics, DeleteTopics, CreatePartitions.

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use windlass_protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use windlass_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};

use crate::ClusterCore;

impl ClusterCore {
    pub(super) fn create_topics(&mut self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let topics = request
            .topics
            .into_iter()
            .map(|topic| self.create_one(&topic, request.validate_only))
            .collect();
        CreateTopicsResponse {
            topics,
            ..CreateTopicsResponse::default()
        }
    }

    fn create_one(&mut self, topic: &CreatableTopic, validate_only: bool) -> CreatableTopicResult {
        let by_hand = i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX);
        let partitions = match topic.num_partitions {
            _ if by_hand > 0 => by_hand,
            -1 => 1,
            count => count,
        };
        let error_code = if !is_legal(&topic.name) {
            ErrorCode::INVALID_TOPIC_EXCEPTION
        } else if self.topics.by_name.contains_key(&topic.name) {
            ErrorCode::TOPIC_ALREADY_EXISTS
        } else if partitions < 1 {
            ErrorCode::INVALID_PARTITIONS
        } else if i32::from(topic.replication_factor) > self.config.nodes {
            ErrorCode::INVALID_REPLICATION_FACTOR
        } else {
            ErrorCode::NONE
        };
        let mut result = CreatableTopicResult {
            name: topic.name.clone(),
            error_code,
            ..CreatableTopicResult::default()
        };
        if error_code.is_none() {
            result.num_partitions = partitions;
            result.replication_factor = i16::try_from(self.config.nodes).unwrap_or(i16::MAX);
            result.configs = Some(Vec::new());
            if !validate_only {
                result.topic_id =
                    self.topics
                        .create(&topic.name, partitions, &self.nodes, &mut self.random);
            }
        }
        result
    }

    pub(super) fn delete_topics(&mut self, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        let responses = request
            .topics
            .into_iter()
            .map(|topic| {
                let name = topic.name.clone().unwrap_or_default();
                let found = self
                    .topics
                    .find(&name, topic.topic_id)
                    .map(|(name, found)| (name.to_owned(), found.id));
                match found {
                    Some((name, topic_id)) => {
                        self.topics.by_name.remove(&name);
                        self.groups.forget_topic(&name);
                        DeletableTopicResult {
                            name: Some(name),
                            topic_id,
                            ..DeletableTopicResult::default()
                        }
                    }
                    None => DeletableTopicResult {
                        name: topic.name,
                        topic_id: topic.topic_id,
                        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        ..DeletableTopicResult::default()
                    },
                }
            })
            .collect();
        DeleteTopicsResponse {
            responses,
            ..DeleteTopicsResponse::default()
        }
    }

    pub(super) fn create_partitions(
        &mut self,
        request: CreatePartitionsRequest,
    ) -> CreatePartitionsResponse {
        let results = request
            .topics
            .into_iter()
            .map(|topic| {
                let present = self
                    .topics
                    .by_name
                    .get(&topic.name)
                    .map(|found| found.partitions.len());
                let wanted = usize::try_from(topic.count).unwrap_or(0);
                let error_code = match present {
                    None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    Some(present) if wanted <= present => ErrorCode::INVALID_PARTITIONS,
                    Some(_) => ErrorCode::NONE,
                };
                if error_code.is_none() && !request.validate_only {
                    self.topics.grow(&topic.name, topic.count, &self.nodes);
                }
                CreatePartitionsTopicResult {
                    name: topic.name,
                    error_code,
                    error_message: None,
                }
            })
            .collect();
        CreatePartitionsResponse {
            results,
            ..CreatePartitionsResponse::default()
        }
    }
}

/// Kafka's rule for topic names.
pub(super) fn is_legal(name: &str) -> bool {
    let characters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty()
        && name.len() <= 249
        && name != "."
        && name != ".."
        && name.chars().all(characters)
}
