//! What all tests share: the programs, and a cluster of one node.

use windlass_test_kafka::cluster::Cluster;
use windlass_test_kafka::programs::Programs;

/// Why something did not run.
#[derive(Debug)]
pub(crate) struct NotRun(pub(crate) String);

/// The programs and the cluster.
pub(crate) struct Stage {
    programs: Programs,
    cluster: Cluster,
    is_ours: bool,
}

impl Stage {
    /// Builds the programs and starts the cluster.
    pub(crate) fn set() -> Result<Self, NotRun> {
        let programs = Programs::build().unwrap_or_else(|error| panic!("{error}"));
        // Kafka's tools are needed even where its broker is not.
        Cluster::prepare(&programs).map_err(NotRun)?;
        let existing = std::env::var("WINDLASS_BOOTSTRAP").ok();
        let is_ours = existing.is_none();
        let cluster = match existing {
            Some(bootstrap) => Cluster::existing(&programs, bootstrap),
            None => Cluster::start(&programs, 1).unwrap_or_else(|error| panic!("{error}")),
        };
        Ok(Self {
            programs,
            cluster,
            is_ours,
        })
    }

    /// The cluster that all tests share: nobody ends its node.
    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A cluster whose nodes a test may end.
    pub(crate) fn cluster_of(&self, nodes: u16) -> Result<Cluster, NotRun> {
        if self.is_ours {
            Ok(Cluster::start(&self.programs, nodes).unwrap_or_else(|error| panic!("{error}")))
        } else {
            Err(NotRun(
                "it ends nodes, and WINDLASS_BOOTSTRAP names a cluster that is not ours".to_owned(),
            ))
        }
    }

    /// A name that no earlier run has used: the cluster may not be ours.
    pub(crate) fn unique(name: &str) -> String {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        format!("{name}-{}", since.unwrap_or_default().as_millis())
    }

    /// A number from the environment.
    pub(crate) fn number(variable: &str, default: i64) -> i64 {
        let Ok(text) = std::env::var(variable) else {
            return default;
        };
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number"))
    }
}
