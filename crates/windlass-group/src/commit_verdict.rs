//! What an answer to OffsetCommit means: for the offset, and for the membership.

use windlass_model::{Cluster, TopicPartition};
use windlass_protocol::ErrorCode;

use crate::finding::Finding;
use crate::identity::{Identity, Reset};
use crate::outputs::Sent;
use crate::ownership::{Ownership, Tenure};
use crate::{CommitError, GroupConfig, GroupError};

/// On what ground an offset is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The application assigns partitions by hand: no generation, no member.
    Manual,
    /// The group assigned the partition, in this tenure. What is committed in one tenure never
    /// counts for another.
    Owned(Tenure),
}

/// What a commit can be based on when it is made.
pub(crate) struct Grounds<'a> {
    pub(crate) ownership: &'a Ownership,
    /// Whether nothing is subscribed to, so that what is not owned is assigned by hand.
    pub(crate) assigns_by_hand: bool,
}

impl Grounds<'_> {
    /// On what ground an offset of the partition can be committed, if on any.
    pub(crate) fn claim(&self, topic_partition: &TopicPartition) -> Option<Claim> {
        let owned = self.ownership.tenure(topic_partition).map(Claim::Owned);
        owned.or_else(|| self.assigns_by_hand.then_some(Claim::Manual))
    }
}

/// Who the member is when an answer comes.
pub(crate) struct Present<'a> {
    pub(crate) config: &'a GroupConfig,
    pub(crate) identity: &'a Identity,
    pub(crate) ownership: &'a Ownership,
    /// Whether a JoinGroup is under way, so that the generation is about to be replaced.
    pub(crate) is_joining: bool,
    /// What is known of the cluster.
    pub(crate) cluster: &'a Cluster,
}

impl Present<'_> {
    /// Whether the topic exists, as far as is known.
    fn shows(&self, topic_partition: &TopicPartition) -> bool {
        let topics = &self.cluster.topics;
        topics.is_empty() || topics.contains_key(&topic_partition.topic)
    }
}

/// What an answer to a commit means for the membership: of each kind the last.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) coordinator_lost: Option<String>,
    pub(crate) rejoin: Option<String>,
    pub(crate) reset: Option<(Reset, String)>,
    pub(crate) fatal: Option<GroupError>,
}

impl Findings {
    /// What was found, in the order in which it has to be told.
    pub(crate) fn in_order(self) -> impl Iterator<Item = Finding> {
        let lost = self.coordinator_lost.map(Finding::CoordinatorLost);
        let rejoin = self.rejoin.map(Finding::Rejoin);
        let reset = self.reset.map(|(reset, why)| Finding::Reset(reset, why));
        let who = self.fatal.map(Finding::Over).or(reset);
        [lost, rejoin, who].into_iter().flatten()
    }
}

/// What an answer means for one offset.
pub(crate) enum Verdict {
    Stored,
    Retry(CommitError),
    Fail(CommitError),
}

/// Whether the ground of the commit still holds.
pub(crate) fn holds(claim: Claim, topic_partition: &TopicPartition, ownership: &Ownership) -> bool {
    match claim {
        Claim::Manual => true,
        Claim::Owned(tenure) => ownership.tenure(topic_partition) == Some(tenure),
    }
}

pub(crate) fn judge(
    code: Option<ErrorCode>,
    topic_partition: &TopicPartition,
    claim: Claim,
    still_owned: bool,
    sent: &Sent,
    present: &Present<'_>,
    findings: &mut Findings,
) -> Verdict {
    let Some(code) = code else {
        let code = ErrorCode::UNKNOWN_SERVER_ERROR;
        return Verdict::Fail(CommitError::Refused { code });
    };
    let refused = CommitError::Refused { code };
    let reason = format!("the coordinator answered OffsetCommit with {code}");
    let is_manual = claim == Claim::Manual;
    // Somebody this member no longer is made the commit.
    let is_late = !is_manual && sent.identity != *present.identity;
    match code {
        ErrorCode::NONE if is_late && !still_owned => {
            let reason = "it went while the commit was under way".to_owned();
            Verdict::Fail(CommitError::MembershipLost { reason })
        }
        ErrorCode::NONE => Verdict::Stored,
        ErrorCode::NOT_COORDINATOR
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::REQUEST_TIMED_OUT => {
            findings.coordinator_lost = Some(reason);
            Verdict::Retry(refused)
        }
        // The metadata does not show it either.
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if !present.shows(topic_partition) => {
            Verdict::Fail(refused)
        }
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            Verdict::Retry(refused)
        }
        ErrorCode::REBALANCE_IN_PROGRESS if is_manual => Verdict::Fail(refused),
        // It came too late for one generation, and is welcome in the next.
        ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION
            if !is_manual && still_owned && (is_late || present.is_joining) =>
        {
            Verdict::Retry(CommitError::RebalanceInProgress)
        }
        ErrorCode::REBALANCE_IN_PROGRESS => {
            if !is_late {
                findings.rejoin = Some(reason);
            }
            Verdict::Fail(CommitError::RebalanceInProgress)
        }
        ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID if is_manual => {
            let reason = format!("{reason}: the group has members of its own");
            Verdict::Fail(CommitError::MembershipLost { reason })
        }
        ErrorCode::ILLEGAL_GENERATION
        | ErrorCode::UNKNOWN_MEMBER_ID
        | ErrorCode::FENCED_INSTANCE_ID
            if is_late =>
        {
            Verdict::Fail(after_a_change(still_owned, reason))
        }
        ErrorCode::ILLEGAL_GENERATION if present.is_joining => {
            Verdict::Fail(after_a_change(still_owned, reason))
        }
        ErrorCode::ILLEGAL_GENERATION => {
            findings.reset = Some((Reset::Generation, reason.clone()));
            Verdict::Fail(CommitError::MembershipLost { reason })
        }
        ErrorCode::UNKNOWN_MEMBER_ID => {
            findings.reset = Some((Reset::MemberId, reason.clone()));
            Verdict::Fail(CommitError::MembershipLost { reason })
        }
        ErrorCode::FENCED_INSTANCE_ID => {
            findings.fatal = GroupError::from_code(code, present.config);
            Verdict::Fail(CommitError::Fenced)
        }
        ErrorCode::GROUP_AUTHORIZATION_FAILED => Verdict::Fail(not_authorized(present)),
        _ if code.is_retriable() => Verdict::Retry(refused),
        _ => Verdict::Fail(refused),
    }
}

fn not_authorized(present: &Present<'_>) -> CommitError {
    let group = present.config.group_id.clone();
    CommitError::Group(GroupError::GroupAuthorization { group })
}

/// The commit of a generation that has been replaced was refused: what was kept can be committed
/// again, what went cannot.
fn after_a_change(still_owned: bool, reason: String) -> CommitError {
    if still_owned {
        CommitError::RebalanceInProgress
    } else {
        CommitError::MembershipLost { reason }
    }
}
