//! `windlass consume`.

use std::time::Duration;

use windlass::TopicPartition;
use windlass_test_consumer::Scene;

use crate::scene::run;

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_reached_past_an_aborted_tail_while_another_partition_is_busy() {
    let scene = Scene::new(1, &[("t", 2)]).await;
    let aborted = TopicPartition::new("t", 0);
    scene.transact(&aborted, "never", false).await;
    scene.produce("t", 1, &["first".to_owned()]).await;
    let busy = scene.clone();
    let writer = tokio::spawn(async move {
        loop {
            busy.produce("t", 1, &["more".to_owned()]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let run = run(
        &scene,
        &[
            "consume",
            "--topic",
            "t",
            "--to",
            "end",
            "--format",
            "value",
            "-X",
            "isolation.level=read_committed",
        ],
    )
    .await;
    writer.abort();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("first\n"), "{run:?}");
    assert!(!run.stdout.contains("never"), "{run:?}");
}
