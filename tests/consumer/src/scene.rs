//! The cluster, what is produced to it, and consumers of it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use windlass::model::BrokerEndpoint;
use windlass::transport::{ByteStream, Connect};
use windlass::{
    Consumer, ConsumerBuilder, ConsumerError, OffsetReset, OwnedRecord, TopicPartition, async_trait,
};
use windlass_broker::EmbeddedCluster;

/// A cluster in memory.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The cluster, to be broken.
    pub cluster: Arc<EmbeddedCluster>,
}

impl Scene {
    /// So many nodes, and topics with so many partitions.
    pub async fn new(nodes: i32, topics: &[(&str, i32)]) -> Self {
        let mut builder = EmbeddedCluster::builder().nodes(nodes);
        for (name, partitions) in topics {
            builder = builder.topic(name, *partitions);
        }
        let cluster = builder
            .start()
            .await
            .unwrap_or_else(|error| panic!("the cluster does not start: {error}"));
        Self {
            cluster: Arc::new(cluster),
        }
    }

    /// A consumer of this cluster that reads from the beginning and commits by hand.
    #[must_use]
    pub fn consumer(&self) -> ConsumerBuilder {
        Consumer::builder()
            .bootstrap_servers(&self.cluster.bootstrap_servers())
            .connect(Arc::new(Pipes(self.cluster.clone())))
            .auto_offset_reset(OffsetReset::Earliest)
            .enable_auto_commit(false)
    }

    /// What a group has committed, as the coordinator has it.
    pub async fn committed(&self, group: &str) -> BTreeMap<TopicPartition, i64> {
        let group = group.to_owned();
        let committed = self
            .cluster
            .with_core(move |core, _| core.committed(&group));
        committed.await.unwrap_or_default()
    }
}

/// Polls until so many records have come, for at most an hour of the paused clock.
///
/// # Errors
///
/// What `poll` said.
pub async fn take(
    consumer: &mut Consumer,
    count: usize,
) -> Result<Vec<OwnedRecord>, ConsumerError> {
    let mut taken = Vec::new();
    for _ in 0..3_600 {
        if taken.len() >= count {
            break;
        }
        let records = consumer.poll(Duration::from_secs(1)).await?;
        for record in records.iter() {
            taken.push(record?.to_owned()?);
        }
    }
    Ok(taken)
}

/// The value of a record as text.
#[must_use]
pub fn text(record: &OwnedRecord) -> &str {
    record
        .value
        .as_deref()
        .and_then(|value| std::str::from_utf8(value).ok())
        .unwrap_or("no text")
}

/// Pipes to the nodes, found by the port they would listen on.
#[derive(Debug)]
struct Pipes(Arc<EmbeddedCluster>);

#[async_trait]
impl Connect for Pipes {
    async fn connect(
        &self,
        endpoint: &BrokerEndpoint,
        _: Option<SocketAddr>,
    ) -> io::Result<Box<dyn ByteStream>> {
        let address = format!("{}:{}", endpoint.host, endpoint.port);
        let node = (1..=32).find(|node| self.0.address(*node) == Some(&address));
        let node = node.ok_or_else(|| io::Error::other(format!("nobody is at {address}")))?;
        let alive = self.0.with_core(move |core, _| core.is_alive(node)).await;
        if alive != Some(true) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(Box::new(self.0.connect(node)))
    }
}
