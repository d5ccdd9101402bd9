//! Consumer groups, as the coordinator of the classic protocol keeps them.

mod classic_group;
mod commit;
mod expiry;
mod group_record;
mod join;
mod leave;
mod member;
mod rebalance;
mod static_member;
mod sync;

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_machine::SplitMix64;
use windlass_protocol::messages::join_group::JoinGroupResponse;
use windlass_protocol::{ErrorCode, ResponseKind};

pub(crate) use self::classic_group::ClassicGroup;
pub use self::classic_group::GroupState;
pub(crate) use self::commit::CommittedOffset;
use crate::ClusterConfig;
use crate::connection::ReplyTo;

/// All groups, by id.
#[derive(Debug)]
pub(crate) struct Groups {
    settings: Settings,
    random: SplitMix64,
    by_id: BTreeMap<String, ClassicGroup>,
    replies: Vec<(ReplyTo, ResponseKind)>,
}

/// What the coordinator allows.
#[derive(Clone, Debug)]
struct Settings {
    initial_rebalance_delay: Duration,
    min_session_timeout: Duration,
    max_session_timeout: Duration,
    max_group_size: usize,
}

impl Groups {
    pub(crate) fn new(config: &ClusterConfig, seed: u64) -> Self {
        Self {
            settings: Settings {
                initial_rebalance_delay: config.initial_rebalance_delay,
                min_session_timeout: config.min_session_timeout,
                max_session_timeout: config.max_session_timeout,
                max_group_size: config.max_group_size,
            },
            random: SplitMix64::new(seed),
            by_id: BTreeMap::new(),
            replies: Vec::new(),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &ClassicGroup)> {
        self.by_id.iter().map(|(id, group)| (id.as_str(), group))
    }

    pub(crate) fn find(&self, id: &str) -> Option<&ClassicGroup> {
        self.by_id.get(id)
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Answers that are ready.
    pub(crate) fn take_replies(&mut self) -> Vec<(ReplyTo, ResponseKind)> {
        std::mem::take(&mut self.replies)
    }

    fn reply(&mut self, reply_to: ReplyTo, response: impl Into<ResponseKind>) {
        self.replies.push((reply_to, response.into()));
    }

    fn refuse_join(&mut self, reply_to: ReplyTo, error_code: ErrorCode, member_id: String) {
        // Old clients are not told of a protocol that is null.
        let protocol_name = (reply_to.version < 7).then(String::new);
        let refused = JoinGroupResponse {
            error_code,
            generation_id: -1,
            protocol_name,
            member_id,
            ..JoinGroupResponse::default()
        };
        self.reply(reply_to, refused);
    }

    /// A member id that nobody has: what the member calls itself, and a random tail.
    fn new_member_id(&mut self, prefix: &str) -> String {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        format!(
            "{prefix}-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        )
    }
}
