//! Strategies of the application's own.

use std::sync::Arc;
use std::time::Duration;

use windlass::ConsumerError;
use windlass::assignor::{AssignError, Assignment, Assignor, Members};
use windlass::model::{Cluster, TopicPartitions};
use windlass_test_consumer::Scene;

/// What a strategy does that should not.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Panics,
    Fails,
    GivesTwice,
}

#[derive(Debug)]
struct Faulty(Fault);

impl Assignor for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn assign(&self, cluster: &Cluster, members: &Members) -> Result<Assignment, AssignError> {
        match self.0 {
            Fault::Panics => panic!("the sky fell"),
            Fault::Fails => Err(AssignError::strategy("the sky fell")),
            Fault::GivesTwice => {
                let twice = |_| {
                    let mut all = TopicPartitions::new();
                    for topic in cluster.topics.keys() {
                        all.push(topic, 0);
                        all.push(topic, 0);
                    }
                    all
                };
                let plan = members.iter().map(|(id, _)| (id.clone(), twice(id)));
                Ok(plan.collect())
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_strategy_that_goes_wrong_is_named_and_ends_nothing_else() {
    for (fault, said) in [
        (Fault::Panics, "the sky fell"),
        (Fault::Fails, "the sky fell"),
        (Fault::GivesTwice, "was given to"),
    ] {
        let scene = Scene::new(1, &[("events", 1)]).await;
        let builder = scene.consumer().group_id("g").subscribe(["events"]);
        let mut consumer = builder
            .assignors([Arc::new(Faulty(fault)) as Arc<dyn Assignor>])
            .build()
            .unwrap();
        let error = consumer.poll(Duration::from_secs(60)).await.unwrap_err();
        assert!(error.to_string().contains(said), "{fault:?}: {error}");
        assert!(!matches!(error, ConsumerError::Closed));
        // The consumer is alive: it answers, and closes in time.
        assert!(consumer.assignment().await.unwrap().is_empty());
        consumer.close(Duration::from_secs(1)).await.unwrap();
    }
}
