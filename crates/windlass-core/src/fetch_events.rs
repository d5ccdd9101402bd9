//! What the fetch machine says, and what follows from it.

use std::collections::BTreeSet;
use std::time::Instant;

use windlass_fetch::{FetchError, FetchEvent, ListOffsetsId, LookupError};
use windlass_model::TopicPartition;

use crate::ConsumerError;
use crate::{ConsumerCore, OffsetAndTimestamp, Reply};

impl ConsumerCore {
    pub(crate) fn on_fetch_event(&mut self, event: FetchEvent, now: Instant) {
        match event {
            FetchEvent::MetadataNeeded { reason } => {
                tracing::debug!(reason, "metadata is needed");
                self.metadata.request_refresh(now);
            }
            FetchEvent::BrokerFound { node, endpoint } => {
                tracing::debug!(%node, %endpoint, "a broker was named by another");
            }
            FetchEvent::PositionReset {
                topic_partition,
                from,
                to,
                reason,
            } => {
                tracing::info!(%topic_partition, from, to, reason, "the position was reset");
            }
            FetchEvent::TopicRecreated { topic_partition } => {
                tracing::warn!(%topic_partition, "the topic was deleted and created anew");
                self.forget_log(topic_partition, now);
            }
            FetchEvent::PartitionFailed {
                topic_partition,
                error,
            } => {
                tracing::warn!(%topic_partition, %error, "a partition cannot be read");
                self.errors.add(fetch_error(error, topic_partition));
            }
            FetchEvent::RecordsReady => {}
            FetchEvent::OffsetsListed { id, results } => self.offsets_listed(id, results, now),
            other => tracing::debug!(?other, "the fetch machine has news"),
        }
    }

    /// The log is no more: what the application has of it is not to be given out or committed.
    fn forget_log(&mut self, topic_partition: TopicPartition, now: Instant) {
        self.attention += 1;
        let gone = BTreeSet::from([topic_partition]);
        self.ledger.forget(&gone);
        self.with_group(|group| group.forget_commits(&gone, now));
    }

    fn offsets_listed(
        &mut self,
        id: ListOffsetsId,
        results: std::collections::BTreeMap<
            TopicPartition,
            Result<Option<windlass_fetch::FoundOffset>, LookupError>,
        >,
        now: Instant,
    ) {
        let Some(operation) = self.take_lookup(id, now) else {
            return;
        };
        let listed: Result<_, ConsumerError> = results
            .into_iter()
            .map(|(partition, result)| match result {
                Ok(found) => {
                    let found = found.map(|found| OffsetAndTimestamp {
                        offset: found.offset,
                        timestamp: found.timestamp,
                    });
                    Ok((partition, found))
                }
                Err(error) => Err(lookup_error(error, partition)),
            })
            .collect();
        match listed {
            Ok(listed) => self.reply(operation, Reply::Listed(listed)),
            Err(error) => self.fail(operation, error),
        }
    }
}

fn lookup_error(error: LookupError, partition: TopicPartition) -> ConsumerError {
    match error {
        LookupError::Refused { code } => ConsumerError::Refused {
            operation: "looking up an offset",
            topic_partition: Some(partition),
            code,
            advice: "see Kafka's documentation of this error".to_owned(),
        },
        other => ConsumerError::Unreachable {
            operation: "looking up an offset",
            detail: format!("{partition}: {other}"),
        },
    }
}

fn fetch_error(error: FetchError, topic_partition: TopicPartition) -> ConsumerError {
    match error {
        FetchError::NoSuchEnd => ConsumerError::Unreachable {
            operation: "looking up where to begin",
            detail: format!("{topic_partition}: {}", FetchError::NoSuchEnd),
        },
        FetchError::NoOffset => ConsumerError::NoOffset { topic_partition },
        FetchError::OffsetOutOfRange { offset } => ConsumerError::OffsetOutOfRange {
            topic_partition,
            offset,
        },
        FetchError::LogTruncated {
            offset,
            divergent_offset,
        } => ConsumerError::LogTruncated {
            topic_partition,
            offset,
            divergent_offset,
        },
        FetchError::Corrupt { offset, detail } => ConsumerError::Corrupt {
            topic_partition,
            offset,
            detail,
        },
        FetchError::Refused { code, .. }
            if code == windlass_protocol::ErrorCode::TOPIC_AUTHORIZATION_FAILED =>
        {
            ConsumerError::TopicAuthorization {
                topic: topic_partition.topic,
            }
        }
        FetchError::Refused { api, code } => ConsumerError::Refused {
            operation: api,
            topic_partition: Some(topic_partition),
            code,
            advice: "it is tried again".to_owned(),
        },
        other => ConsumerError::Unreachable {
            operation: "reading",
            detail: format!("{topic_partition}: {other}"),
        },
    }
}
