//! What a group's leader knows of the others, and what it makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use windlass_assignor::{Assignment, Member as Subscriber, Members};
use windlass_model::{GroupInstanceId, MemberId, TopicName, TopicPartitions};
use windlass_protocol::EncodeError;
use windlass_protocol::consumer_protocol::{self, Subscription};
use windlass_protocol::messages::join_group::JoinGroupResponseMember;
use windlass_protocol::messages::sync_group::SyncGroupRequestAssignment;

use crate::GroupEvent;
use crate::outputs::Outputs;

/// Every version of the payload has the same body, so the oldest is the one that all can read.
const ASSIGNMENT_VERSION: i16 = 0;

/// The members of the group as the leader was told of them.
#[derive(Debug)]
pub(crate) struct Leadership {
    pub(crate) members: Arc<Members>,
    /// Everything that anybody subscribes to.
    pub(crate) topics: BTreeSet<TopicName>,
}

impl Leadership {
    /// Reads what the members say of themselves. One that makes no sense stays a member, but asks
    /// for nothing.
    pub(crate) fn read(members: &[JoinGroupResponseMember], out: &mut Outputs) -> Self {
        let mut read = Members::new();
        let mut topics = BTreeSet::new();
        for member in members {
            let id = MemberId::new(&member.member_id);
            let mut subscriber = match Subscription::decode(&member.metadata) {
                Ok(subscription) => subscriber(subscription),
                Err(error) => {
                    out.counters.unreadable_subscriptions += 1;
                    out.emit(GroupEvent::MemberIgnored {
                        member_id: id.clone(),
                        reason: format!("its subscription cannot be read: {error}"),
                    });
                    Subscriber::default()
                }
            };
            let instance_id = member.group_instance_id.as_deref();
            subscriber.instance_id = instance_id.map(GroupInstanceId::new);
            topics.extend(subscriber.topics.iter().cloned());
            read.insert(id, subscriber);
        }
        Self {
            members: Arc::new(read),
            topics,
        }
    }

    /// What SyncGroup carries: one entry a member, also for those that get nothing.
    pub(crate) fn encode(
        &self,
        assignment: &Assignment,
    ) -> Result<Vec<SyncGroupRequestAssignment>, EncodeError> {
        self.members
            .iter()
            .map(|(id, _)| {
                let partitions = assignment
                    .get(id.as_str())
                    .map_or_else(TopicPartitions::new, |partitions| {
                        partitions.to_topic_partitions()
                    });
                let payload = consumer_protocol::Assignment {
                    partitions,
                    user_data: None,
                };
                Ok(SyncGroupRequestAssignment {
                    member_id: id.as_str().to_owned(),
                    assignment: payload.encode(ASSIGNMENT_VERSION)?,
                })
            })
            .collect()
    }
}

fn subscriber(subscription: Subscription) -> Subscriber {
    Subscriber {
        instance_id: None,
        rack: subscription.rack,
        topics: subscription.topics,
        owned: subscription.owned_partitions,
        generation: subscription.generation,
        user_data: subscription
            .user_data
            .map(|data| data.to_vec())
            .unwrap_or_default(),
    }
}
