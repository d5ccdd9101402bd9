//! Producers and their transactions: InitProducerId, AddPartitionsToTxn, EndTxn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_protocol::ErrorCode;
use windlass_protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use windlass_protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use windlass_protocol::messages::init_producer_id::{
    InitProducerIdRequest, InitProducerIdResponse,
};

use crate::ClusterCore;

/// A transactional producer.
#[derive(Debug)]
struct Transaction {
    producer_id: i64,
    producer_epoch: i16,
    partitions: BTreeSet<(String, i32)>,
}

/// All transactional producers, by their transactional id.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    next_producer_id: i64,
}

impl Transactions {
    /// Whether the partition has been added to the producer's transaction.
    pub(crate) fn holds(&self, transactional_id: &str, topic: &str, partition: i32) -> bool {
        let transaction = self.by_id.get(transactional_id);
        transaction.is_some_and(|transaction| {
            transaction
                .partitions
                .contains(&(topic.to_owned(), partition))
        })
    }

    const fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }
}

impl ClusterCore {
    pub(crate) fn init_producer_id(
        &mut self,
        request: &InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        let answer = |producer_id, producer_epoch| InitProducerIdResponse {
            producer_id,
            producer_epoch,
            ..InitProducerIdResponse::default()
        };
        let Some(id) = request.transactional_id.clone().filter(|id| !id.is_empty()) else {
            return answer(self.transactions.new_producer_id(), 0);
        };
        // Whoever held the id before is fenced, and what it left open is rolled back.
        self.finish(&id, false, 0);
        let fresh = self.transactions.new_producer_id();
        let transaction = self
            .transactions
            .by_id
            .entry(id)
            .and_modify(|transaction| transaction.producer_epoch += 1)
            .or_insert(Transaction {
                producer_id: fresh,
                producer_epoch: 0,
                partitions: BTreeSet::new(),
            });
        answer(transaction.producer_id, transaction.producer_epoch)
    }

    pub(crate) fn add_partitions_to_txn(
        &mut self,
        request: AddPartitionsToTxnRequest,
    ) -> AddPartitionsToTxnResponse {
        let code = self.check_producer(
            &request.v3_and_below_transactional_id,
            request.v3_and_below_producer_id,
            request.v3_and_below_producer_epoch,
        );
        let mut results = Vec::new();
        for topic in request.v3_and_below_topics {
            let mut results_by_partition = Vec::new();
            for partition_index in topic.partitions {
                let exists = self
                    .topics
                    .partition_mut(&topic.name, partition_index)
                    .is_some();
                let partition_error_code = match code {
                    Err(code) => code,
                    Ok(()) if !exists => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    Ok(()) => {
                        if let Some(transaction) = self
                            .transactions
                            .by_id
                            .get_mut(&request.v3_and_below_transactional_id)
                        {
                            transaction
                                .partitions
                                .insert((topic.name.clone(), partition_index));
                        }
                        ErrorCode::NONE
                    }
                };
                results_by_partition.push(AddPartitionsToTxnPartitionResult {
                    partition_index,
                    partition_error_code,
                });
            }
            results.push(AddPartitionsToTxnTopicResult {
                name: topic.name,
                results_by_partition,
            });
        }
        AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: results,
            ..AddPartitionsToTxnResponse::default()
        }
    }

    pub(crate) fn end_txn(&mut self, request: &EndTxnRequest, now: Instant) -> EndTxnResponse {
        let checked = self.check_producer(
            &request.transactional_id,
            request.producer_id,
            request.producer_epoch,
        );
        let error_code = match checked {
            Err(code) => code,
            Ok(()) => {
                let timestamp = self.milliseconds(now);
                self.finish(&request.transactional_id, request.committed, timestamp);
                ErrorCode::NONE
            }
        };
        EndTxnResponse {
            error_code,
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            ..EndTxnResponse::default()
        }
    }

    fn check_producer(
        &self,
        id: &str,
        producer_id: i64,
        producer_epoch: i16,
    ) -> Result<(), ErrorCode> {
        let transaction = self
            .transactions
            .by_id
            .get(id)
            .ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if transaction.producer_id != producer_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if transaction.producer_epoch != producer_epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        Ok(())
    }

    /// Writes the markers of a transaction that ends.
    fn finish(&mut self, id: &str, commit: bool, timestamp: i64) {
        let Some(transaction) = self.transactions.by_id.get_mut(id) else {
            return;
        };
        let (producer_id, producer_epoch) = (transaction.producer_id, transaction.producer_epoch);
        for (topic, index) in std::mem::take(&mut transaction.partitions) {
            if let Some(partition) = self.topics.partition_mut(&topic, index) {
                let epoch = partition.leader_epoch;
                let ended = partition.log.end_transaction(
                    producer_id,
                    producer_epoch,
                    commit,
                    epoch,
                    timestamp,
                );
                debug_assert!(
                    ended.is_ok(),
                    "a marker at the end of a log has an offset in range"
                );
            }
        }
    }
}
