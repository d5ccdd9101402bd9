//! What was dropped, and how often.

/// Things that are not errors but should be rare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupCounters {
    /// Answers, callbacks and assignments that came when nobody waited for them any more, or that
    /// were about a generation that has been replaced.
    pub late_answers: u64,
    /// Inputs that do not belong to the state that they reached.
    pub unexpected_inputs: u64,
    /// Subscriptions of other members that this one, as the leader, could not read.
    pub unreadable_subscriptions: u64,
}
