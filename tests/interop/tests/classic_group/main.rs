//! Kafka's Java consumer, librdkafka and windlass share one classic group.
//!
//! On the embedded broker and on a real Kafka, under every strategy that all three have, each of them
//! starts first once, and so leads once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests are tests: what cannot be is a failure"
)]

mod cluster;
mod history;
mod member;
mod process;
mod requirements;
mod scenario;
mod silence;
mod windlass_member;

use std::sync::{Mutex, PoisonError};

use crate::cluster::Cluster;
use crate::member::Kind;
use crate::requirements::{Requirements, say};
use crate::scenario::share_a_group;

const STRATEGIES: [&str; 3] = ["range", "roundrobin", "cooperative-sticky"];

/// The tests want the whole machine, one after the other.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn on_the_embedded_broker() {
    run("the embedded broker", |_| Ok(Cluster::embedded()));
}

#[test]
fn on_kafka() {
    run("Kafka", |_| Cluster::kafka());
}

#[test]
fn what_is_kept_is_read_on_during_rebalances() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ready = Requirements::find().and_then(|found| Ok((silence::cluster()?, found)));
    match ready {
        Ok((cluster, requirements)) => silence::run(&cluster, &requirements),
        Err(reason) => requirements::not_run("Kafka, cooperative-sticky", &reason),
    }
}

fn run(name: &str, start: impl FnOnce(&Requirements) -> Result<Cluster, String>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let ready = Requirements::find().and_then(|found| {
        let cluster = start(&found)?;
        Ok((found, cluster))
    });
    let (requirements, cluster) = match ready {
        Ok(ready) => ready,
        Err(reason) => return requirements::not_run(name, &reason),
    };
    for strategy in STRATEGIES {
        for first in 0..3 {
            let mut order = [Kind::Java, Kind::Librdkafka, Kind::Windlass];
            order.rotate_left(first);
            let outcome = share_a_group(&cluster, &requirements, strategy, order);
            say(&format!("{name}, {strategy}: {outcome}"));
        }
    }
}
