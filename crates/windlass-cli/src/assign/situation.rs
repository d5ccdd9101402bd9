//! A situation to be assigned: topics, members, and what they own, as people and programs write it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use windlass::assignor::{Member, Members};
use windlass::model::{BrokerEndpoint, Cluster, NodeId, Partition, Topic};
use windlass::{Generation, GroupInstanceId, TopicName};

use crate::failure::Failure;

/// More partitions than any cluster has; a number beyond it is a slip of the pen.
const MOST_PARTITIONS: usize = 10_000_000;

/// Topics and members, in the JSON of a file or of a line.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Situation {
    /// The strategy, which only a line names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) assignor: Option<String>,
    pub(crate) topics: BTreeMap<String, TopicSituation>,
    pub(crate) members: BTreeMap<String, MemberSituation>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopicSituation {
    pub(crate) partitions: usize,
    /// The racks in which each partition has a replica; one list a partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) racks: Option<Vec<Vec<String>>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberSituation {
    pub(crate) topics: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) owned: Vec<(String, i32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) generation: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rack: Option<String>,
}

impl Situation {
    /// Reads JSON; `place` says where it stands.
    pub(crate) fn read(json: &str, place: &str) -> Result<Self, Failure> {
        serde_json::from_str(json).map_err(|error| {
            Failure::new(format!("{place} is no situation to be assigned: {error}"))
        })
    }

    /// The situation as the strategies want it.
    pub(crate) fn group(&self) -> Result<(Cluster, Members), Failure> {
        Ok((self.cluster()?, self.members()))
    }

    fn cluster(&self) -> Result<Cluster, Failure> {
        let total: usize = self
            .topics
            .values()
            .fold(0, |total, topic| total.saturating_add(topic.partitions));
        if total > MOST_PARTITIONS {
            return Err(Failure::new(format!(
                "{total} partitions are more than the {MOST_PARTITIONS} that can be compared"
            )));
        }
        let mut nodes: BTreeMap<&str, NodeId> = BTreeMap::new();
        let racks = self.topics.values().flat_map(|topic| &topic.racks);
        for rack in racks.flatten().flatten() {
            nodes.insert(rack, NodeId(0));
        }
        let mut cluster = Cluster::default();
        for (id, (rack, node)) in (0..).zip(&mut nodes) {
            *node = NodeId(id);
            let mut endpoint = BrokerEndpoint::new("", 0);
            endpoint.rack = Some((*rack).to_owned());
            cluster.brokers.insert(*node, endpoint);
        }
        for (name, topic) in &self.topics {
            cluster
                .topics
                .insert(name.as_str().into(), topic.read(name, &nodes)?);
        }
        Ok(cluster)
    }

    fn members(&self) -> Members {
        let members = self.members.iter();
        members
            .map(|(id, member)| (id.as_str(), member.read()))
            .collect()
    }
}

impl TopicSituation {
    fn read(&self, name: &str, nodes: &BTreeMap<&str, NodeId>) -> Result<Topic, Failure> {
        let mut partitions = vec![Partition::default(); self.partitions];
        if let Some(racks) = &self.racks {
            if racks.len() != self.partitions {
                return Err(Failure::new(format!(
                    "topic {name} has {} partitions but racks for {}: give one list of racks for each",
                    self.partitions,
                    racks.len()
                )));
            }
            for (partition, racks) in partitions.iter_mut().zip(racks) {
                let replicas = racks.iter().filter_map(|rack| nodes.get(rack.as_str()));
                partition.replicas = replicas.copied().collect();
            }
        }
        Ok(Topic {
            partitions,
            ..Topic::default()
        })
    }
}

impl MemberSituation {
    fn read(&self) -> Member {
        let mut member = Member::subscribed_to(self.topics.iter().map(String::as_str));
        member.instance_id = self.instance.as_deref().map(GroupInstanceId::new);
        member.rack.clone_from(&self.rack);
        member.generation = self.generation.and_then(Generation::from_wire);
        let mut topic = TopicName::default();
        for (name, partition) in &self.owned {
            if topic.as_str() != name {
                topic = name.as_str().into();
            }
            member.owned.push(&topic, *partition);
        }
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"assignor": "range",
        "topics": {"t": {"partitions": 3, "racks": [["a"], ["b"], ["a", "c"]]}},
        "members": {"m1": {"topics": ["t"], "owned": [["t", 0]], "generation": 5, "instance": "i1", "rack": "a"}}}"#;

    #[test]
    fn everything_said_arrives() {
        let situation = Situation::read(LINE, "a line").unwrap();
        let (cluster, members) = situation.group().unwrap();
        let racks: Vec<Vec<&str>> = cluster.topics["t"]
            .partitions
            .iter()
            .map(|partition| {
                let replicas = partition.replicas.iter();
                replicas
                    .filter_map(|node| cluster.brokers[node].rack.as_deref())
                    .collect()
            })
            .collect();
        assert_eq!(racks, [vec!["a"], vec!["b"], vec!["a", "c"]]);
        let member = members.get("m1").unwrap();
        assert_eq!(member.topics, [TopicName::from("t")]);
        assert_eq!(member.owned.iter().count(), 1);
        assert_eq!(member.generation, Generation::from_wire(5));
        assert_eq!(member.instance_id, Some(GroupInstanceId::new("i1")));
        assert_eq!(member.known_rack(), Some("a"));
    }

    #[test]
    fn a_slip_is_named() {
        for (json, said) in [
            ("{", "EOF"),
            (r#"{"topics": {}}"#, "missing field `members`"),
            (
                r#"{"topics": {}, "members": {"m": {"topic": []}}}"#,
                "unknown field `topic`",
            ),
            (
                r#"{"topics": {"t": {"partitions": -1}}, "members": {}}"#,
                "invalid value",
            ),
        ] {
            let failure = Situation::read(json, "line 7").unwrap_err();
            let text = failure.to_string();
            assert!(text.contains(said) && text.contains("line 7"), "{text}");
        }
    }

    #[test]
    fn racks_that_do_not_fit_and_absurd_numbers_are_refused() {
        let racks = r#"{"topics": {"t": {"partitions": 2, "racks": [["a"]]}}, "members": {}}"#;
        let absurd = r#"{"topics": {"t": {"partitions": 10000001}}, "members": {}}"#;
        let both = format!(
            r#"{{"topics": {{"t": {{"partitions": {0}}}, "u": {{"partitions": {0}}}}}, "members": {{}}}}"#,
            usize::MAX
        );
        for (json, said) in [
            (racks, "racks for 1"),
            (absurd, "10000001"),
            (&both, "are more"),
        ] {
            let failure = Situation::read(json, "here").unwrap().group().unwrap_err();
            assert!(failure.to_string().contains(said), "{failure}");
        }
    }
}
