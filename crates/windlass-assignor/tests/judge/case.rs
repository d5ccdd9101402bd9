//! Cases: a small cluster and a group, as plain numbers that shrink well.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use windlass_assignor::{Member, Members};
use windlass_model::{
    BrokerEndpoint, Cluster, Generation, NodeId, Partition, Topic, TopicName, TopicPartitions,
};

/// Racks are called r0, r1 and r2; node *n* stands in rack *n*; node 3 has no rack.
const NODES: i32 = 4;

/// A cluster and a group.
#[derive(Clone, Debug)]
pub struct Case {
    /// By topic: the replicas of each partition.
    pub topics: Vec<Vec<Vec<i32>>>,
    pub members: Vec<CaseMember>,
}

/// A member of a case.
#[derive(Clone, Debug, Default)]
pub struct CaseMember {
    /// Topic numbers; one past the last is a topic that does not exist.
    pub topics: Vec<usize>,
    pub owned: Vec<(usize, i32)>,
    pub generation: Option<i32>,
    pub rack: Option<usize>,
    pub instance: Option<usize>,
}

/// How large and how odd cases may be.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub topics: usize,
    pub partitions: usize,
    pub members: usize,
    pub racks: bool,
    /// Whether members may claim what others claim, what does not exist, and so on.
    pub odd_claims: bool,
}

impl Shape {
    /// Small enough for the exact solver.
    pub const SMALL: Self = Self {
        topics: 4,
        partitions: 5,
        members: 5,
        racks: true,
        odd_claims: true,
    };
}

pub fn topic_name(topic: usize) -> TopicName {
    TopicName::from(format!("t{topic:02}"))
}

pub fn member_name(member: usize) -> String {
    format!("m{member:02}")
}

/// Any case of the shape: equal subscriptions in half of them, claims from an earlier ownership.
pub fn any_case(shape: Shape) -> impl Strategy<Value = Case> {
    (1..=shape.topics, 1..=shape.members).prop_flat_map(move |(topics, members)| {
        let replicas = if shape.racks {
            vec(0..NODES, 0..3).boxed()
        } else {
            Just(Vec::new()).boxed()
        };
        let topic_list = vec(vec(replicas, 0..=shape.partitions), topics);
        let owners = vec(
            vec(option::weighted(0.7, 0..members), shape.partitions),
            topics,
        );
        let member_list = vec(any_member(shape, topics), members);
        (
            topic_list,
            owners,
            member_list,
            any::<bool>(),
            any::<bool>(),
        )
            .prop_map(|(topics, owners, members, alike, together)| {
                assemble(topics, &owners, members, alike, together)
            })
    })
}

fn any_member(shape: Shape, topics: usize) -> impl Strategy<Value = CaseMember> {
    let subscription =
        proptest::sample::subsequence((0..=topics).collect::<Vec<_>>(), 0..=topics + 1);
    let claims = if shape.odd_claims {
        let last = i32::try_from(shape.partitions).unwrap() + 1;
        vec((0..=topics + 1, -1..=last), 0..3).boxed()
    } else {
        Just(Vec::new()).boxed()
    };
    let rack = if shape.racks {
        option::of(0..3_usize)
    } else {
        option::of(0..1_usize)
    };
    let with_racks = shape.racks;
    (
        subscription,
        claims,
        option::of(1..4_i32),
        rack,
        option::weighted(0.2, 0..9_usize),
    )
        .prop_map(
            move |(topics, owned, generation, rack, instance)| CaseMember {
                topics,
                owned,
                generation,
                rack: rack.filter(|_| with_racks),
                instance,
            },
        )
}

