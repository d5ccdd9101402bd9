//! Who subscribes to what, in numbers: members with one subscription share it, topics with one set
//! of subscribers share a class.

use std::collections::BTreeMap;

use windlass_model::{Cluster, MemberId, TopicName};

use crate::member::java_order;
use crate::topic_index::{NONE, TopicIndex, number, same_name};
use crate::{AssignError, Member, Members};

/// Topics that have exactly the same subscribers: their partitions can stand for each other.
#[derive(Debug, Default)]
pub(crate) struct TopicClass {
    /// Topic numbers, ascending.
    pub(crate) topics: Vec<u32>,
    /// Member numbers, ascending, so in Java's order; never empty.
    pub(crate) members: Vec<u32>,
}

/// Members and topics as small numbers.
#[derive(Debug)]
pub(crate) struct Roster<'a> {
    /// The cluster's topics.
    pub(crate) topics: TopicIndex<'a>,
    /// The members in Java's order; the place in the list is the member's number.
    pub(crate) members: Vec<(&'a MemberId, &'a Member)>,
    /// Member numbers in order of member ids.
    pub(crate) by_id: Vec<u32>,
    /// Classes of topics that somebody subscribes to.
    pub(crate) classes: Vec<TopicClass>,
    /// The class of each topic; `NONE` where nobody subscribes.
    pub(crate) class_of_topic: Vec<u32>,
    /// The subscription of each member: a number below the count of distinct subscriptions.
    pub(crate) subscription_of: Vec<u32>,
    /// The distinct subscriptions: topic numbers, ascending, without topics that do not exist.
    pub(crate) subscriptions: Vec<Vec<u32>>,
}

impl<'a> Roster<'a> {
    /// Numbers everything. O(subscribed names), plus topics × distinct subscriptions where those
    /// differ.
    pub(crate) fn new(cluster: &'a Cluster, members: &'a Members) -> Result<Self, AssignError> {
        let topics = TopicIndex::new(cluster)?;
        // Claims keep two flags beside a member's number.
        if members.len() >= 1 << 30 {
            return Err(AssignError::TooLarge);
        }
        let mut in_order: Vec<(u32, (&MemberId, &Member))> =
            (0..number(members.len())).zip(members).collect();
        in_order.sort_by(|left, right| java_order(left.1, right.1));
        let mut by_id = vec![0; in_order.len()];
        for (member, (place, _)) in (0..).zip(&in_order) {
            by_id[*place as usize] = member;
        }
        let members: Vec<(&MemberId, &Member)> =
            in_order.into_iter().map(|(_, member)| member).collect();
        let (subscription_of, subscriptions) = distinct_subscriptions(&topics, &members);
        let (class_of_topic, classes) =
            topic_classes(topics.len(), &subscription_of, &subscriptions);
        Ok(Self {
            topics,
            members,
            by_id,
            classes,
            class_of_topic,
            subscription_of,
            subscriptions,
        })
    }

    /// Whether the member subscribes to the topic. O(log subscribed topics).
    pub(crate) fn subscribes(&self, member: u32, topic: u32) -> bool {
        let subscription = self.subscription_of[member as usize];
        self.subscriptions[subscription as usize]
            .binary_search(&topic)
            .is_ok()
    }
}

/// Gives members with equal subscriptions one number. A member is compared name by name with the
/// subscription before it and with the first, so that large groups that agree cost one comparison a
/// name; only what differs from both is looked up.
fn distinct_subscriptions(
    topics: &TopicIndex<'_>,
    members: &[(&MemberId, &Member)],
) -> (Vec<u32>, Vec<Vec<u32>>) {
    let mut numbers: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
    let mut subscription_of = Vec::with_capacity(members.len());
    let mut first: Option<(&[TopicName], u32)> = None;
    let mut last = first;
    for (_, member) in members {
        let known = [last, first]
            .into_iter()
            .flatten()
            .find(|(names, _)| same_names(names, &member.topics));
        let subscription = match known {
            Some((_, subscription)) => subscription,
            None => {
                let found = topic_numbers(topics, &member.topics);
                let next = number(numbers.len());
                *numbers.entry(found).or_insert(next)
            }
        };
        subscription_of.push(subscription);
        last = Some((&member.topics, subscription));
        first = first.or(last);
    }
    let mut subscriptions = vec![Vec::new(); numbers.len()];
    for (list, subscription) in numbers {
        subscriptions[subscription as usize] = list;
    }
    (subscription_of, subscriptions)
}

