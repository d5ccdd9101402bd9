//! A member that is a windlass consumer in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use windlass::assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor};
use windlass::{
    Consumer, ListenerError, OffsetReset, Rebalance, RebalanceListener, TopicPartition, async_trait,
};

use crate::history::{Event, Report};
use crate::member::{Kind, Membership};

#[derive(Debug)]
pub(crate) struct WindlassMember {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl WindlassMember {
    pub(crate) fn start(membership: Membership, reports: Sender<Report>) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(consume(&membership, &reports, &told));
        });
        Self {
            stopping,
            thread: Some(thread),
        }
    }

    pub(crate) fn stop(mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for WindlassMember {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

async fn consume(membership: &Membership, reports: &Sender<Report>, stopping: &AtomicBool) {
    let assignor: Arc<dyn Assignor> = match membership.strategy {
        "range" => Arc::new(RangeAssignor::new()),
        "roundrobin" => Arc::new(RoundRobinAssignor::new()),
        _ => Arc::new(CooperativeStickyAssignor::new()),
    };
    let mut consumer = Consumer::builder()
        .bootstrap_servers(&membership.bootstrap)
        .client_id(Kind::Windlass.name())
        .group_id(&*membership.group)
        .subscribe([membership.topic.as_str()])
        .assignors([assignor])
        .auto_offset_reset(OffsetReset::Earliest)
        .session_timeout(Duration::from_secs(10))
        .heartbeat_interval(Duration::from_millis(500))
        .rebalance_listener(Reporter(reports.clone()))
        .build()
        .unwrap();
    while !stopping.load(Ordering::Relaxed) {
        let records = consumer.poll(Duration::from_millis(100)).await.unwrap();
        for record in records.iter() {
            let record = record.unwrap();
            let event = Event::Read {
                partition: i64::from(record.partition()),
                offsets: record.offset()..record.offset() + 1,
            };
            report(reports, event);
        }
    }
    consumer.close(Duration::from_secs(10)).await.unwrap();
    report(reports, Event::Ended);
}

struct Reporter(Sender<Report>);

#[async_trait]
impl RebalanceListener for Reporter {
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        report(&self.0, Event::Revoked(indexes(partitions)));
        Ok(())
    }

    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        report(&self.0, Event::Assigned(indexes(partitions)));
        Ok(())
    }
}

fn indexes(partitions: &[TopicPartition]) -> Vec<i64> {
    partitions
        .iter()
        .map(|it| i64::from(it.partition))
        .collect()
}

fn report(reports: &Sender<Report>, event: Event) {
    let kind = Kind::Windlass;
    // After a failure nobody listens any more.
    drop(reports.send(Report { kind, event }));
}
