//! What the machine counts.

/// Counts since the machine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answers that came after the question had been given up.
    pub late_answers: u64,
    /// Parts of Fetch responses for partitions that had moved on meanwhile.
    pub stale_parts: u64,
    /// Fetch requests sent.
    pub fetches: u64,
    /// Batches left out because their transaction was aborted.
    pub aborted_batches: u64,
}
