//! What a queue keeps, cuts and gives back.

use windlass_protocol::records::RecordBatchBuilder;

use super::*;

const EPOCH_5: Option<LeaderEpoch> = LeaderEpoch::from_wire(5);

fn at(offset: i64) -> Position {
    Position {
        offset,
        leader_epoch: EPOCH_5,
    }
}

/// A batch with records at these offsets, that ends before `end`.
fn batch(offsets: &[i64], end: i64, epoch: i32) -> RecordBatch {
    let base = offsets.first().copied().unwrap_or(end - 1);
    let delta = |offset: i64| i32::try_from(offset - base).unwrap();
    let mut builder = RecordBatchBuilder::new()
        .base_offset(base)
        .partition_leader_epoch(epoch)
        .last_offset_delta(delta(end - 1));
    for offset in offsets {
        builder
            .append_at(delta(*offset), 0, None, Some(b"value"), &[])
            .unwrap();
    }
    builder.build().unwrap()
}

/// Takes so many records at a time, and tells the offsets of each.
fn drain(queue: &mut PartitionQueue, limit: usize) -> Vec<Vec<i64>> {
    let mut all = Vec::new();
    let mut allowance = usize::MAX;
    while let Some(cut) = queue.take(limit, &mut allowance) {
        let count = cut.count;
        let taken = cut.into_taken(TopicPartition::new("t", 0));
        let decoded = taken.decode().unwrap();
        let offsets: Vec<i64> = taken
            .records(&decoded)
            .map(|record| record.unwrap().offset)
            .collect();
        assert_eq!(offsets.len(), count);
        all.push(offsets);
    }
    assert_eq!(queue.bytes(), 0);
    all
}

#[test]
fn dense_batches_are_cut_by_arithmetic() {
    let mut queue = PartitionQueue::new(at(2));
    queue.push(batch(&[0, 1, 2, 3, 4], 5, 5));
    assert_eq!(drain(&mut queue, 2), [vec![2, 3], vec![4]]);
    assert_eq!(queue.position(), at(5));
}

#[test]
fn batches_with_gaps_are_cut_by_looking() {
    let mut queue = PartitionQueue::new(at(10));
    queue.push(batch(&[10, 15, 17, 30], 40, 5));
    assert_eq!(drain(&mut queue, 3), [vec![10, 15, 17], vec![30]]);
    assert_eq!(queue.position(), at(40));
}

#[test]
fn what_is_given_back_comes_again_and_is_cut_anew() {
    let mut queue = PartitionQueue::new(at(10));
    queue.push(batch(&[10, 15, 17, 30], 40, 5));
    queue.push_skipped(&batch(&[40], 41, 5));
    queue.push(batch(&[41, 42, 43], 44, 5));
    let bytes = queue.bytes();
    let take = |queue: &mut PartitionQueue, limit| {
        let cut = queue.take(limit, &mut usize::MAX.clone()).unwrap();
        cut.into_taken(TopicPartition::new("t", 0))
    };
    let mut parts = vec![take(&mut queue, 3)];
    parts.push(take(&mut queue, 3));
    parts.push(take(&mut queue, 2));
    assert_eq!(queue.position(), at(43));
    let mut older = queue.clone();
    assert!(!older.give_back(at(15), parts[..2].to_vec()), "not the end");
    assert!(queue.give_back(at(15), parts));
    assert_eq!((queue.position(), queue.bytes()), (at(15), bytes));
    assert_eq!(queue.next_fetch(), at(44));
    let again = drain(&mut queue, 2);
    assert_eq!(again, [vec![15, 17], vec![30], vec![41, 42], vec![43]]);
}

#[test]
fn only_records_from_the_position_on_are_counted() {
    let mut queue = PartitionQueue::new(at(16));
    queue.push(batch(&[10, 15, 17, 30], 40, 5));
    assert_eq!(drain(&mut queue, 3), [vec![17, 30]]);
    let mut queue = PartitionQueue::new(at(31));
    queue.push(batch(&[10, 15, 17, 30], 40, 5));
    assert_eq!(drain(&mut queue, 3), [Vec::<i64>::new()]);
    assert_eq!(queue.position(), at(40));
}

