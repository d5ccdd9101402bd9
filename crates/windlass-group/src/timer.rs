//! Every reason the machine has to wake up.

/// The deadlines of the machine, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GroupTimer {
    /// The next heartbeat is due.
    Heartbeat,
    /// The coordinator has not answered for a whole session timeout.
    SessionExpiry,
    /// The application has stayed away from polling too long.
    PollInterval,
    /// The application has stayed away from polling for most of the time that it has.
    PollWarning,
    /// The application has taken too long with a callback.
    CallbackDeadline,
    /// Join (or sync) again after a failure.
    JoinRetry,
    /// The leader stops waiting for metadata and assigns what it knows.
    MetadataDeadline,
    /// A strategy has taken too long with an assignment.
    AssignmentDeadline,
    /// The leader calls for the round that somebody else should have called for.
    SecondRound,
    /// Leaving ends, however far it got.
    LeaveDeadline,
    /// Look for the coordinator again after a failure.
    CoordinatorRetry,
    /// Commit again after a failure.
    CommitRetry,
    /// The earliest deadline of a commit.
    CommitDeadline,
    /// Fetch offsets again after a failure.
    OffsetFetchRetry,
    /// The earliest deadline of an offset fetch.
    OffsetFetchDeadline,
}

impl GroupTimer {
    /// What is due, in words.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat is due",
            Self::SessionExpiry => "session expires",
            Self::PollInterval => "application has not polled for too long",
            Self::PollWarning => "application has not polled for long",
            Self::SecondRound => "partitions are still without an owner",
            Self::AssignmentDeadline => "assignment takes too long",
            Self::CallbackDeadline => "callback takes too long",
            Self::JoinRetry => "join is tried again",
            Self::MetadataDeadline => "leader stops waiting for metadata",
            Self::LeaveDeadline => "leaving ends",
            Self::CoordinatorRetry => "coordinator is looked for again",
            Self::CommitRetry => "commit is tried again",
            Self::CommitDeadline => "commit times out",
            Self::OffsetFetchRetry => "offset fetch is tried again",
            Self::OffsetFetchDeadline => "offset fetch times out",
        }
    }
}
