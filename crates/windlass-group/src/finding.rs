//! What an answer means for the membership, whichever request it is to.

use crate::GroupError;
use crate::identity::Reset;

/// What an answer of the coordinator means for the membership, and why, in words.
#[derive(Debug)]
pub(crate) enum Finding {
    /// The coordinator is gone, or is none.
    CoordinatorLost(String),
    /// The group is moving on to another generation.
    Rebalance(String),
    /// The member has to join again, as soon as the rebalance it is in is over.
    Rejoin(String),
    /// The coordinator does not accept the member as it is.
    Reset(Reset, String),
    /// The membership is over.
    Over(GroupError),
}