/// Adds what the members own to what they claim; with `alike` all subscribe as the first does, with
/// `together` all are of one generation.
fn assemble(
    topics: Vec<Vec<Vec<i32>>>,
    owners: &[Vec<Option<usize>>],
    mut members: Vec<CaseMember>,
    alike: bool,
    together: bool,
) -> Case {
    for (topic, (partitions, owners)) in topics.iter().zip(owners).enumerate() {
        for (partition, owner) in (0..).zip(owners.iter().take(partitions.len())) {
            if let Some(owner) = owner {
                members[*owner].owned.push((topic, partition));
            }
        }
    }
    let first = members[0].clone();
    for (number, member) in members.iter_mut().enumerate() {
        if alike {
            member.topics.clone_from(&first.topics);
        }
        if together {
            member.generation = Some(5);
        }
        // No two members of a group have one instance id.
        member.instance = member.instance.map(|instance| instance * 100 + number);
    }
    Case { topics, members }
}

/// Members with one to three topics each, who own nearly all there is: groups in which evening out
/// takes chains of moves.
pub fn sparse_case(racks: bool) -> impl Strategy<Value = Case> {
    (3..8_usize, 3..9_usize).prop_flat_map(move |(topics, members)| {
        let all: Vec<usize> = (0..topics).collect();
        let replicas = if racks { 1..3 } else { 0..1 };
        let partition = (vec(0..NODES, replicas), option::weighted(0.9, 0..60_usize));
        let rack = option::of(0..3_usize).prop_map(move |rack| rack.filter(|_| racks));
        let subscription = proptest::sample::subsequence(all, 1..=3);
        let partitions = vec(vec(partition, 0..6), topics);
        let subscriptions = vec((subscription, rack), members);
        (partitions, subscriptions).prop_map(|(partitions, subscriptions)| {
            let member = |(topics, rack)| CaseMember {
                topics,
                rack,
                generation: Some(5),
                ..CaseMember::default()
            };
            let mut members: Vec<CaseMember> = subscriptions.into_iter().map(member).collect();
            for (topic, list) in partitions.iter().enumerate() {
                let subscribers: Vec<usize> = (0..members.len())
                    .filter(|member| members[*member].topics.contains(&topic))
                    .collect();
                for (partition, (_, owner)) in (0..).zip(list) {
                    if let (Some(owner), false) = (owner, subscribers.is_empty()) {
                        let owner = subscribers[owner % subscribers.len()];
                        members[owner].owned.push((topic, partition));
                    }
                }
            }
            let replicas = partitions.into_iter().map(|list| {
                let replicas = list.into_iter().map(|(replicas, _)| replicas);
                replicas.collect()
            });
            Case {
                topics: replicas.collect(),
                members,
            }
        })
    })
}

impl Case {
    pub fn cluster(&self) -> Cluster {
        let mut cluster = Cluster::default();
        for node in 0..NODES {
            let mut broker = BrokerEndpoint::new("host", 9092);
            broker.rack = (node < 3).then(|| format!("r{node}"));
            cluster.brokers.insert(NodeId(node), broker);
        }
        for (topic, partitions) in self.topics.iter().enumerate() {
            let partitions = partitions.iter().map(|replicas| Partition {
                replicas: replicas.iter().map(|node| NodeId(*node)).collect(),
                ..Partition::default()
            });
            let entry = Topic {
                partitions: partitions.collect(),
                ..Topic::default()
            };
            cluster.topics.insert(topic_name(topic), entry);
        }
        cluster
    }

    pub fn members(&self) -> Members {
        let members = self.members.iter().enumerate();
        members
            .map(|(number, member)| (member_name(number), member.to_member()))
            .collect()
    }
}

impl CaseMember {
    pub fn to_member(&self) -> Member {
        let mut owned = TopicPartitions::new();
        for (topic, partition) in &self.owned {
            owned.push(&topic_name(*topic), *partition);
        }
        Member {
            instance_id: self
                .instance
                .map(|instance| format!("i{instance:04}").into()),
            rack: self.rack.map(|rack| format!("r{rack}")),
            topics: self.topics.iter().map(|topic| topic_name(*topic)).collect(),
            owned,
            generation: self.generation.and_then(Generation::from_wire),
            user_data: Vec::new(),
        }
    }
}
