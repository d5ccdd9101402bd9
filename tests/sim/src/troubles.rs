//! What stood between one member and its coordinator: the only excuse for not committing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windlass_model::TopicPartition;
use windlass_protocol::{ApiKey, ErrorCode, ResponseKind};

/// The troubles of one member.
#[derive(Debug)]
pub(crate) struct Troubles {
    /// When the coordinator last answered without complaint.
    pub(crate) heard: Instant,
    /// When a request to or about the coordinator was last lost, or put off by its answer.
    pub(crate) hindered: Option<Instant>,
    /// When an answer last said that the membership is over.
    pub(crate) expelled: Option<Instant>,
    /// When a commit of the partition was last refused for good.
    pub(crate) refused: BTreeMap<TopicPartition, Instant>,
    /// When the member last lost everything.
    pub(crate) lost: Option<Instant>,
    /// Since when partitions are withdrawn.
    pub(crate) withdrawn: BTreeMap<TopicPartition, Instant>,
    /// Since when the application has been out of `poll`.
    pub(crate) away_since: Option<Instant>,
    /// Since when its listener is at work, one call after the other, and until when it was.
    pub(crate) listens: Option<(Instant, Option<Instant>)>,
}

impl Troubles {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            hindered: None,
            expelled: None,
            refused: BTreeMap::new(),
            lost: None,
            withdrawn: BTreeMap::new(),
            away_since: Some(now),
            listens: None,
        }
    }

    /// A request found no answer.
    pub(crate) const fn on_silence(&mut self, api: ApiKey, now: Instant) {
        if concerns_group(api) {
            self.hindered = Some(now);
        }
    }

    /// An answer reaches the member.
    pub(crate) fn on_answer(&mut self, response: &ResponseKind, now: Instant) {
        let code = match response {
            ResponseKind::FindCoordinator(response) => response
                .coordinators
                .first()
                .map_or(ErrorCode::NONE, |found| found.error_code),
            ResponseKind::JoinGroup(response) => response.error_code,
            ResponseKind::SyncGroup(response) => response.error_code,
            ResponseKind::Heartbeat(response) => response.error_code,
            ResponseKind::OffsetCommit(response) => {
                let mut all = ErrorCode::NONE;
                for topic in &response.topics {
                    for partition in &topic.partitions {
                        let code = partition.error_code;
                        if !code.is_none() {
                            all = code;
                        }
                        if is_final(code) {
                            let key =
                                TopicPartition::new(topic.name.as_str(), partition.partition_index);
                            self.refused.insert(key, now);
                        }
                    }
                }
                all
            }
            _ => return,
        };
        if is_expulsion(code) {
            self.expelled = Some(now);
        } else if code.is_none() || code == ErrorCode::REBALANCE_IN_PROGRESS {
            self.heard = now;
        } else {
            self.hindered = Some(now);
        }
    }

    /// Whether a commit that went on since then for so long, and was allowed to take `limit`, may
    /// have failed: refused for good, or hindered until its time was over.
    pub(crate) fn excuse_commit(
        &self,
        partition: Option<&TopicPartition>,
        since: Instant,
        limit: Duration,
        now: Instant,
    ) -> bool {
        let refused = match partition {
            Some(partition) => self.refused.get(partition).copied(),
            None => self.refused.values().max().copied(),
        };
        let later = |at: Option<Instant>| at.is_some_and(|at| at >= since);
        let out_of_time = now.saturating_duration_since(since) >= limit;
        let deaf = now.saturating_duration_since(self.heard) >= limit / 2;
        later(refused)
            || later(self.expelled)
            || later(self.lost)
            || out_of_time && (later(self.hindered) || deaf)
    }

    /// Whether the member had to notice by now that it lost everything.
    pub(crate) fn excuse_loss(&self, poll_interval: Duration, now: Instant) -> bool {
        let away = self
            .away_since
            .is_some_and(|since| now.saturating_duration_since(since) >= poll_interval);
        let listens = self
            .listens
            .filter(|(_, until)| until.is_none_or(|until| until == now));
        let overdue =
            listens.is_some_and(|(since, _)| now.saturating_duration_since(since) >= poll_interval);
        away || overdue || self.expelled == Some(now)
    }
}

const fn concerns_group(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::FindCoordinator
            | ApiKey::JoinGroup
            | ApiKey::SyncGroup
            | ApiKey::Heartbeat
            | ApiKey::OffsetCommit
    )
}

/// Whether the coordinator no longer knows the member under the name it gives.
fn is_expulsion(code: ErrorCode) -> bool {
    code == ErrorCode::UNKNOWN_MEMBER_ID
        || code == ErrorCode::ILLEGAL_GENERATION
        || code == ErrorCode::FENCED_INSTANCE_ID
}

/// Whether a commit that is answered so need not be tried again.
fn is_final(code: ErrorCode) -> bool {
    is_expulsion(code)
        || code == ErrorCode::REBALANCE_IN_PROGRESS
        || code == ErrorCode::UNKNOWN_SERVER_ERROR
}

impl Troubles {
    /// The listener is called.
    pub(crate) fn listener_begins(&mut self, now: Instant) {
        let goes_on =
            |(_, until): &(Instant, Option<Instant>)| until.is_none_or(|until| until == now);
        let since = self.listens.filter(goes_on).map_or(now, |(since, _)| since);
        self.listens = Some((since, None));
    }

    /// A call to the listener has returned.
    pub(crate) const fn listener_returns(&mut self, now: Instant) {
        if let Some((_, until)) = &mut self.listens {
            *until = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_protocol::messages::HeartbeatResponse;

    #[test]
    fn a_passing_hindrance_excuses_only_when_the_time_is_over() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let limit = Duration::from_secs(6);
        let mut troubles = Troubles::new(start);
        troubles.on_silence(ApiKey::OffsetCommit, at(11));
        troubles.heard = at(15);
        assert!(!troubles.excuse_commit(None, at(10), limit, at(15)));
        assert!(troubles.excuse_commit(None, at(10), limit, at(16)));
        troubles.heard = at(17);
        assert!(!troubles.excuse_commit(None, at(12), limit, at(18)));
    }

    #[test]
    fn an_expulsion_excuses_at_once() {
        let now = Instant::now();
        let mut troubles = Troubles::new(now);
        assert!(!troubles.excuse_loss(Duration::from_secs(1), now));
        let answer = HeartbeatResponse {
            error_code: ErrorCode::UNKNOWN_MEMBER_ID,
            ..HeartbeatResponse::default()
        };
        troubles.on_answer(&answer.into(), now);
        assert!(troubles.excuse_loss(Duration::from_secs(1), now));
        assert!(troubles.excuse_commit(None, now, Duration::from_secs(6), now));
    }
}
