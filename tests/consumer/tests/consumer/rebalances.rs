//! Members come, go and stay away; listeners hear of it in order.

use std::time::Duration;

use windlass::assignor::by_name;
use windlass::{Consumer, ConsumerError};
use windlass_test_consumer::{Listener, Scene, Told, take, text};

const SECOND: Duration = Duration::from_secs(1);

fn member(scene: &Scene, assignor: &str, listener: &Listener) -> Consumer {
    scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .assignors([by_name(assignor).unwrap()])
        .rebalance_listener(listener.clone())
        .build()
        .unwrap()
}

/// Both poll for a while, and hand back how many records each was handed.
async fn both(first: &mut Consumer, second: &mut Consumer, rounds: usize) -> (usize, usize) {
    let mut counts = (0, 0);
    for _ in 0..rounds {
        counts.0 += first.poll(SECOND / 4).await.unwrap().count();
        counts.1 += second.poll(SECOND / 4).await.unwrap().count();
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn eager_members_give_up_everything_and_share_anew() {
    let scene = Scene::new(1, &[("events", 4)]).await;
    let (early, late) = (Listener::default(), Listener::default());
    let mut first = member(&scene, "range", &early);
    assert!(first.poll(10 * SECOND).await.unwrap().is_empty());
    assert_eq!(early.told(), [Told::Assigned(vec![0, 1, 2, 3])]);
    let mut second = member(&scene, "range", &late);
    both(&mut first, &mut second, 40).await;
    let told = early.told();
    assert_eq!(told[0], Told::Revoked(vec![0, 1, 2, 3]));
    assert!(
        matches!(&told[1], Told::Assigned(half) if half.len() == 2),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
    assert!(matches!(&late.told()[..], [Told::Assigned(half)] if half.len() == 2));
    scene.fill("events", 4, 10).await;
    assert_eq!(both(&mut first, &mut second, 20).await, (20, 20));
    second.close(SECOND).await.unwrap();
    assert_eq!(late.told().len(), 1, "it is told that its partitions go");
    take(&mut first, 20).await.unwrap();
    assert_eq!(first.assignment().await.unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn cooperative_members_give_up_only_what_moves() {
    let scene = Scene::new(1, &[("events", 4)]).await;
    let (early, late) = (Listener::default(), Listener::default());
    let mut first = member(&scene, "cooperative-sticky", &early);
    assert!(first.poll(10 * SECOND).await.unwrap().is_empty());
    let mut second = member(&scene, "cooperative-sticky", &late);
    both(&mut first, &mut second, 40).await;
    let told = early.told();
    assert_eq!(told[0], Told::Assigned(vec![0, 1, 2, 3]));
    let revoked: Vec<&Vec<i32>> = told
        .iter()
        .filter_map(|told| match told {
            Told::Revoked(partitions) => Some(partitions),
            _ => None,
        })
        .collect();
    assert!(
        matches!(&revoked[..], [moved] if moved.len() == 2),
        "{told:?}"
    );
    let came = told[1..]
        .iter()
        .any(|told| matches!(told, Told::Assigned(new) if !new.is_empty()));
    assert!(!came, "what stayed was not assigned again: {told:?}");
    let moved = revoked[0].clone();
    assert!(late.told().contains(&Told::Assigned(moved)));
}

#[tokio::test(start_paused = true)]
async fn a_commit_in_on_revoked_is_where_the_next_owner_begins() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 10).await;
    let (early, late) = (Listener::committing(), Listener::default());
    let mut first = member(&scene, "range", &early);
    assert_eq!(take(&mut first, 20).await.unwrap().len(), 20);
    let mut second = member(&scene, "range", &late);
    assert_eq!(
        both(&mut first, &mut second, 40).await,
        (0, 0),
        "everything was committed in time"
    );
    scene.produce("events", 0, &["new".to_owned()]).await;
    scene.produce("events", 1, &["new".to_owned()]).await;
    assert_eq!(both(&mut first, &mut second, 8).await, (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_member_that_stays_away_loses_everything_and_comes_back() {
    let scene = Scene::new(1, &[("events", 2)]).await;
    scene.fill("events", 2, 5).await;
    let listener = Listener::default();
    let mut consumer = scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .max_poll_interval(10 * SECOND)
        .rebalance_listener(listener.clone())
        .build()
        .unwrap();
    let first = take(&mut consumer, 10).await.unwrap();
    assert_eq!(listener.told(), [Told::Assigned(vec![0, 1])]);
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(listener.told(), [Told::Lost(vec![0, 1])]);
    let again = take(&mut consumer, 10).await.unwrap();
    assert_eq!(listener.told(), [Told::Assigned(vec![0, 1])]);
    assert_eq!(first.len(), again.len(), "nothing was committed");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fails_is_told_of_and_stops_nothing() {
    let scene = Scene::new(1, &[("events", 1)]).await;
    let mut consumer = member(&scene, "range", &Listener::failing());
    let error = consumer.poll(60 * SECOND).await.unwrap_err();
    assert!(
        matches!(&error, ConsumerError::Listener { detail } if detail.contains("broken")),
        "{error}"
    );
    scene.fill("events", 1, 5).await;
    let records = take(&mut consumer, 5).await.unwrap();
    assert_eq!(text(&records[4]), "0:4");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_can_be_changed_and_given_up() {
    let scene = Scene::new(1, &[("events", 1), ("others", 1)]).await;
    scene.fill("events", 1, 3).await;
    scene.fill("others", 1, 3).await;
    let mut consumer = scene
        .consumer()
        .group_id("g")
        .subscribe(["events"])
        .build()
        .unwrap();
    assert_eq!(take(&mut consumer, 3).await.unwrap().len(), 3);
    consumer.subscribe(["others"]).await.unwrap();
    let records = take(&mut consumer, 3).await.unwrap();
    assert!(
        records
            .iter()
            .all(|record| record.topic_partition.topic.as_str() == "others")
    );
    assert_eq!(records.len(), 3);
    consumer.unsubscribe().await.unwrap();
    tokio::time::sleep(10 * SECOND).await;
    assert!(consumer.assignment().await.unwrap().is_empty());
    let view = scene
        .cluster
        .with_core(|core, _| core.group("g"))
        .await
        .flatten();
    assert!(
        view.is_none_or(|view| view.members.is_empty()),
        "it left the group"
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_outlives_its_coordinator() {
    let scene = Scene::new(3, &[("events", 3)]).await;
    scene.fill("events", 3, 10).await;
    let listener = Listener::default();
    let mut consumer = member(&scene, "range", &listener);
    assert_eq!(take(&mut consumer, 30).await.unwrap().len(), 30);
    let coordinator = scene
        .cluster
        .with_core(|core, _| core.coordinator_of_group("g"))
        .await;
    scene
        .cluster
        .kill_node(coordinator.flatten().unwrap().0)
        .await;
    tokio::time::sleep(SECOND).await;
    consumer.commit().await.unwrap();
    assert_eq!(scene.committed("g").await.values().sum::<i64>(), 30);
    scene.fill("events", 3, 1).await;
    assert_eq!(take(&mut consumer, 3).await.unwrap().len(), 3);
    assert_eq!(
        listener.told(),
        [Told::Assigned(vec![0, 1, 2])],
        "no rebalance was needed"
    );
}