#[test]
fn a_batch_that_cannot_be_walked_is_handed_over_whole() {
    let sound = batch(&[10, 15, 17, 30], 40, 5);
    let mut bytes = sound.bytes().to_vec();
    // The length of the first record.
    bytes[61] = 0xff;
    let broken = RecordBatch::parse(bytes.into()).unwrap();
    let mut queue = PartitionQueue::new(at(10));
    queue.push(broken);
    let cut = queue.take(2, &mut 1).unwrap();
    assert!(cut.count > 0);
    assert_eq!(cut.after.offset, 40);
}

#[test]
fn what_holds_nothing_is_passed() {
    let mut queue = PartitionQueue::new(at(0));
    queue.push_skipped(&batch(&[0], 1, 5));
    assert_eq!(queue.position(), at(1));
    queue.push(batch(&[1, 2], 3, 5));
    queue.push_skipped(&batch(&[3], 4, 5));
    queue.push(batch(&[], 6, 5));
    assert_eq!((queue.position(), queue.next_fetch()), (at(1), at(6)));
    assert_eq!(drain(&mut queue, 9), [vec![1, 2]]);
    assert_eq!(queue.position(), at(6));
}

#[test]
fn what_holds_nothing_takes_up_no_room() {
    let mut queue = PartitionQueue::new(at(0));
    queue.push(batch(&[0], 1, 5));
    for offset in 1..1000 {
        queue.push_skipped(&batch(&[offset], offset + 1, 5));
    }
    assert_eq!(queue.items.len(), 2);
    queue.push(batch(&[1000], 1001, 5));
    assert_eq!(drain(&mut queue, 9), [vec![0], vec![1000]]);
    assert_eq!(queue.position(), at(1001));
}

/// Ten records with gaps between them that unpack to this many bytes.
fn packed(bytes: usize) -> RecordBatch {
    let mut builder = RecordBatchBuilder::new()
        .partition_leader_epoch(5)
        .compression(Compression::Lz4)
        .last_offset_delta(19);
    let value = vec![0; bytes / 10];
    for index in 0..10 {
        builder
            .append_at(index * 2, 0, None, Some(&value), &[])
            .unwrap();
    }
    builder.build().unwrap()
}

#[test]
fn what_is_large_inside_is_not_unpacked_to_be_cut() {
    let mut queue = PartitionQueue::new(at(1));
    queue.push(packed(40 * 1024 * 1024));
    let cut = queue.take(3, &mut usize::MAX.clone()).unwrap();
    assert_eq!((cut.count, cut.until), (3, 20), "its reader has all of it");
    assert!(queue.is_empty());
}

#[test]
fn no_more_is_unpacked_at_once_than_is_allowed() {
    let mut allowance = 3 * 1024 * 1024;
    let mut taken = 0;
    for _ in 0..10 {
        let mut queue = PartitionQueue::new(at(1));
        queue.push(packed(1024 * 1024));
        taken += usize::from(queue.take(3, &mut allowance).is_some());
    }
    assert_eq!(
        (taken, allowance),
        (3, 0),
        "the others wait for the next time"
    );
}

#[test]
fn what_goes_backwards_is_left_out() {
    let mut queue = PartitionQueue::new(at(0));
    queue.push(batch(&[0, 1], 2, 5));
    queue.push(batch(&[0, 1], 2, 5));
    queue.push_skipped(&batch(&[1], 2, 5));
    queue.push(batch(&[1, 2], 3, 5));
    assert_eq!(drain(&mut queue, 9), [vec![0, 1], vec![2]]);
}

#[test]
fn truncation_takes_what_the_leader_cannot_have() {
    let mut queue = PartitionQueue::new(at(0));
    queue.push(batch(&[0, 1], 2, 5));
    queue.push(batch(&[2, 3], 4, 5));
    queue.push(batch(&[4, 5], 6, 7));
    assert!(!queue.truncate(6, LeaderEpoch::from_wire(7)));
    // The last batch is of an epoch that the leader never had.
    assert!(queue.truncate(6, LeaderEpoch::from_wire(6)));
    assert_eq!(queue.next_fetch(), at(4));
    // The one before reaches beyond the end.
    assert!(queue.truncate(3, EPOCH_5));
    assert_eq!(queue.next_fetch(), at(2));
    assert_eq!(drain(&mut queue, 9), [vec![0, 1]]);
}
