//! How far a partition is on its way to being read.

use std::fmt;

/// What stands between an assigned partition and its records. Mirrors the fetch states of Kafka's
/// `SubscriptionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Standing {
    /// A committed offset will be told.
    Awaiting,
    /// The leader is asked where the log begins or ends.
    Resetting,
    /// The leader changed, and is asked whether it has what was read (KIP-320).
    Validating,
    /// Nothing.
    Fetching,
    /// The position cannot be read from, and only the application can say where to go.
    Failed,
    /// There is no position, and only the application can say where to begin.
    Nowhere,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Awaiting,
        Self::Resetting,
        Self::Validating,
        Self::Fetching,
        Self::Failed,
        Self::Nowhere,
    ];

    /// From where a partition may come here. A seek leads back to `Awaiting`, and on from there in
    /// the same breath.
    #[must_use]
    pub const fn allowed_predecessors(self) -> &'static [Self] {
        match self {
            Self::Awaiting => &Self::ALL,
            Self::Resetting => &[Self::Awaiting, Self::Validating, Self::Fetching],
            Self::Validating => &[Self::Awaiting, Self::Fetching],
            Self::Fetching => &[Self::Awaiting, Self::Resetting, Self::Validating],
            Self::Failed => &[Self::Validating, Self::Fetching],
            Self::Nowhere => &[Self::Awaiting],
        }
    }

    /// Whether there is an offset that will be read next.
    #[must_use]
    pub const fn has_position(self) -> bool {
        match self {
            Self::Validating | Self::Fetching | Self::Failed => true,
            Self::Awaiting | Self::Resetting | Self::Nowhere => false,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Awaiting => "awaiting a committed offset",
            Self::Resetting => "looking up where to begin",
            Self::Validating => "asking the leader whether it has what was read",
            Self::Fetching => "fetching",
            Self::Failed => "waiting for a seek, since the position cannot be read from",
            Self::Nowhere => "waiting for a seek, since there is no position",
        })
    }
}
