//! What is handed out, in which parts and in which order.

use windlass_fetch::FetchConfig;
use windlass_protocol::records::RecordBatch;

use crate::answer::{Part, wanted};
use crate::batches::{compressed, dense, sparse};
use crate::scene::{Scene, at, epoch, partition};

/// One partition that stands at `offset`, with these batches waiting.
fn loaded(offset: i64, batches: Vec<RecordBatch>) -> Scene {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5)]);
    scene.assign(&[(0, at(offset))]);
    let (fetch, _) = scene.fetch();
    scene.respond(
        &fetch,
        vec![batches.into_iter().fold(Part::of(0), Part::batch)],
    );
    scene
}

/// All offsets in portions of at most `most`.
fn portions(scene: &mut Scene, most: usize) -> Vec<Vec<i64>> {
    let mut portions = Vec::new();
    loop {
        let taken: Vec<i64> = scene
            .take(most)
            .into_iter()
            .flat_map(|part| part.1)
            .collect();
        if taken.is_empty() {
            assert_eq!(scene.machine.buffered_bytes(), 0);
            return portions;
        }
        portions.push(taken);
    }
}

#[test]
fn at_most_so_many_records_go_out_whatever_the_batches() {
    for most in 1..12 {
        let batches = vec![
            dense(0, 5),
            compressed(5, 9),
            sparse(9, &[10, 13, 14], 20),
            sparse(20, &[], 22),
            dense(22, 23),
        ];
        let all = vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 22];
        let mut scene = loaded(0, batches);
        let portions = portions(&mut scene, most);
        assert!(portions.iter().all(|portion| portion.len() <= most));
        assert!(
            portions
                .iter()
                .rev()
                .skip(1)
                .all(|portion| portion.len() == most)
        );
        assert_eq!(portions.concat(), all, "{most} at a time");
        assert_eq!(scene.position(0), Some(23));
    }
}

#[test]
fn a_batch_begins_where_the_position_is() {
    for most in [1, 2, 100] {
        let mut scene = loaded(3, vec![dense(0, 5)]);
        assert_eq!(portions(&mut scene, most).concat(), [3, 4]);
        let mut scene = loaded(7, vec![compressed(5, 9)]);
        assert_eq!(portions(&mut scene, most).concat(), [7, 8]);
        let mut scene = loaded(11, vec![sparse(9, &[10, 13, 14], 20)]);
        assert_eq!(portions(&mut scene, most).concat(), [13, 14]);
    }
}

#[test]
fn a_batch_with_nothing_left_from_the_position_on_is_passed() {
    let mut scene = loaded(15, vec![sparse(9, &[10, 13, 14], 20), dense(20, 21)]);
    assert_eq!(scene.take(1), [(0, vec![20])]);
    assert_eq!(scene.position(0), Some(21));

    // And when there is nothing else, it does not stay for ever.
    let mut scene = loaded(15, vec![sparse(9, &[10, 13, 14], 20)]);
    assert_eq!(scene.take(1), []);
    assert_eq!(scene.position(0), Some(20));
    assert_eq!(scene.machine.buffered_bytes(), 0);
    assert_eq!(wanted(&scene.fetch().1), [(0, 20)]);
}

#[test]
fn the_position_knows_the_epoch_of_the_record_before_it() {
    let mut scene = loaded(0, vec![dense(0, 5)]);
    assert_eq!(
        scene.machine.position(&partition(0)).unwrap().leader_epoch,
        None
    );
    let taken = scene.input(|machine, now| machine.take(2, now));
    assert_eq!(taken[0].position_before.leader_epoch, None);
    assert_eq!(taken[0].position_after.offset, 2);
    assert_eq!(taken[0].position_after.leader_epoch, epoch(5));
    let taken = scene.input(|machine, now| machine.take(9, now));
    assert_eq!(taken[0].position_before.offset, 2);
    assert_eq!(taken[0].position_before.leader_epoch, epoch(5));
}

#[test]
fn positions_move_only_when_records_are_taken() {
    let mut scene = loaded(0, vec![dense(0, 5), dense(5, 9)]);
    assert_eq!(scene.position(0), Some(0));
    assert_eq!(scene.take(0), []);
    assert_eq!(scene.position(0), Some(0));
    assert_eq!(wanted(&scene.fetch().1), [(0, 9)]);
    let _some = scene.take(6);
    assert_eq!(scene.position(0), Some(6));
    assert_eq!(scene.machine.lag(&partition(0)), Some(994));
}

#[test]
fn every_partition_has_its_turn() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0)), (2, at(0))]);
    let (fetch, _) = scene.fetch();
    let parts = (0..3).map(|index| Part::of(index).batch(dense(0, 4)));
    scene.respond(&fetch, parts.collect());
    let order: Vec<i32> = (0..6).map(|_| scene.take(2)[0].0).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_eq!(scene.take(2), []);
}

#[test]
fn a_compressed_batch_that_was_begun_is_finished_first() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0)), (2, at(0))]);
    let (fetch, _) = scene.fetch();
    let parts = vec![
        Part::of(0).batch(compressed(0, 4)).batch(compressed(4, 8)),
        Part::of(1).batch(compressed(0, 4)),
        Part::of(2).batch(dense(0, 4)),
    ];
    scene.respond(&fetch, parts);
    let order: Vec<i32> = (0..8).map(|_| scene.take(2)[0].0).collect();
    assert_eq!(order, [0, 0, 1, 1, 2, 0, 0, 2]);
    assert_eq!(scene.take(2), []);
}

#[test]
fn a_partition_does_not_go_from_batch_to_batch_while_others_wait() {
    let mut scene = Scene::new();
    scene.leaders(&[(1, 5), (1, 5)]);
    scene.assign(&[(0, at(0)), (1, at(0))]);
    let (fetch, _) = scene.fetch();
    let mut busy = Part::of(0);
    for first in 0..10 {
        busy = busy.batch(compressed(first * 3, first * 3 + 3));
    }
    scene.respond(&fetch, vec![busy, Part::of(1).batch(dense(0, 2))]);
    // Two records of a batch of three: each poll ends inside of the next batch.
    let order: Vec<Vec<i32>> = (0..4)
        .map(|_| scene.take(2).into_iter().map(|part| part.0).collect())
        .collect();
    assert_eq!(order, [vec![0], vec![0, 1], vec![0], vec![0, 1]]);
}

#[test]
fn batches_in_the_wrong_order_are_left_out() {
    let mut scene = loaded(0, vec![dense(0, 3), dense(0, 3), dense(2, 5), dense(4, 5)]);
    assert_eq!(portions(&mut scene, 100).concat(), [0, 1, 2, 3, 4]);
}

#[test]
fn readiness_is_told_once_until_all_is_taken() {
    let mut scene = Scene::fetching(FetchConfig::default());
    let ready = |scene: &mut Scene| {
        std::mem::take(&mut scene.events)
            .iter()
            .filter(|event| matches!(event, windlass_fetch::FetchEvent::RecordsReady))
            .count()
    };
    let (fetch, _) = scene.fetch();
    let parts = (0..2).map(|index| Part::of(index).batch(dense(0, 2)));
    scene.respond(&fetch, parts.collect());
    assert_eq!(ready(&mut scene), 1);
    let _some = scene.take(2);
    assert_eq!(ready(&mut scene), 0);
    let _rest = scene.take(100);
    let (other, _) = scene.fetch();
    scene.respond(&other, vec![Part::of(2).batch(dense(0, 2))]);
    assert_eq!(ready(&mut scene), 1);
}
