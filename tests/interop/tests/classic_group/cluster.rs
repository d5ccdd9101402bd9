//! The two clusters: the embedded broker in this process, and a real Kafka beside it.

use tokio::runtime::Runtime;
use windlass_broker::EmbeddedCluster;

use crate::requirements::xtask;

#[derive(Debug)]
pub(crate) enum Cluster {
    Embedded {
        runtime: Runtime,
        cluster: EmbeddedCluster,
    },
    Kafka {
        bootstrap: String,
    },
}

impl Cluster {
    pub(crate) fn embedded() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let cluster = runtime
            .block_on(EmbeddedCluster::builder().start())
            .unwrap();
        Self::Embedded { runtime, cluster }
    }

    pub(crate) fn kafka() -> Result<Self, String> {
        // What an interrupted run left behind knows the topics already.
        xtask(&["kafka", "down", "--name", "interop"])?;
        let bootstrap = xtask(&["kafka", "up", "--name", "interop"])?;
        Ok(Self::Kafka { bootstrap })
    }

    pub(crate) fn bootstrap(&self) -> String {
        match self {
            Self::Embedded { cluster, .. } => cluster.bootstrap_servers(),
            Self::Kafka { bootstrap } => bootstrap.clone(),
        }
    }

    /// What the leader of a group calls itself, where that can be seen.
    pub(crate) fn leader(&self, group: &str) -> Option<String> {
        let Self::Embedded { runtime, cluster } = self else {
            return None;
        };
        let group = group.to_owned();
        let view = runtime.block_on(cluster.with_core(move |core, _| core.group(&group)));
        let view = view.flatten().expect("the group is there");
        let leader = view.leader.expect("a group has a leader");
        let leader = view.members.iter().find(|member| member.id == leader);
        leader.map(|member| member.client_id.clone())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Self::Kafka { .. } = self
            && let Err(reason) = xtask(&["kafka", "down", "--name", "interop"])
        {
            crate::requirements::say(&format!("Kafka was not ended: {reason}"));
        }
    }
}
