//! What can end a membership, a commit or an offset fetch.

use std::time::Duration;

use windlass_assignor::AssignError;
use windlass_machine::{FailureKind, RequestFailure};
use windlass_model::{GroupId, GroupInstanceId};
use windlass_protocol::{EncodeError, ErrorCode};

use crate::outputs::Purpose;

/// What stands between a member and its group. What is [final](GroupError::is_final) ends the
/// membership; all else is told with [`GroupEvent::Trouble`](crate::GroupEvent::Trouble) and tried
/// again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// GROUP_AUTHORIZATION_FAILED: the principal may not read this group.
    #[error("not authorized to use group `{group}`: grant READ on the group to this principal")]
    GroupAuthorization {
        /// The group.
        group: GroupId,
    },
    /// FENCED_INSTANCE_ID: a newer member has taken over this one's `group.instance.id`.
    #[error(
        "another member with group.instance.id `{}` has taken this one's place: run one process for each id",
        instance_id.as_ref().map_or("", GroupInstanceId::as_str)
    )]
    Fenced {
        /// The identity that was taken over, where this member has one.
        instance_id: Option<GroupInstanceId>,
    },
    /// INCONSISTENT_GROUP_PROTOCOL, or a group that chose a strategy this member does not have.
    #[error(
        "no assignment strategy in common with group `{group}` ({detail}): list one in partition.assignment.strategy that every member has"
    )]
    InconsistentProtocol {
        /// The group.
        group: GroupId,
        /// What did not fit.
        detail: String,
    },
    /// INVALID_SESSION_TIMEOUT: outside the limits that the broker is configured with.
    #[error(
        "the broker refuses a session timeout of {session_timeout:?}: keep it within its group.min.session.timeout.ms and group.max.session.timeout.ms"
    )]
    InvalidSessionTimeout {
        /// What this member asked for.
        session_timeout: Duration,
    },
    /// INVALID_GROUP_ID: the broker does not take this name.
    #[error("the broker refuses `{group}` as a group id")]
    InvalidGroupId {
        /// The group.
        group: GroupId,
    },
    /// GROUP_MAX_SIZE_REACHED: the broker's `group.max.size` is exhausted.
    #[error("group `{group}` is full: the broker's group.max.size is reached")]
    GroupFull {
        /// The group.
        group: GroupId,
    },
    /// This member leads the group, and its strategy has no valid assignment to hand out.
    #[error("the assignment for the group could not be computed: {0}")]
    Assignment(#[source] AssignError),
    /// No broker can be asked at all: authentication or versions do not fit.
    #[error("{api} cannot be sent: {failure}")]
    Unsendable {
        /// Kafka's name of the API.
        api: &'static str,
        /// What stands in the way.
        failure: RequestFailure,
    },
    /// The application's listener has not returned from the call that told it of new partitions.
    #[error(
        "the rebalance listener has not returned for {limit:?} (max.poll.interval.ms) after it was told of new partitions: the member left the group until it does"
    )]
    ListenerOverdue {
        /// How long it had.
        limit: Duration,
    },
    /// The coordinator answered with an error that has no meaning for this API, and that does not
    /// go away by itself.
    #[error("the coordinator answered {api} with {}", code)]
    Refused {
        /// Kafka's name of the API.
        api: &'static str,
        /// Kafka's error.
        code: ErrorCode,
    },
}

/// Why an offset was not committed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A rebalance is under way. Committing again after it succeeds for partitions that are still
    /// owned then. Mirrors Kafka's `RebalanceInProgressException`.
    #[error("a rebalance is under way: commit again when it is over")]
    RebalanceInProgress,
    /// The member lost its partitions before the offset was stored: whoever owns them now goes on
    /// from the last stored offset. Mirrors Kafka's `CommitFailedException`.
    #[error("the partition was taken away before the offset was stored: {reason}")]
    MembershipLost {
        /// What happened to the membership.
        reason: String,
    },
    /// The partition is not assigned to this member.
    #[error("the partition is not assigned to this member")]
    NotOwned,
    /// A newer member has taken over this one's `group.instance.id`.
    #[error("another member with the same group.instance.id has taken this one's place")]
    Fenced,
    /// The coordinator refused the offset.
    #[error("the coordinator answered OffsetCommit with {}", code)]
    Refused {
        /// Kafka's error.
        code: ErrorCode,
    },
    /// No answer came.
    #[error("the commit was not answered: {0}")]
    Unanswered(#[source] RequestFailure),
    /// The group cannot be reached for good.
    #[error(transparent)]
    Group(GroupError),
    /// The deadline passed.
    #[error("the commit did not finish in time: {waiting_for}")]
    TimedOut {
        /// What it was waiting for.
        waiting_for: String,
    },
}

