//! What the brokers hold, seen through a consumer without members of its own.

use std::collections::BTreeMap;

use tokio::runtime::Runtime;
use windlass::{Consumer, TopicPartition};
use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::event::Partition;
use windlass_test_kafka::log::Log;

/// The next offset of every partition of the topic.
pub(crate) fn ends(cluster: &Cluster, topic: &str, partitions: i32) -> BTreeMap<Partition, i64> {
    runtime().block_on(async {
        let mut consumer = observer(cluster, "an-observer");
        let asked = all(topic, partitions);
        let ends = consumer.end_offsets(asked).await.unwrap();
        ends.into_iter()
            .map(|(partition, end)| (plain(&partition), end))
            .collect()
    })
}

/// What the group has committed for every partition of the topic where it has committed anything.
pub(crate) fn committed(
    cluster: &Cluster,
    group: &str,
    topic: &str,
    partitions: i32,
) -> BTreeMap<Partition, i64> {
    runtime().block_on(async {
        let mut consumer = observer(cluster, group);
        let asked = all(topic, partitions);
        let committed = consumer.committed(asked).await.unwrap();
        let known = |(partition, offset): (TopicPartition, Option<windlass::OffsetAndMetadata>)| {
            Some((plain(&partition), offset?.offset))
        };
        committed.into_iter().filter_map(known).collect()
    })
}

/// Fails unless every record up to these ends was consumed, and none twice but those that a killed
/// member had no time to commit. How many were consumed twice.
pub(crate) fn assert_complete(log: &Log, ends: &BTreeMap<Partition, i64>) -> i64 {
    log.assert_sound();
    let consumed = log.consumed();
    let excused = log.excused();
    let mut repeated = 0;
    for (partition, end) in ends {
        let ranges = consumed.get(partition).cloned().unwrap_or_default();
        let gaps = ranges.gaps(*end);
        assert!(
            gaps.is_empty(),
            "never read of {partition:?}: {gaps:?}\n{}",
            log.story()
        );
        let excuse = excused.get(partition).cloned().unwrap_or_default();
        let twice = ranges.repeated_beyond(&excuse);
        assert!(
            twice.is_empty(),
            "read twice of {partition:?}: {twice:?}\n{}",
            log.story()
        );
        repeated += ranges.repeated();
    }
    repeated
}

/// A runtime for consumers in this process.
pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn observer(cluster: &Cluster, group: &str) -> Consumer {
    Consumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .group_id(group)
        .enable_auto_commit(false)
        .build()
        .unwrap()
}

fn all(topic: &str, partitions: i32) -> Vec<TopicPartition> {
    (0..partitions)
        .map(|partition| TopicPartition::new(topic, partition))
        .collect()
}

fn plain(partition: &TopicPartition) -> Partition {
    Partition {
        topic: partition.topic.to_string(),
        partition: partition.partition,
    }
}
