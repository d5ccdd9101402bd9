//! A member of the demonstration's groups: a consumer on a thread and a runtime of its own, so that
//! it can crash without a word.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use windlass::{
    Consumer, ConsumerError, ListenerError, OffsetReset, Rebalance, RebalanceListener,
    TopicPartition, async_trait,
};

use super::{News, TOPIC};

/// The other end of a member's thread.
pub(super) struct Member {
    stop: oneshot::Sender<Stop>,
    gone: oneshot::Receiver<Gone>,
}

/// The member's thread has ended.
#[derive(Debug)]
struct Gone(());

/// How a member stops.
enum Stop {
    Leave,
    Crash,
}

impl Member {
    pub(super) fn start(
        bootstrap: &str,
        group: &'static str,
        name: &str,
        news: mpsc::UnboundedSender<News>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (going, gone) = oneshot::channel();
        let bootstrap = bootstrap.to_owned();
        let name = name.to_owned();
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            let story = news.clone();
            if let Err(error) = runtime.block_on(work(&bootstrap, group, &name, news, stopped)) {
                drop(story.send(News::Story(format!("{name}: {error}"))));
            }
            // Whatever the runtime still runs ends here, in mid-sentence.
            runtime.shutdown_background();
            // Nobody waits for a member that crashed.
            drop(going.send(Gone(())));
        });
        Self { stop, gone }
    }

    /// Commits, leaves the group, and comes back when that is done.
    pub(super) async fn leave(self) {
        drop(self.stop.send(Stop::Leave));
        drop(self.gone.await);
    }

    /// Ends as a killed process ends.
    pub(super) fn crash(self) {
        drop(self.stop.send(Stop::Crash));
    }
}

async fn work(
    bootstrap: &str,
    group: &'static str,
    name: &str,
    news: mpsc::UnboundedSender<News>,
    mut stopped: oneshot::Receiver<Stop>,
) -> Result<(), ConsumerError> {
    let mut consumer = Consumer::builder()
        .bootstrap_servers(bootstrap)
        .group_id(group)
        .client_id(name)
        .auto_offset_reset(OffsetReset::Earliest)
        .session_timeout(Duration::from_secs(2))
        .heartbeat_interval(Duration::from_millis(300))
        .auto_commit_interval(Duration::from_millis(500))
        .rebalance_listener(Reporter {
            group,
            member: name.to_owned(),
            news: news.clone(),
        })
        .subscribe([TOPIC])
        .build()?;
    loop {
        let records = tokio::select! {
            biased;
            stop = &mut stopped => {
                return match stop {
                    Ok(Stop::Crash) => {
                        std::mem::forget(consumer);
                        Ok(())
                    }
                    Ok(Stop::Leave) | Err(_) => consumer.close(Duration::from_secs(2)).await,
                };
            }
            records = consumer.poll(Duration::from_millis(200)) => records?,
        };
        for (partition, batch) in records.by_partition() {
            let count = i64::try_from(batch.count()).unwrap_or(i64::MAX);
            let report = News::Position {
                group,
                partition: partition.partition,
                offset: batch.next_offset(),
                count,
            };
            drop(news.send(report));
        }
    }
}

/// Tells the board what comes and goes.
struct Reporter {
    group: &'static str,
    member: String,
    news: mpsc::UnboundedSender<News>,
}

impl Reporter {
    fn report(
        &self,
        partitions: &[TopicPartition],
        make: impl FnOnce(&'static str, String, Vec<i32>) -> News,
    ) {
        let partitions = partitions
            .iter()
            .map(|partition| partition.partition)
            .collect();
        drop(
            self.news
                .send(make(self.group, self.member.clone(), partitions)),
        );
    }
}

#[async_trait]
impl RebalanceListener for Reporter {
    async fn on_revoked(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.report(partitions, |group, member, partitions| News::Revoked {
            group,
            member,
            partitions,
        });
        Ok(())
    }

    async fn on_assigned(&self, rebalance: &Rebalance) -> Result<(), ListenerError> {
        let partitions = rebalance.partitions();
        self.report(partitions, |group, member, partitions| News::Assigned {
            group,
            member,
            partitions,
        });
        Ok(())
    }
}
