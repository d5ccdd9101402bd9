//! Every rule is broken once, and the judge has to see it.

use super::*;

fn partition(index: i32) -> Partition {
    Partition {
        topic: "t".to_owned(),
        partition: index,
    }
}

fn at(timestamp: u64, event: Event) -> Stamped {
    Stamped { timestamp, event }
}

fn assigned(timestamp: u64, indexes: &[i32]) -> Stamped {
    let partitions = indexes.iter().map(|index| partition(*index)).collect();
    at(timestamp, Event::PartitionsAssigned { partitions })
}

fn revoked(timestamp: u64, indexes: &[i32]) -> Stamped {
    let partitions = indexes.iter().map(|index| partition(*index)).collect();
    at(timestamp, Event::PartitionsRevoked { partitions })
}

fn records(index: i32, min_offset: i64, max_offset: i64) -> Stamped {
    let count = max_offset + 1 - min_offset;
    let set = RecordSet {
        topic: "t".to_owned(),
        partition: index,
        count,
        min_offset,
        max_offset,
    };
    at(
        5,
        Event::RecordsConsumed {
            count,
            partitions: vec![set],
        },
    )
}

fn committed(index: i32, offset: i64) -> Stamped {
    let offset = Offset {
        topic: "t".to_owned(),
        partition: index,
        offset,
    };
    let event = Event::OffsetsCommitted {
        offsets: vec![offset],
        error: None,
        success: true,
    };
    at(6, event)
}

fn violations(events: &[Stamped]) -> Vec<String> {
    let mut judge = Judge::default();
    events.iter().for_each(|event| judge.on_event(event));
    judge.violations
}

#[test]
fn a_good_life_is_not_complained_of() {
    let found = violations(&[
        assigned(1, &[0, 1]),
        records(0, 7, 9),
        committed(0, 10),
        records(0, 10, 10),
        records(1, 0, 5),
        committed(0, 11),
        revoked(8, &[0]),
        assigned(9, &[]),
        revoked(9, &[1]),
        at(10, Event::ShutdownRequested),
        at(11, Event::ShutdownComplete),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn every_broken_rule_is_seen() {
    let mut wrong_count = records(0, 0, 3);
    if let Event::RecordsConsumed { count, .. } = &mut wrong_count.event {
        *count += 1;
    }
    for (events, story) in [
        (
            vec![assigned(1, &[0]), assigned(2, &[0])],
            "assigned what it has",
        ),
        (vec![revoked(1, &[0])], "revoked what it does not have"),
        (vec![records(0, 0, 1)], "records of what is not assigned"),
        (
            vec![assigned(1, &[0]), revoked(2, &[0]), records(0, 0, 1)],
            "records of what is not",
        ),
        (
            vec![assigned(1, &[0]), records(0, 0, 1), records(0, 3, 4)],
            "do not go on at 2",
        ),
        (
            vec![assigned(1, &[0]), records(0, 0, 1), records(0, 1, 4)],
            "do not go on at 2",
        ),
        (vec![assigned(1, &[0]), wrong_count], "said to be"),
        (vec![committed(0, 4)], "a commit of what is not assigned"),
        (vec![assigned(1, &[0]), committed(0, 1)], "a commit beyond"),
        (
            vec![assigned(1, &[0]), records(0, 0, 1), committed(0, 3)],
            "a commit beyond",
        ),
        (
            vec![
                assigned(1, &[0]),
                records(0, 0, 9),
                committed(0, 9),
                committed(0, 8),
            ],
            "a commit back",
        ),
        (
            vec![at(1, Event::ShutdownComplete), assigned(2, &[])],
            "after the end",
        ),
    ] {
        let found = violations(&events);
        assert!(
            found.iter().any(|found| found.contains(story)),
            "{story}: {found:?}"
        );
    }
}

#[test]
fn two_owners_at_a_time_are_seen() {
    let tenure = |from, to| Tenure {
        partition: partition(0),
        from,
        to,
        consumed: None,
        committed: None,
        arrivals: Vec::new(),
    };
    let first = tenure(1, Some(5));
    for (second, fine) in [
        (tenure(5, None), true),
        (tenure(5, Some(5)), true),
        (tenure(4, None), false),
        (tenure(1, Some(1)), true),
        (tenure(2, Some(3)), false),
    ] {
        let found = shared_ownership([("a", &first), ("b", &second)]);
        assert_eq!(found.is_empty(), fine, "{second:?} {found:?}");
    }
    assert!(!shared_ownership([("a", &tenure(1, None)), ("b", &tenure(9, None))]).is_empty());
}

#[test]
fn what_was_not_committed_is_known() {
    let mut judge = Judge::default();
    for event in [
        assigned(1, &[0, 1]),
        records(0, 5, 9),
        committed(0, 7),
        records(1, 3, 4),
    ] {
        judge.on_event(&event);
    }
    let uncommitted: Vec<_> = judge.tenures.iter().map(Tenure::uncommitted).collect();
    assert_eq!(uncommitted, [Some((7, 10)), Some((3, 5))]);
}