impl CommitError {
    /// Whether the same commit may succeed when tried again, as long as the partition is owned.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::RebalanceInProgress | Self::TimedOut { .. } => true,
            Self::Refused { code } => code.is_retriable(),
            Self::Unanswered(failure) => failure.kind.is_retriable(),
            Self::MembershipLost { .. } | Self::NotOwned | Self::Fenced | Self::Group(_) => false,
        }
    }
}

/// Why a committed offset is not known.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OffsetFetchError {
    /// The coordinator refused to tell.
    #[error("the coordinator answered OffsetFetch with {}", code)]
    Refused {
        /// Kafka's error.
        code: ErrorCode,
    },
    /// The group cannot be reached for good.
    #[error(transparent)]
    Group(GroupError),
    /// The deadline passed.
    #[error("the committed offset was not told in time: {waiting_for}")]
    TimedOut {
        /// What it was waiting for.
        waiting_for: String,
    },
}

impl OffsetFetchError {
    /// Whether somebody has to grant something before asking again can succeed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { code } => *code == ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            Self::Group(error) => matches!(error, GroupError::GroupAuthorization { .. }),
            Self::TimedOut { .. } => false,
        }
    }

    /// Whether asking again may succeed.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { code } => code.is_retriable(),
            Self::TimedOut { .. } => true,
            Self::Group(_) => false,
        }
    }
}

impl GroupError {
    /// Whether the membership is over with it: the group will not have this member as it is, or
    /// somebody else has taken its place. An answer without a meaning for its API, a missing right,
    /// a full group, one broker that cannot be talked to: all of these may pass.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Fenced { .. }
            | Self::InconsistentProtocol { .. }
            | Self::InvalidSessionTimeout { .. }
            | Self::InvalidGroupId { .. }
            | Self::Assignment(_) => true,
            Self::Unsendable { failure, .. } => matches!(failure.kind, FailureKind::Unencodable),
            Self::GroupAuthorization { .. }
            | Self::GroupFull { .. }
            | Self::ListenerOverdue { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// What is to be sent has no room on the wire.
    pub(crate) fn unencodable(purpose: Purpose, error: &EncodeError) -> Self {
        Self::Unsendable {
            api: purpose.api(),
            failure: RequestFailure::new(FailureKind::Unencodable, error.to_string()),
        }
    }

    /// The meaning that an error has in every group API, if it is one that ends a membership.
    pub(crate) fn from_code(code: ErrorCode, config: &crate::GroupConfig) -> Option<Self> {
        let group = config.group_id.clone();
        match code {
            ErrorCode::GROUP_AUTHORIZATION_FAILED => Some(Self::GroupAuthorization { group }),
            ErrorCode::FENCED_INSTANCE_ID => Some(Self::Fenced {
                instance_id: config.group_instance_id.clone(),
            }),
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL => Some(Self::InconsistentProtocol {
                group,
                detail: "INCONSISTENT_GROUP_PROTOCOL".to_owned(),
            }),
            ErrorCode::INVALID_SESSION_TIMEOUT => Some(Self::InvalidSessionTimeout {
                session_timeout: config.session_timeout,
            }),
            ErrorCode::INVALID_GROUP_ID => Some(Self::InvalidGroupId { group }),
            ErrorCode::GROUP_MAX_SIZE_REACHED => Some(Self::GroupFull { group }),
            _ => None,
        }
    }
}