fn same_names(left: &[TopicName], right: &[TopicName]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| same_name(a, b))
}

fn topic_numbers(topics: &TopicIndex<'_>, names: &[TopicName]) -> Vec<u32> {
    let mut found = Vec::with_capacity(names.len());
    let mut guess = 0;
    for name in names {
        if let Some(topic) = topics.find(name, guess) {
            found.push(topic);
            guess = topic + 1;
        }
    }
    if !found.is_sorted_by(|a, b| a < b) {
        found.sort_unstable();
        found.dedup();
    }
    found
}

/// Puts topics with equal subscribers into one class. O(topics × distinct subscriptions that name
/// them), and the subscribers of each class once.
fn topic_classes(
    topic_count: u32,
    subscription_of: &[u32],
    subscriptions: &[Vec<u32>],
) -> (Vec<u32>, Vec<TopicClass>) {
    let mut subscribers: Vec<Vec<u32>> = vec![Vec::new(); topic_count as usize];
    for (subscription, list) in (0..).zip(subscriptions) {
        for topic in list {
            subscribers[*topic as usize].push(subscription);
        }
    }
    let mut holders: Vec<Vec<u32>> = vec![Vec::new(); subscriptions.len()];
    for (member, subscription) in (0..).zip(subscription_of) {
        holders[*subscription as usize].push(member);
    }
    let mut numbers: BTreeMap<&[u32], u32> = BTreeMap::new();
    let mut classes: Vec<TopicClass> = Vec::new();
    let mut class_of_topic = vec![NONE; topic_count as usize];
    for (topic, who) in (0..).zip(&subscribers) {
        if who.is_empty() {
            continue;
        }
        let class = *numbers.entry(who).or_insert_with(|| {
            let mut members: Vec<u32> = who
                .iter()
                .flat_map(|subscription| &holders[*subscription as usize])
                .copied()
                .collect();
            members.sort_unstable();
            classes.push(TopicClass {
                topics: Vec::new(),
                members,
            });
            number(classes.len()) - 1
        });
        classes[class as usize].topics.push(topic);
        class_of_topic[topic as usize] = class;
    }
    (class_of_topic, classes)
}

#[cfg(test)]
mod tests {
    use windlass_model::{Partition, Topic};

    use super::*;

    #[test]
    fn topics_with_the_same_subscribers_share_a_class() {
        let mut cluster = Cluster::default();
        for name in ["a", "b", "c", "nobody"] {
            cluster.topics.insert(
                name.into(),
                Topic {
                    partitions: vec![Partition::default()],
                    ..Topic::default()
                },
            );
        }
        let members: Members = [
            ("m1", Member::subscribed_to(["b", "a", "gone"])),
            ("m2", Member::subscribed_to(["a", "b", "c", "a"])),
            ("m3", Member::subscribed_to(["a", "b"])),
        ]
        .into_iter()
        .collect();
        let roster = Roster::new(&cluster, &members).unwrap();
        assert_eq!(roster.subscription_of, [0, 1, 0]);
        assert_eq!(roster.class_of_topic, [0, 0, 1, NONE]);
        assert_eq!(roster.classes[0].members, [0, 1, 2]);
        assert_eq!(roster.classes[1].members, [1]);
        assert!(roster.subscribes(1, 2) && !roster.subscribes(0, 2));
    }
}
