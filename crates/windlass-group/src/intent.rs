//! How the application wants things done.

use std::time::Instant;

/// How a commit is treated when it does not succeed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitMode {
    /// Errors that may pass are waited out, up to the deadline. Mirrors `commitSync`.
    Sync {
        /// When to give up.
        deadline: Instant,
    },
    /// Sent once: an offset committed later must not be overtaken by a retry of an earlier one.
    /// Mirrors `commitAsync`.
    Async,
}

/// Whether the group is told that a member goes (KIP-1092, Kafka's
/// `CloseOptions.GroupMembershipOperation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaveMode {
    /// A dynamic member leaves, a static one stays until its session times out.
    #[default]
    Default,
    /// The member leaves, static or not.
    Leave,
    /// The member stays on the group's books until its session times out.
    Remain,
}

impl LeaveMode {
    /// Whether LeaveGroup is sent.
    pub(crate) const fn tells_the_group(self, is_static: bool) -> bool {
        match self {
            Self::Default => !is_static,
            Self::Leave => true,
            Self::Remain => false,
        }
    }
}
