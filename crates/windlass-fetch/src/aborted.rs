//! Leaving out the records of aborted transactions.

use std::collections::{BTreeSet, VecDeque};

use windlass_protocol::fetch_response::AbortedTransaction;
use windlass_protocol::records::{BatchHeader, ControlRecordType};

/// What a Fetch response said of aborted transactions in one partition, walked along with its
/// batches.
#[derive(Clone, Debug, Default)]
pub(crate) struct AbortedTransactions {
    to_come: VecDeque<AbortedTransaction>,
    producers: BTreeSet<i64>,
}

impl AbortedTransactions {
    /// Brokers other than Apache Kafka do not sort the list.
    pub(crate) fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_by_key(|transaction| transaction.first_offset);
        Self {
            to_come: aborted.into(),
            producers: BTreeSet::new(),
        }
    }

    /// Whether the batch belongs to an aborted transaction.
    pub(crate) fn covers(&mut self, header: &BatchHeader) -> bool {
        self.advance(header.last_offset());
        header.is_transactional && self.producers.contains(&header.producer_id)
    }

    /// The producer's transaction ended here.
    pub(crate) fn end(&mut self, header: &BatchHeader, kind: ControlRecordType) {
        self.advance(header.last_offset());
        if kind == ControlRecordType::Abort {
            self.producers.remove(&header.producer_id);
        }
    }

    fn advance(&mut self, offset: i64) {
        while let Some(next) = self.to_come.front()
            && next.first_offset <= offset
        {
            self.producers.insert(next.producer_id);
            self.to_come.pop_front();
        }
    }
}
