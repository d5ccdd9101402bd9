//! What became of the members' claims.

use std::fmt;

/// How many claims on partitions a sticky strategy met, by what became of each. Each list entry of
/// each member is one claim; the fields add up to the number of claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimCount {
    /// Taken as the truth.
    pub valid: u64,
    /// Beaten by a claim of a later generation.
    pub stale: u64,
    /// Cancelled, because another member claims the partition in the same generation.
    pub cancelled: u64,
    /// On topics that do not exist (any more).
    pub unknown_topic: u64,
    /// On partitions that their topic does not have.
    pub out_of_range: u64,
    /// On topics that the member is not subscribed to (any more).
    pub not_subscribed: u64,
    /// Said twice by one member.
    pub repeated: u64,
    /// Members whose user data could not be read; whatever claims it held are lost.
    pub unreadable_user_data: u64,
}

impl ClaimCount {
    /// How many claims were not taken as the truth.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.stale
            + self.cancelled
            + self.unknown_topic
            + self.out_of_range
            + self.not_subscribed
            + self.repeated
    }
}

impl fmt::Display for ClaimCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} claims valid", self.valid)?;
        for (count, what) in [
            (self.stale, "stale"),
            (
                self.cancelled,
                "cancelled by another of the same generation",
            ),
            (self.unknown_topic, "on unknown topics"),
            (self.out_of_range, "on partitions that do not exist"),
            (self.not_subscribed, "on topics not subscribed to"),
            (self.repeated, "repeated"),
            (
                self.unreadable_user_data,
                "members with unreadable user data",
            ),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
