//! The configuration of a node.

use std::collections::BTreeMap;
use std::path::Path;

use super::ports::Ports;

/// What every node is told. Tests must not wait for what only spares real clusters work: groups form
/// at once and sessions may be short. No topic comes into being by being asked for, so that a test
/// that misspells one fails.
const EVERY_NODE: &str = "\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
min.insync.replicas=1
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=3
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=1000
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
";

/// The properties of one node of a cluster. Each node is a rack of its own, so that fetching from
/// the nearest replica can be tried.
pub(super) fn text(id: u16, cluster: &BTreeMap<u16, Ports>, data: &Path) -> Result<String, String> {
    let own = cluster.get(&id).ok_or("a node without ports")?;
    let voters: Vec<String> = cluster
        .iter()
        .map(|(id, ports)| format!("{id}@127.0.0.1:{}", ports.controller))
        .collect();
    Ok(format!(
        "{EVERY_NODE}node.id={id}\nbroker.rack=rack-{id}\nlog.dirs={data}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{client}\n\
         default.replication.factor={nodes}\n\
         offsets.topic.replication.factor={nodes}\n\
         transaction.state.log.replication.factor={nodes}\n\
         share.coordinator.state.topic.replication.factor={nodes}\n",
        data = data.display(),
        voters = voters.join(","),
        client = own.client,
        controller = own.controller,
        nodes = cluster.len().min(3),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_itself_and_the_others() {
        let ports = |client, controller| Ports { client, controller };
        let cluster = BTreeMap::from([(1, ports(11, 12)), (2, ports(21, 22))]);
        let text = text(2, &cluster, Path::new("d")).unwrap();
        for line in [
            "node.id=2",
            "broker.rack=rack-2",
            "controller.quorum.voters=1@127.0.0.1:12,2@127.0.0.1:22",
            "advertised.listeners=PLAINTEXT://127.0.0.1:21",
            "offsets.topic.replication.factor=2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
