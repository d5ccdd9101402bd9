//! What JoinGroup says about this member.

use std::sync::Arc;

use bytes::Bytes;
use windlass_assignor::Assignor;
use windlass_protocol::EncodeError;
use windlass_protocol::consumer_protocol::Subscription;
use windlass_protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};

use crate::classic::member::Member;
use crate::{GroupConfig, GroupError};

/// The protocol type of every consumer group.
pub(crate) const PROTOCOL_TYPE: &str = "consumer";

/// The newest version of the subscription payload; a leader that knows only older ones reads it as
/// the newest it knows.
const SUBSCRIPTION_VERSION: i16 = 3;

/// Kafka's clients cut reasons to this length (KIP-800).
const REASON_LIMIT: usize = 255;

/// The JoinGroup of the member as it is now.
pub(crate) fn request(member: &Member) -> Result<JoinGroupRequest, EncodeError> {
    let config = &member.config;
    let protocols = config.assignors.iter().map(|assignor| {
        Ok(JoinGroupRequestProtocol {
            name: assignor.name().to_owned(),
            metadata: subscription(member, assignor.as_ref())?,
        })
    });
    Ok(JoinGroupRequest {
        group_id: config.group_id.as_str().to_owned(),
        session_timeout_ms: wire_millis(config.session_timeout),
        rebalance_timeout_ms: wire_millis(config.rebalance_timeout),
        member_id: member.identity.member_id_text(),
        group_instance_id: config.instance_id_text(),
        protocol_type: PROTOCOL_TYPE.to_owned(),
        protocols: protocols.collect::<Result<_, EncodeError>>()?,
        reason: Some(cut(&member.join_reason)),
    })
}

/// What the member tells a strategy's leader of itself, in the newest version of the payload.
fn subscription(member: &Member, assignor: &dyn Assignor) -> Result<Bytes, EncodeError> {
    let last = &member.last_assignment;
    let user_data =
        assignor.subscription_user_data(&last.partitions, last.generation, &member.topics);
    let subscription = Subscription {
        topics: member.topics.iter().cloned().collect(),
        user_data: user_data.map(Bytes::from),
        owned_partitions: member.ownership.grouped(),
        generation: member.identity.generation,
        rack: member.config.client_rack.clone(),
    };
    subscription.encode(SUBSCRIPTION_VERSION)
}

/// The strategy that the group agreed on, checked against what this member offered (KIP-559). Old
/// coordinators name neither type nor protocol in every answer.
pub(crate) fn agreed_assignor(
    config: &GroupConfig,
    protocol_type: Option<&str>,
    name: Option<&str>,
) -> Result<Arc<dyn Assignor>, GroupError> {
    let inconsistent = |detail: String| GroupError::InconsistentProtocol {
        group: config.group_id.clone(),
        detail,
    };
    if let Some(other) = protocol_type.filter(|one| *one != PROTOCOL_TYPE) {
        return Err(inconsistent(format!("it is a group of type `{other}`")));
    }
    let name = name.unwrap_or_default();
    config.assignor(name).ok_or_else(|| {
        inconsistent(format!(
            "it chose `{name}`, which this member did not offer"
        ))
    })
}

/// The reason as it is sent: no longer than Kafka's clients send it.
pub(crate) fn cut(reason: &str) -> String {
    reason.chars().take(REASON_LIMIT).collect()
}

fn wire_millis(duration: std::time::Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
