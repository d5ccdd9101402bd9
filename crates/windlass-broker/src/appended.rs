//! What becomes of what producers send.

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The records are in the log, from this offset on.
    At(i64),
    /// They were there already, from this offset on.
    Duplicate(i64),
    /// The producer's sequence has a gap.
    OutOfSequence,
    /// A newer incarnation of the producer is known.
    FencedProducer,
}
