//! How many bytes may be asked for.

use std::collections::BTreeMap;

use windlass_machine::RequestId;

/// The byte budget of all partitions: what waits to be handed out, and what has been asked for.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    limit: usize,
    buffered: usize,
    reserved: BTreeMap<RequestId, usize>,
}

impl Budget {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            buffered: 0,
            reserved: BTreeMap::new(),
        }
    }

    pub(crate) const fn buffered(&self) -> usize {
        self.buffered
    }

    /// Bytes that may still be asked for.
    pub(crate) fn available(&self) -> usize {
        let reserved: usize = self.reserved.values().sum();
        self.limit
            .saturating_sub(self.buffered)
            .saturating_sub(reserved)
    }

    /// Whether nothing waits and nothing has been asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.buffered == 0 && self.reserved.is_empty()
    }

    /// So much has been asked for.
    pub(crate) fn reserve(&mut self, request: RequestId, bytes: usize) {
        self.reserved.insert(request, bytes);
    }

    /// Part of what was asked for has come, and waits.
    pub(crate) fn arrived(&mut self, request: RequestId, bytes: usize) {
        self.buffered += bytes;
        if let Some(reserved) = self.reserved.get_mut(&request) {
            *reserved = reserved.saturating_sub(bytes);
        }
    }

    /// Nothing more will come of this request.
    pub(crate) fn finished(&mut self, request: RequestId) {
        self.reserved.remove(&request);
    }

    /// Bytes do not wait any more: handed out or thrown away.
    pub(crate) const fn released(&mut self, bytes: usize) {
        self.buffered = self.buffered.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_moves_from_reserved_to_buffered() {
        let mut budget = Budget::new(100);
        budget.reserve(RequestId(1), 60);
        assert_eq!(budget.available(), 40);
        budget.arrived(RequestId(1), 50);
        assert_eq!(budget.available(), 40);
        budget.finished(RequestId(1));
        assert_eq!(budget.available(), 50);
        budget.released(50);
        assert!(budget.is_idle());
        assert_eq!(budget.available(), 100);
    }
}
