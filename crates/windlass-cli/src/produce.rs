//! `windlass produce`: lines to records. A tool for trying things out, not a producer library.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep_until};
use windlass::TopicPartition;
use windlass::machine::Destination;
use windlass::model::NodeId;
use windlass::protocol::ResponseKind;
use windlass::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, TopicProduceData,
};
use windlass::protocol::records::RecordBatchBuilder;

use crate::admin::{Admin, check};
use crate::arguments::ProduceArguments;
use crate::failure::Failure;

/// Lines that are sent in one go, at most.
const BATCH: usize = 500;

/// Bytes of lines from which on they are sent: brokers take batches of a mebibyte by default.
const BATCH_BYTES: usize = 512 * 1024;

/// How long the first line waits for others to be sent with it.
const LINGER: Duration = Duration::from_millis(50);

pub(crate) async fn run(arguments: ProduceArguments) -> Result<(), Failure> {
    let mut sender =
        Sender::new(&arguments.bootstrap, &arguments.topic, arguments.partition).await?;
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    let mut pending = Vec::new();
    let mut bytes = 0;
    let mut due = Instant::now();
    loop {
        let is_over = tokio::select! {
            // What was read of a line stays when the time is up before its end.
            read = input.read_until(b'\n', &mut line) => {
                let is_over = read? == 0;
                if !is_over {
                    let text = without_end(&line);
                    let split = match Line::split(text, arguments.key_separator.as_deref()) {
                        Ok(split) => split,
                        Err(failure) => {
                            sender.send(pending).await?;
                            return Err(failure);
                        }
                    };
                    if pending.is_empty() {
                        due = Instant::now() + LINGER;
                    }
                    bytes += text.len();
                    pending.push(split);
                    line.clear();
                    if pending.len() < BATCH && bytes < BATCH_BYTES {
                        continue;
                    }
                }
                is_over
            }
            () = sleep_until(due), if !pending.is_empty() => false,
        };
        sender.send(std::mem::take(&mut pending)).await?;
        bytes = 0;
        if is_over {
            return Ok(());
        }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A record to be.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
}

impl Line {
    fn split(line: &[u8], separator: Option<&str>) -> Result<Self, Failure> {
        let Some(separator) = separator else {
            return Ok(Self {
                key: None,
                value: line.to_vec(),
            });
        };
        let separator = separator.as_bytes();
        let found = (0..line.len()).find(|at| {
            line.get(*at..)
                .is_some_and(|rest| rest.starts_with(separator))
        });
        let (key, rest) = found
            .and_then(|at| line.split_at_checked(at))
            .ok_or_else(|| {
                Failure::new(format!(
                    "a line without the key separator {:?}: {:?}",
                    String::from_utf8_lossy(separator),
                    String::from_utf8_lossy(line)
                ))
            })?;
        Ok(Self {
            key: Some(key.to_vec()),
            value: rest.get(separator.len()..).unwrap_or_default().to_vec(),
        })
    }
}

/// Sends records to one topic and waits for each acknowledgement.
pub(crate) struct Sender {
    admin: Admin,
    topic: String,
    fixed: Option<i32>,
    leaders: BTreeMap<TopicPartition, NodeId>,
    next: i32,
}

impl Sender {
    pub(crate) async fn new(
        bootstrap: &str,
        topic: &str,
        fixed: Option<i32>,
    ) -> Result<Self, Failure> {
        let mut admin = Admin::new(bootstrap)?;
        let leaders = admin.leaders(topic, true).await?;
        if let Some(partition) = fixed
            && !leaders.contains_key(&TopicPartition::new(topic, partition))
        {
            return Err(Failure::usage(format!(
                "{topic} has {} partitions, no partition {partition}",
                leaders.len()
            )));
        }
        Ok(Self {
            admin,
            topic: topic.to_owned(),
            fixed,
            leaders,
            next: 0,
        })
    }

    /// Sends these records, and comes back when every leader has them.
    pub(crate) async fn send(&mut self, lines: Vec<Line>) -> Result<(), Failure> {
        let mut by_partition: BTreeMap<i32, RecordBatchBuilder> = BTreeMap::new();
        let timestamp = milliseconds();
        for line in lines {
            let partition = self.partition_of(line.key.as_deref());
            by_partition
                .entry(partition)
                .or_default()
                .append(timestamp, line.key.as_deref(), Some(&line.value), &[])
                .map_err(|error| Failure::new(error.to_string()))?;
        }
        for (partition, builder) in by_partition {
            let batch = builder
                .build()
                .map_err(|error| Failure::new(error.to_string()))?;
            self.send_batch(partition, batch.bytes().clone()).await?;
        }
        Ok(())
    }

    async fn send_batch(&mut self, partition: i32, records: bytes::Bytes) -> Result<(), Failure> {
        let target = TopicPartition::new(self.topic.as_str(), partition);
        for attempt in 0..10_u64 {
            let leader = self.leaders.get(&target).copied().unwrap_or(NodeId(-1));
            match self.try_batch(leader, partition, records.clone()).await {
                Ok(code) if code.is_none() => return Ok(()),
                Ok(code) if !code.is_retriable() => return check(&target.to_string(), code),
                Ok(_) | Err(_) => {
                    // A leader that moved or died: look where it is now.
                    tokio::time::sleep(Duration::from_millis(50 << attempt.min(5))).await;
                    if let Ok(leaders) = self.admin.leaders(&self.topic, true).await {
                        self.leaders = leaders;
                    }
                }
            }
        }
        Err(Failure::new(format!(
            "{target} has had no leader that takes records for some time"
        )))
    }

    async fn try_batch(
        &mut self,
        leader: NodeId,
        partition: i32,
        records: bytes::Bytes,
    ) -> Result<windlass::protocol::ErrorCode, Failure> {
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: self.topic.clone(),
                partition_data: vec![PartitionProduceData {
                    index: partition,
                    records: Some(records),
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        // Version 13 names topics by id, which a tool that knows names has no need of.
        let ResponseKind::Produce(response) = self
            .admin
            .ask_up_to(Destination::Node(leader), request, Some(12))
            .await?
        else {
            return Err(Failure::new(
                "a broker answered with something that is no acknowledgement",
            ));
        };
        let answer = response
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first());
        answer
            .map(|partition| partition.error_code)
            .ok_or_else(|| Failure::new("a broker acknowledged nothing"))
    }

    fn partition_of(&mut self, key: Option<&[u8]>) -> i32 {
        if let Some(partition) = self.fixed {
            return partition;
        }
        let count = i32::try_from(self.leaders.len()).unwrap_or(i32::MAX).max(1);
        match key {
            Some(key) => (murmur2(key) & i32::MAX) % count,
            None => {
                self.next = (self.next + 1) % count;
                self.next
            }
        }
    }
}

fn milliseconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Austin Appleby's MurmurHash2 with the seed that Kafka's default partitioner uses, so that a key
/// goes where Kafka's own producer would send it.
fn murmur2(data: &[u8]) -> i32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word
            .iter()
            .rev()
            .fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        k = k.wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ k.wrapping_mul(MULTIPLIER);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        hash ^= tail
            .iter()
            .rev()
            .fold(0_u32, |k, byte| (k << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    (hash ^ (hash >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_kafka_hashes_them() {
        // From the vectors in Kafka's own test of its hash.
        assert_eq!(murmur2(b"21"), -973_932_308);
        assert_eq!(murmur2(b"foobar"), -790_332_482);
        assert_eq!(murmur2(b"a-little-bit-long-string"), -985_981_536);
        assert_eq!(murmur2(b"abc"), 479_470_107);
    }

    #[test]
    fn lines_split_into_key_and_value() {
        let line = Line::split(b"a:b:c", Some(":")).unwrap();
        assert_eq!(line.key.as_deref(), Some(&b"a"[..]));
        assert_eq!(line.value, b"b:c");
        assert!(Line::split(b"abc", Some(":")).is_err());
        let bytes = Line::split(b"\xff::\xfe", Some("::")).unwrap();
        assert_eq!(bytes.key.as_deref(), Some(&b"\xff"[..]));
        assert_eq!(bytes.value, b"\xfe");
        assert_eq!(without_end(b"a\r\n"), b"a");
        assert_eq!(without_end(b"\n"), b"");
    }
}
