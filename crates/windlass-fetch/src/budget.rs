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

    /// How much one of so many brokers may be asked for: its share, or what is left of it. A broker
    /// with nothing to send holds its fetch for `max_wait`, and must not keep the others from theirs
    /// meanwhile. Nothing where less than `least` is left, since a fetch for next to nothing is not
    /// worth its while. But when nothing can be handed out and nothing is on its way, `least` may be
    /// asked for anyhow: nobody would ever release what is missing.
    pub(crate) fn share(&self, brokers: usize, least: usize, may_wait: bool) -> Option<usize> {
        let share = (self.limit / brokers.max(1)).max(1);
        let least = least.clamp(1, share);
        let available = self.available();
        if available >= least {
            return Some(available.min(share));
        }
        (self.reserved.is_empty() && !may_wait).then_some(least)
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

    /// What was released before waits again.
    pub(crate) const fn returned(&mut self, bytes: usize) {
        self.buffered += bytes;
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
    use windlass_machine::RequestOwner;

    use super::*;

    const fn request(number: u64) -> RequestId {
        RequestId::new(RequestOwner::Fetch, number)
    }

    #[test]
    fn what_arrives_moves_from_reserved_to_buffered() {
        let mut budget = Budget::new(100);
        budget.reserve(request(1), 60);
        assert_eq!(budget.available(), 40);
        budget.arrived(request(1), 50);
        assert_eq!(budget.available(), 40);
        budget.finished(request(1));
        assert_eq!(budget.available(), 50);
        budget.released(50);
        assert_eq!((budget.available(), budget.buffered()), (100, 0));
    }

    #[test]
    fn brokers_share_what_there_is() {
        let mut budget = Budget::new(90);
        assert_eq!(budget.share(3, 10, true), Some(30));
        assert_eq!(budget.share(45, 10, true), Some(2));
        budget.reserve(request(1), 75);
        assert_eq!(budget.share(3, 10, true), Some(15));
        budget.reserve(request(2), 10);
        assert_eq!(budget.share(3, 10, true), None);
        assert_eq!(budget.share(3, 10, false), None);
    }

    #[test]
    fn what_cannot_be_handed_out_does_not_stop_everything() {
        let mut budget = Budget::new(90);
        budget.reserve(request(1), 90);
        budget.arrived(request(1), 95);
        budget.finished(request(1));
        assert_eq!(budget.share(1, 10, true), None);
        assert_eq!(budget.share(1, 10, false), Some(10));
    }
}
