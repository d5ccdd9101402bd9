//! Requests under way, and until when each is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use windlass_machine::RequestId;

/// How long after its deadline a request is still waited for. The transport keeps deadlines itself and says
/// what happened: only a request that got lost there lives so long. It counts from when the driver
/// looked, for a runtime that was starved has kept the transport from looking too.
const GRACE: Duration = Duration::from_secs(1);

/// Sees to it that no request is waited for without end.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    due: BTreeSet<(Instant, RequestId)>,
    awaited: BTreeMap<RequestId, Awaited>,
}

#[derive(Debug)]
struct Awaited {
    due: Instant,
    is_overdue: bool,
}

impl Deadlines {
    /// A request is on its way.
    pub(super) fn set(&mut self, id: RequestId, deadline: Instant) {
        self.wait(id, deadline, false);
    }

    /// A request that is on its way has another deadline.
    pub(super) fn postpone(&mut self, id: RequestId, deadline: Instant) {
        if self.awaited.contains_key(&id) {
            self.wait(id, deadline, false);
        }
    }

    /// An answer came. Says whether it was still waited for.
    pub(super) fn settle(&mut self, id: RequestId) -> bool {
        let awaited = self.awaited.remove(&id);
        if let Some(awaited) = &awaited {
            self.due.remove(&(awaited.due, id));
        }
        awaited.is_some()
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A request that is not waited for any longer.
    pub(super) fn expired(&mut self, now: Instant) -> Option<RequestId> {
        while let Some((due, id)) = self.due.first().copied()
            && due <= now
        {
            if self.awaited.get(&id).is_none_or(|one| one.is_overdue) {
                self.settle(id);
                return Some(id);
            }
            self.wait(id, now + GRACE, true);
        }
        None
    }

    fn wait(&mut self, id: RequestId, due: Instant, is_overdue: bool) {
        self.settle(id);
        self.due.insert((due, id));
        self.awaited.insert(id, Awaited { due, is_overdue });
    }
}

#[cfg(test)]
mod tests {
    use windlass_machine::RequestOwner;

    use super::*;

    const ID: RequestId = RequestId::new(RequestOwner::Group, 1);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_request_is_given_up_a_little_after_its_deadline() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(ID, start + SECOND);
        assert_eq!(deadlines.next(), Some(start + SECOND));
        assert_eq!(deadlines.expired(start), None);
        // However late somebody looks, the transport has time to say what it knows.
        let looked = start + 60 * SECOND;
        assert_eq!(deadlines.expired(looked), None);
        assert_eq!(deadlines.next(), Some(looked + GRACE));
        assert_eq!(deadlines.expired(looked + GRACE), Some(ID));
        assert!(!deadlines.settle(ID), "its answer comes too late");
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_new_deadline_counts_and_an_answer_ends_the_wait() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(ID, start + SECOND);
        deadlines.postpone(ID, start + 5 * SECOND);
        assert_eq!(deadlines.expired(start + 4 * SECOND), None);
        assert_eq!(deadlines.next(), Some(start + 5 * SECOND));
        assert!(deadlines.settle(ID));
        deadlines.postpone(ID, start + 9 * SECOND);
        assert_eq!(deadlines.next(), None);
    }
}
