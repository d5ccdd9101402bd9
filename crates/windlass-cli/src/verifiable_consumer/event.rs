//! The events, as Kafka's `VerifiableConsumer` writes them: one JSON object a line.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use windlass::{Record, TopicPartition};

use crate::failure::Failure;
use crate::output;

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(super) enum Event {
    StartupComplete,
    ShutdownRequested,
    ShutdownComplete,
    PartitionsAssigned {
        partitions: Vec<PartitionData>,
    },
    PartitionsRevoked {
        partitions: Vec<PartitionData>,
    },
    RecordsConsumed {
        count: i64,
        partitions: Vec<RecordSetSummary>,
    },
    RecordData {
        key: Option<String>,
        value: Option<String>,
        topic: String,
        partition: i32,
        offset: i64,
    },
    OffsetsCommitted {
        offsets: Vec<CommitData>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        success: bool,
    },
}

impl Event {
    pub(super) fn record_data(record: &Record<'_>) -> Self {
        let text =
            |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Self::RecordData {
            key: text(record.key()),
            value: text(record.value()),
            topic: record.topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct PartitionData {
    topic: String,
    partition: i32,
}

impl PartitionData {
    pub(super) fn new(partition: &TopicPartition) -> Self {
        Self {
            topic: partition.topic.to_string(),
            partition: partition.partition,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct CommitData {
    #[serde(flatten)]
    partition: PartitionData,
    offset: i64,
}

impl CommitData {
    pub(super) fn new(partition: &TopicPartition, offset: i64) -> Self {
        Self {
            partition: PartitionData::new(partition),
            offset,
        }
    }
}

/// The records of one partition in one poll.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordSetSummary {
    #[serde(flatten)]
    partition: PartitionData,
    count: i64,
    min_offset: i64,
    max_offset: i64,
}

impl RecordSetSummary {
    pub(super) fn new(partition: &TopicPartition, offset: i64) -> Self {
        Self {
            partition: PartitionData::new(partition),
            count: 1,
            min_offset: offset,
            max_offset: offset,
        }
    }

    pub(super) const fn extend(&mut self, offset: i64) {
        self.count += 1;
        self.max_offset = offset;
    }

    pub(super) const fn next_offset(&self) -> i64 {
        self.max_offset + 1
    }
}

/// An event and when it happened, timestamp first as Kafka writes it.
#[derive(Serialize)]
struct Stamped<'a> {
    timestamp: u64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes the event to standard output at once: whoever drives the program reads line by line.
pub(super) fn print(event: &Event) -> Result<(), Failure> {
    output::line(&line(event, milliseconds()))
}

fn line(event: &Event, timestamp: u64) -> String {
    serde_json::to_string(&Stamped { timestamp, event })
        .unwrap_or_else(|error| format!("Bad data can't be written as json: {error}"))
}

fn milliseconds() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_kafkas_fields() {
        let orders = TopicPartition::new("orders", 1);
        assert_eq!(
            line(&Event::StartupComplete, 7),
            r#"{"timestamp":7,"name":"startup_complete"}"#
        );
        let mut summary = RecordSetSummary::new(&orders, 5);
        summary.extend(9);
        assert_eq!(
            line(
                &Event::RecordsConsumed {
                    count: 2,
                    partitions: vec![summary]
                },
                7
            ),
            r#"{"timestamp":7,"name":"records_consumed","count":2,"partitions":[{"topic":"orders","partition":1,"count":2,"minOffset":5,"maxOffset":9}]}"#
        );
        let committed = Event::OffsetsCommitted {
            offsets: vec![CommitData::new(&orders, 10)],
            error: None,
            success: true,
        };
        assert_eq!(
            line(&committed, 7),
            r#"{"timestamp":7,"name":"offsets_committed","offsets":[{"topic":"orders","partition":1,"offset":10}],"success":true}"#
        );
    }
}
