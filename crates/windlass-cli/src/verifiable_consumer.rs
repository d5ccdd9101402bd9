//! `windlass verifiable-consumer`: the contract of Kafka's `org.apache.kafka.tools.VerifiableConsumer`,
//! so that the logic of Kafka's system tests can drive a windlass consumer.

mod event;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::Notify;

use windlass::{
    Config, Consumer, ConsumerError, ListenerError, OffsetAndMetadata, Rebalance,
    RebalanceListener, Records, TopicPartition, async_trait,
};

use self::event::{CommitData, Event, PartitionData, RecordSetSummary, print};
use crate::arguments::VerifiableConsumerArguments;
use crate::failure::Failure;
use crate::interruption::Interruption;

/// How long one poll waits; Java waits for ever, and nothing depends on the difference.
const POLL: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: VerifiableConsumerArguments) -> Result<(), Failure> {
    let config = config(&arguments)?;
    let mut interruption = Interruption::new()?;
    let mut consumer = Consumer::builder()
        .config(config)
        .rebalance_listener(Announcer)
        .build()?;
    print(&Event::StartupComplete)?;
    let mut run = Run {
        arguments: &arguments,
        consumed: 0,
    };
    let stop = Notify::new();
    let (signalled, result) = {
        let mut consuming = pin!(run.consume(&mut consumer, &stop));
        tokio::select! {
            biased;
            () = interruption.wait() => {
                print(&Event::ShutdownRequested)?;
                stop.notify_one();
                (true, consuming.await)
            }
            result = &mut consuming => (false, result),
        }
    };
    let timeout = Duration::from_millis(u64::from(arguments.close_timeout));
    let closed = consumer.close(timeout).await;
    print(&Event::ShutdownComplete)?;
    if !signalled {
        // Java's shutdown hook runs last where no signal came.
        print(&Event::ShutdownRequested)?;
    }
    result.and_then(|()| closed.map_err(Failure::from))
}

struct Run<'a> {
    arguments: &'a VerifiableConsumerArguments,
    consumed: i64,
}

impl Run<'_> {
    /// Until enough has come, or until it is to stop: then the commit under way still ends, as in
    /// Java, where only polling is woken up.
    async fn consume(&mut self, consumer: &mut Consumer, stop: &Notify) -> Result<(), Failure> {
        while self.remaining() != Some(0) {
            let records = tokio::select! {
                biased;
                () = stop.notified() => return Ok(()),
                records = consumer.poll(POLL) => records?,
            };
            if records.is_empty() {
                continue;
            }
            let offsets = self.announce(&records)?;
            if !self.arguments.enable_autocommit && !offsets.is_empty() {
                let result = consumer.commit_offsets(offsets.clone()).await;
                announce_commit(&offsets, result)?;
            }
        }
        Ok(())
    }

    /// How many records may still be consumed; `None` for any number.
    fn remaining(&self) -> Option<i64> {
        (self.arguments.max_messages >= 0)
            .then(|| (self.arguments.max_messages - self.consumed).max(0))
    }

    /// Prints what came, and says which offsets to commit for it.
    fn announce(
        &mut self,
        records: &Records,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, Failure> {
        let mut offsets = BTreeMap::new();
        let mut summaries = Vec::new();
        let mut total = 0;
        for (partition, batch) in records.by_partition() {
            let mut summary: Option<RecordSetSummary> = None;
            for record in batch {
                let record = record?;
                total += 1;
                if self.remaining() == Some(0) {
                    continue;
                }
                if self.arguments.verbose {
                    print(&Event::record_data(&record))?;
                }
                self.consumed += 1;
                match &mut summary {
                    Some(summary) => summary.extend(record.offset()),
                    None => summary = Some(RecordSetSummary::new(partition, record.offset())),
                }
            }
            if let Some(summary) = summary {
                offsets.insert(partition.clone(), summary.next_offset().into());
                summaries.push(summary);
            }
        }
        print(&Event::RecordsConsumed {
            count: total,
            partitions: summaries,
        })?;
        Ok(offsets)
    }
}

fn announce_commit(
    offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
    result: Result<(), ConsumerError>,
) -> Result<(), Failure> {
    let offsets = offsets
        .iter()
        .map(|(partition, offset)| CommitData::new(partition, offset.offset))
        .collect();
    let fenced = matches!(result, Err(ConsumerError::Fenced { .. }));
    let error = result.as_ref().err().map(ToString::to_string);
    if fenced {
        return result.map_err(Failure::from);
    }
    print(&Event::OffsetsCommitted {
        success: error.is_none(),
        error,
        offsets,
    })
}

/// Prints partitions as they come and go.
struct Announcer;

#[async_trait]
impl RebalanceListener for Announcer {
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        let partitions = partitions.iter().map(PartitionData::new).collect();
        print(&Event::PartitionsRevoked { partitions })
            .map_err(|failure| format!("{failure:?}").into())
    }

    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        let partitions = partitions.iter().map(PartitionData::new).collect();
        print(&Event::PartitionsAssigned { partitions })
            .map_err(|failure| format!("{failure:?}").into())
    }
}

fn config(arguments: &VerifiableConsumerArguments) -> Result<Config, Failure> {
    let file = arguments
        .command_config
        .as_deref()
        .or(arguments.consumer_config.as_deref());
    let mut config = match file {
        Some(path) => read_properties(path)?,
        None => Config::default(),
    };
    if !arguments.group_protocol.eq_ignore_ascii_case("classic") {
        return Err(Failure::usage(format!(
            "--group-protocol {}: only classic is built yet",
            arguments.group_protocol
        )));
    }
    let mut set = |name: &str, value: &str| config.set_property(name, value).map(drop);
    set("bootstrap.servers", &arguments.bootstrap_server)?;
    set("group.id", &arguments.group_id)?;
    set(
        "partition.assignment.strategy",
        &arguments.assignment_strategy,
    )?;
    set("auto.offset.reset", &arguments.reset_policy)?;
    set(
        "enable.auto.commit",
        &arguments.enable_autocommit.to_string(),
    )?;
    if let Some(instance) = &arguments.group_instance_id {
        set("group.instance.id", instance)?;
    }
    if let Some(timeout) = arguments.session_timeout {
        set("session.timeout.ms", &timeout.to_string())?;
    }
    config.topics = vec![arguments.topic.as_str().into()];
    // Java's default of three seconds does not go with the short session timeouts of the tests.
    config.heartbeat_interval = config.heartbeat_interval.min(config.session_timeout / 3);
    Ok(config)
}

#[expect(
    clippy::print_stderr,
    reason = "what has no effect is told to the person, beside the events"
)]
fn read_properties(path: &Path) -> Result<Config, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    let (config, report) = Config::from_properties(&text)?;
    for ignored in &report.ignored {
        eprintln!("windlass: {} ignored: {ignored}", path.display());
    }
    Ok(config)
}
