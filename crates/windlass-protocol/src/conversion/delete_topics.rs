//! DeleteTopics knew topics by nothing but their names before version 6.

use crate::encode_error::EncodeError;
use crate::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsRequestBefore6,
};
use windlass_model::TopicId;

impl TryFrom<&DeleteTopicsRequest> for DeleteTopicsRequestBefore6 {
    type Error = EncodeError;

    fn try_from(request: &DeleteTopicsRequest) -> Result<Self, EncodeError> {
        let mut topic_names = Vec::with_capacity(request.topics.len());
        for (index, topic) in request.topics.iter().enumerate() {
            match &topic.name {
                Some(name) if topic.topic_id.is_zero() => topic_names.push(name.clone()),
                _ => {
                    let error = EncodeError::not_in_this_version("topic_id");
                    return Err(error.in_element(index).in_field("topics"));
                }
            }
        }
        Ok(Self {
            topic_names,
            timeout_ms: request.timeout_ms,
        })
    }
}

impl From<DeleteTopicsRequestBefore6> for DeleteTopicsRequest {
    fn from(old: DeleteTopicsRequestBefore6) -> Self {
        let by_name = |name| DeleteTopicState {
            name: Some(name),
            topic_id: TopicId::ZERO,
        };
        Self {
            topics: old.topic_names.into_iter().map(by_name).collect(),
            timeout_ms: old.timeout_ms,
        }
    }
}
