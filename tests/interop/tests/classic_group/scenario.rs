//! One group from its first member to its last.

use std::sync::mpsc;

use crate::cluster::Cluster;
use crate::history::{History, PARTITIONS};
use crate::member::{Kind, Member, Membership};
use crate::requirements::Requirements;

/// How many records each partition gets at a time.
const RECORDS: i64 = 100;

/// Lets the three join one after another, read, and go on reading without the one that led. Tells
/// what happened; fails if anything is read twice, or by two, or not at all.
pub(crate) fn share_a_group(
    cluster: &Cluster,
    requirements: &Requirements,
    strategy: &'static str,
    order: [Kind; 3],
) -> String {
    let names = order.map(Kind::name);
    let group = format!("{strategy}-{}", names.join("-"));
    let membership = Membership {
        bootstrap: cluster.bootstrap(),
        topic: group.clone(),
        group: group.clone(),
        strategy,
    };
    let (partitions, records) = (PARTITIONS.to_string(), RECORDS.to_string());
    let bootstrap = membership.bootstrap.as_str();
    let produce =
        || requirements.librdkafka(&["produce", bootstrap, &group, &partitions, &records]);
    requirements.librdkafka(&["create", bootstrap, &group, &partitions]);

    let (sender, receiver) = mpsc::channel();
    let mut history = History::new(receiver);
    let mut members = Vec::new();
    for (index, kind) in order.into_iter().enumerate() {
        members.push(Member::start(
            kind,
            &membership,
            requirements,
            sender.clone(),
        ));
        history.wait_for_owners(&order[..=index]);
        if let Some(leader) = cluster.leader(&group) {
            assert_eq!(leader, names[0], "who came first leads");
        }
    }
    produce();
    history.wait_for_reading(RECORDS);

    members.remove(0).stop();
    history.wait_for_owners(&order[1..]);
    produce();
    history.wait_for_reading(2 * RECORDS);
    for member in members {
        member.stop();
    }
    format!(
        "{} leads {} and {}, then leaves; one owner a partition, {} records read once each",
        names[0],
        names[1],
        names[2],
        2 * RECORDS * PARTITIONS
    )
}
