//! Numbers and names in reasons.

use std::collections::BTreeSet;

use windlass_model::TopicName;

/// How many there are of something: `1 partition`, `2 partitions`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// A set of topics, for a person.
pub(crate) fn list_topics(topics: &BTreeSet<TopicName>) -> String {
    const SHOWN: usize = 5;
    let mut text = topics
        .iter()
        .take(SHOWN)
        .map(|topic| format!("`{topic}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if topics.len() > SHOWN {
        text.push_str(&format!(" and {} more", topics.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(counted(0, "offset"), "0 offsets");
        assert_eq!(counted(1, "offset"), "1 offset");
        assert_eq!(counted(2, "offset"), "2 offsets");
    }

    #[test]
    fn long_lists_of_topics_are_cut() {
        let topics = |count: usize| {
            (0..count)
                .map(|one| TopicName::from(format!("t{one}")))
                .collect()
        };
        assert_eq!(list_topics(&topics(2)), "`t0`, `t1`");
        assert_eq!(
            list_topics(&topics(7)),
            "`t0`, `t1`, `t2`, `t3`, `t4` and 2 more"
        );
    }
}
