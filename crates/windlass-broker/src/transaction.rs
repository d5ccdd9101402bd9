//! Producers and their transactions: InitProducerId, AddPartitionsToTxn, EndTxn.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_model::NodeId;
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
    /// What the open transaction writes to; nothing while none is open.
    partitions: BTreeSet<(String, i32)>,
    /// How the last one ended: whether it was committed.
    last_committed: Option<bool>,
}

/// All transactional producers, by their transactional id.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    next_producer_id: i64,
}

impl Transactions {
    /// Whether the producer may write to the partition under its transactional id.
    pub(crate) fn check(
        &self,
        transactional_id: &str,
        (topic, partition): (&str, i32),
        (producer_id, producer_epoch): (i64, i16),
    ) -> Result<(), ErrorCode> {
        let Some(transaction) = self.by_id.get(transactional_id) else {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        };
        if transaction.producer_id != producer_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if transaction.producer_epoch != producer_epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        let added = transaction
            .partitions
            .contains(&(topic.to_owned(), partition));
        added.then_some(()).ok_or(ErrorCode::INVALID_TXN_STATE)
    }

    const fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }
}

impl ClusterCore {
    pub(crate) fn init_producer_id(
        &mut self,
        node: NodeId,
        request: &InitProducerIdRequest,
        now: Instant,
    ) -> InitProducerIdResponse {
        let result = match request.transactional_id.as_deref() {
            None => Ok((self.transactions.new_producer_id(), 0)),
            Some("") => Err(ErrorCode::INVALID_REQUEST),
            Some(id) => self.init_transactional(node, id, request, now),
        };
        let (error_code, (producer_id, producer_epoch)) = match result {
            Ok(producer) => (ErrorCode::NONE, producer),
            Err(code) => (code, (-1, -1)),
        };
        InitProducerIdResponse {
            error_code,
            producer_id,
            producer_epoch,
            ..InitProducerIdResponse::default()
        }
    }

    fn init_transactional(
        &mut self,
        node: NodeId,
        id: &str,
        request: &InitProducerIdRequest,
        now: Instant,
    ) -> Result<(i64, i16), ErrorCode> {
        self.check_coordinator(node, id)?;
        let timestamp = self.milliseconds(now);
        if let Some(known) = self.transactions.by_id.get_mut(id) {
            // Who names an identity wants to go on with it, and must be its last holder (KIP-360).
            let named = (request.producer_id, request.producer_epoch);
            if named.0 >= 0 && named != (known.producer_id, known.producer_epoch) {
                return Err(ErrorCode::PRODUCER_FENCED);
            }
            // Whoever held the id before is fenced, and what it left open is rolled back.
            known.producer_epoch += 1;
            self.finish(id, false, timestamp);
        } else {
            let producer_id = self.transactions.new_producer_id();
            self.transactions.by_id.insert(
                id.to_owned(),
                Transaction {
                    producer_id,
                    producer_epoch: 0,
                    partitions: BTreeSet::new(),
                    last_committed: None,
                },
            );
        }
        let transaction = self
            .transactions
            .by_id
            .get_mut(id)
            .ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        transaction.last_committed = None;
        Ok((transaction.producer_id, transaction.producer_epoch))
    }

    pub(crate) fn add_partitions_to_txn(
        &mut self,
        node: NodeId,
        request: AddPartitionsToTxnRequest,
    ) -> AddPartitionsToTxnResponse {
        let code = self.check_producer(
            node,
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

    pub(crate) fn end_txn(
        &mut self,
        node: NodeId,
        request: &EndTxnRequest,
        now: Instant,
    ) -> EndTxnResponse {
        let ended = self.try_end_txn(node, request, now);
        EndTxnResponse {
            error_code: ended.err().unwrap_or(ErrorCode::NONE),
            producer_id: request.producer_id,
            producer_epoch: request.producer_epoch,
            ..EndTxnResponse::default()
        }
    }

    fn try_end_txn(
        &mut self,
        node: NodeId,
        request: &EndTxnRequest,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let id = &request.transactional_id;
        self.check_producer(node, id, request.producer_id, request.producer_epoch)?;
        let transaction = self.transactions.by_id.get_mut(id);
        let transaction = transaction.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if transaction.partitions.is_empty() {
            // The answer to the same request may have been lost; anything else makes no sense.
            let repeated = transaction.last_committed == Some(request.committed);
            return repeated.then_some(()).ok_or(ErrorCode::INVALID_TXN_STATE);
        }
        transaction.last_committed = Some(request.committed);
        let timestamp = self.milliseconds(now);
        self.finish(id, request.committed, timestamp);
        Ok(())
    }

    fn check_producer(
        &self,
        node: NodeId,
        id: &str,
        producer_id: i64,
        producer_epoch: i16,
    ) -> Result<(), ErrorCode> {
        self.check_coordinator(node, id)?;
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
