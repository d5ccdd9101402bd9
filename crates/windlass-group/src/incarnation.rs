//! Which coordinator an answer is of.

/// Which finding of a coordinator something belongs to. Losing the coordinator because of an answer
/// that an earlier one gave would make a healthy one be dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Incarnation(pub(crate) u64);
