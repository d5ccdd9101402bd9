//! What is written to the cluster, over a connection as any client has one.

use windlass::TopicPartition;
use windlass::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use windlass::protocol::messages::end_txn::EndTxnRequest;
use windlass::protocol::messages::init_producer_id::InitProducerIdRequest;
use windlass::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use windlass::protocol::records::{Compression, RecordBatchBuilder};
use windlass::protocol::{RequestKind, ResponseHeader, ResponseKind};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Scene;

impl Scene {
    /// Appends records with these values, as one batch.
    pub async fn produce(&self, topic: &str, partition: i32, values: &[String]) {
        let builder = RecordBatchBuilder::new();
        self.append(topic, partition, values, builder, None).await;
    }

    /// Appends them as one compressed batch.
    pub async fn produce_compressed(
        &self,
        topic: &str,
        partition: i32,
        values: &[String],
        compression: Compression,
    ) {
        let builder = RecordBatchBuilder::new().compression(compression);
        self.append(topic, partition, values, builder, None).await;
    }

    /// Appends `count` records to each partition, with values that name partition and offset.
    pub async fn fill(&self, topic: &str, partitions: i32, count: i32) {
        for partition in 0..partitions {
            let values: Vec<String> = (0..count)
                .map(|offset| format!("{partition}:{offset}"))
                .collect();
            self.produce(topic, partition, &values).await;
        }
    }

    /// Appends one record in a transaction of its own, which is then committed or aborted.
    pub async fn transact(&self, to: &TopicPartition, value: &str, committed: bool) {
        let name = "a transaction".to_owned();
        let init = InitProducerIdRequest {
            transactional_id: Some(name.clone()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
        };
        let ResponseKind::InitProducerId(producer) = self.ask(1, 4, init).await else {
            panic!("another answer than asked for");
        };
        assert!(producer.error_code.is_none(), "{producer:?}");
        let (id, epoch) = (producer.producer_id, producer.producer_epoch);
        let add = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: name.clone(),
            v3_and_below_producer_id: id,
            v3_and_below_producer_epoch: epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: to.topic.to_string(),
                partitions: vec![to.partition],
            }],
        };
        self.ask(1, 3, add).await;
        let builder = RecordBatchBuilder::new()
            .producer(id, epoch, 0)
            .transactional();
        let values = [value.to_owned()];
        self.append(
            to.topic.as_str(),
            to.partition,
            &values,
            builder,
            Some(name.clone()),
        )
        .await;
        let end = EndTxnRequest {
            transactional_id: name,
            producer_id: id,
            producer_epoch: epoch,
            committed,
        };
        let ResponseKind::EndTxn(ended) = self.ask(1, 3, end).await else {
            panic!("another answer than asked for");
        };
        assert!(ended.error_code.is_none(), "{ended:?}");
    }

    async fn append(
        &self,
        topic: &str,
        partition: i32,
        values: &[String],
        mut builder: RecordBatchBuilder,
        transactional_id: Option<String>,
    ) {
        for (timestamp, value) in (1_000..).zip(values) {
            builder
                .append(timestamp, None, Some(value.as_bytes()), &[])
                .unwrap_or_else(|error| panic!("{value:?} makes no record: {error}"));
        }
        let batch = builder
            .build()
            .unwrap_or_else(|error| panic!("no batch: {error}"));
        let bytes = batch.bytes().clone();
        self.append_bytes(topic, partition, bytes, transactional_id)
            .await;
    }

    /// Appends a batch of so many records whose checksum is right, and that cannot be unpacked.
    pub async fn produce_unreadable(&self, topic: &str, partition: i32, count: i32) {
        let mut builder = RecordBatchBuilder::new().compression(Compression::Lz4);
        for offset in 0..count {
            let value = format!("{partition}:{offset}");
            builder
                .append(1_000, None, Some(value.as_bytes()), &[])
                .unwrap_or_else(|error| panic!("{value:?} makes no record: {error}"));
        }
        let batch = builder
            .build()
            .unwrap_or_else(|error| panic!("no batch: {error}"));
        let mut bytes = batch.bytes().to_vec();
        // What is packed lies behind the 61 bytes of the header.
        for byte in bytes.iter_mut().skip(61) {
            *byte ^= 0xa5;
        }
        let crc = crc32c(bytes.get(21..).unwrap_or_default());
        if let Some(field) = bytes.get_mut(17..21) {
            field.copy_from_slice(&crc.to_be_bytes());
        }
        self.append_bytes(topic, partition, bytes.into(), None)
            .await;
    }

    async fn append_bytes(
        &self,
        topic: &str,
        partition: i32,
        batch: Bytes,
        transactional_id: Option<String>,
    ) {
        let request = ProduceRequest {
            transactional_id,
            acks: -1,
            timeout_ms: 1_000,
            topic_data: vec![TopicProduceData {
                name: topic.to_owned(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(batch),
                }],
                ..TopicProduceData::default()
            }],
        };
        let name = topic.to_owned();
        let leader = self
            .cluster
            .with_core(move |core, _| core.leader(&name, partition));
        let leader = leader.await.flatten();
        let leader = leader.unwrap_or_else(|| panic!("nobody leads {topic}-{partition}"));
        let ResponseKind::Produce(answer) = self.ask(leader.0, 9, request).await else {
            panic!("another answer than asked for");
        };
        let mut answers = answer.responses.iter();
        let appended = answers.any(|topic| {
            let mut partitions = topic.partition_responses.iter();
            partitions.any(|one| one.error_code.is_none())
        });
        assert!(appended, "{topic}-{partition}: {answer:?}");
    }

    /// One question to a node, and its answer.
    async fn ask(&self, node: i32, version: i16, request: impl Into<RequestKind>) -> ResponseKind {
        let request = request.into();
        let key = request.api_key();
        let mut frame = BytesMut::new();
        request
            .encode_frame(version, 1, Some("a test"), &mut frame)
            .unwrap_or_else(|error| panic!("{error}"));
        let mut pipe = self.cluster.connect(node);
        let answer = async {
            pipe.write_all(&frame).await?;
            let mut answer = vec![0; usize::try_from(pipe.read_i32().await?).unwrap_or(0)];
            pipe.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = answer
            .await
            .unwrap_or_else(|error| panic!("node {node} does not answer: {error}"));
        ResponseHeader::decode(key, version, &answer)
            .and_then(|(_, body)| ResponseKind::decode(key, version, body))
            .unwrap_or_else(|error| panic!("node {node} answers nonsense: {error}"))
    }
}

/// The checksum of a batch (CRC-32C), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| match crc & 1 {
        1 => (crc >> 1) ^ 0x82f6_3b78,
        _ => crc >> 1,
    };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), step);
    !bytes.iter().fold(!0, byte)
}
