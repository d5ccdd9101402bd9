//! The members of a group, as the group's leader sees them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};

use windlass_model::{Generation, GroupInstanceId, MemberId, TopicName, TopicPartitions};

/// What one member says of itself when it joins: Kafka's `Subscription`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The lasting identity of a static member (KIP-345).
    pub instance_id: Option<GroupInstanceId>,
    /// The rack it stands in (`client.rack`, KIP-881); an empty one counts as none.
    pub rack: Option<String>,
    /// The topics it asks for, in any order; a name that stands twice counts once.
    pub topics: Vec<TopicName>,
    /// The partitions it says it owns. A claim, not a fact: it may be stale, doubled or nonsense.
    pub owned: TopicPartitions,
    /// The generation in which it got `owned`, where the subscription carries one (version 2 on).
    pub generation: Option<Generation>,
    /// What the member's own assignor of the chosen name added; empty where it added nothing.
    pub user_data: Vec<u8>,
}

impl Member {
    /// A dynamic member without claims.
    #[must_use]
    pub fn subscribed_to<T: Into<TopicName>>(topics: impl IntoIterator<Item = T>) -> Self {
        Self {
            topics: topics.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Whether the member asks for the topic. Looks through the list: O(topics).
    #[must_use]
    pub fn subscribes_to(&self, topic: &str) -> bool {
        self.topics.iter().any(|name| name.as_str() == topic)
    }

    /// The rack, unless it is absent or empty.
    #[must_use]
    pub fn known_rack(&self) -> Option<&str> {
        self.rack.as_deref().filter(|rack| !rack.is_empty())
    }
}

/// Every member of a group, ordered by member id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(BTreeMap<MemberId, Member>);

impl Members {
    /// No members.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a member; returns the one that had the id before.
    pub fn insert(&mut self, id: impl Into<MemberId>, member: Member) -> Option<Member> {
        self.0.insert(id.into(), member)
    }

    /// Takes a member out.
    pub fn remove(&mut self, id: &str) -> Option<Member> {
        self.0.remove(id)
    }

    /// The member with that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Member> {
        self.0.get(id)
    }

    /// The member with that id, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.0.get_mut(id)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members in order of their ids.
    pub fn iter(&self) -> btree_map::Iter<'_, MemberId, Member> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = (&'a MemberId, &'a Member);
    type IntoIter = btree_map::Iter<'a, MemberId, Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<Id: Into<MemberId>> FromIterator<(Id, Member)> for Members {
    fn from_iter<I: IntoIterator<Item = (Id, Member)>>(members: I) -> Self {
        Self(
            members
                .into_iter()
                .map(|(id, member)| (id.into(), member))
                .collect(),
        )
    }
}

/// The order in which Kafka's Java client lines members up (`MemberInfo.compareTo`): static members
/// first, by instance id; the others after them, by member id. Two static members with one instance
/// id, which a coordinator never admits, are told apart by member id.
pub(crate) fn java_order(left: (&MemberId, &Member), right: (&MemberId, &Member)) -> Ordering {
    let by_member_id = || java_text_order(left.0.as_str(), right.0.as_str());
    match (&left.1.instance_id, &right.1.instance_id) {
        (Some(a), Some(b)) => java_text_order(a.as_str(), b.as_str()).then_with(by_member_id),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => by_member_id(),
    }
}

/// The order of Java strings: by UTF-16 unit, where Rust's is by UTF-8 byte. They differ only where
/// a character beyond the basic plane meets one from U+E000 to U+FFFF.
fn java_text_order(left: &str, right: &str) -> Ordering {
    if left.is_ascii() && right.is_ascii() {
        left.cmp(right)
    } else {
        left.encode_utf16().cmp(right.encode_utf16())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_members_stand_before_dynamic_ones() {
        let fixed = |id: &str| Member {
            instance_id: Some(id.into()),
            ..Member::default()
        };
        let mut members: Vec<(MemberId, Member)> = vec![
            ("a".into(), Member::default()),
            ("z".into(), fixed("i1")),
            ("b".into(), fixed("i2")),
        ];
        members.sort_by(|l, r| java_order((&l.0, &l.1), (&r.0, &r.1)));
        let ids: Vec<&str> = members.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["z", "b", "a"]);
    }

    #[test]
    fn text_beyond_the_basic_plane_stands_where_java_puts_it() {
        assert_eq!(java_text_order("\u{1F600}", "\u{FFFD}"), Ordering::Less);
        assert_eq!("\u{1F600}".cmp("\u{FFFD}"), Ordering::Greater);
    }
}
