//! The events of Kafka's `VerifiableConsumer`, read from their lines of JSON.

use serde::Deserialize;

/// An event and when it happened.
#[derive(Clone, Debug, Deserialize)]
pub struct Stamped {
    /// Milliseconds since 1970, by the clock of the machine, which all members share.
    pub timestamp: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something a consumer tells.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// It has started, and is about to subscribe.
    StartupComplete,
    /// It was asked to stop.
    ShutdownRequested,
    /// It has closed its consumer.
    ShutdownComplete,
    /// Partitions came.
    PartitionsAssigned {
        /// Those that came, not those it had before.
        partitions: Vec<Partition>,
    },
    /// Partitions went, or were found lost.
    PartitionsRevoked {
        /// Those that went.
        partitions: Vec<Partition>,
    },
    /// The records of one poll.
    RecordsConsumed {
        /// How many there were in all.
        count: i64,
        /// Where they came from.
        partitions: Vec<RecordSet>,
    },
    /// A commit has ended.
    OffsetsCommitted {
        /// The next offset of each partition.
        offsets: Vec<Offset>,
        /// What went wrong.
        #[serde(default)]
        error: Option<String>,
        /// Whether nothing did.
        success: bool,
    },
}

impl Event {
    /// Reads one line; none where it is no event, as a line of a log is none.
    #[must_use]
    pub fn parse(line: &str) -> Option<Stamped> {
        serde_json::from_str(line).ok()
    }
}

/// A partition.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// The index in the topic.
    pub partition: i32,
}

/// The records of one partition in one poll.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordSet {
    /// The topic's name.
    pub topic: String,
    /// The index in the topic.
    pub partition: i32,
    /// How many records.
    pub count: i64,
    /// The offset of the first.
    pub min_offset: i64,
    /// The offset of the last.
    pub max_offset: i64,
}

/// A committed offset.
#[derive(Clone, Debug, Deserialize)]
pub struct Offset {
    /// The topic's name.
    pub topic: String,
    /// The index in the topic.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_kafkas_consumer_are_read() {
        let line = r#"{"timestamp":5,"name":"records_consumed","count":2,"partitions":[{"topic":"t","partition":1,"count":2,"minOffset":7,"maxOffset":8}]}"#;
        let stamped = Event::parse(line).unwrap();
        assert_eq!(stamped.timestamp, 5);
        let Event::RecordsConsumed { count, partitions } = stamped.event else {
            panic!("{stamped:?}");
        };
        assert_eq!(
            (count, partitions[0].min_offset, partitions[0].max_offset),
            (2, 7, 8)
        );
        let line = r#"{"timestamp":5,"name":"offsets_committed","offsets":[{"topic":"t","partition":1,"offset":9}],"success":true}"#;
        assert!(matches!(
            Event::parse(line).unwrap().event,
            Event::OffsetsCommitted {
                success: true,
                error: None,
                ..
            }
        ));
        assert!(Event::parse("[2026-01-01] WARN whatever").is_none());
    }
}
