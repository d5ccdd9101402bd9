//! Questions for what the group has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use windlass_machine::{Backoff, FailureKind, RequestFailure, RequestId};
use windlass_model::{LeaderEpoch, OffsetAndMetadata, TopicPartition};
use windlass_protocol::ErrorCode;
use windlass_protocol::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
};
use windlass_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse};

use crate::commit::OffsetCommits;
use crate::coordinator::{Coordinator, is_hopeless};
use crate::event::{CommitId, OffsetFetchId, OffsetFetchResults};
use crate::identity::Identity;
use crate::outputs::{Outputs, Purpose, Sent};
use crate::timer::GroupTimer;
use crate::words::counted;
use crate::{GroupConfig, GroupError, GroupEvent, OffsetFetchError};

/// When the answer to a question is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answering {
    /// All of it together.
    AtOnce,
    /// What is known of some partitions as soon as it is known.
    AsItComes,
}

/// A question that has not ended.
#[derive(Debug)]
struct Question {
    id: OffsetFetchId,
    deadline: Instant,
    /// Whether what is known of some partitions waits for the others.
    answering: Answering,
    /// The newest commit when it was asked: what was made until then comes first.
    after: CommitId,
    open: BTreeSet<TopicPartition>,
    results: OffsetFetchResults,
    request: Option<RequestId>,
    waiting_for: String,
}

/// All questions that have not ended; they go side by side. Partitions that are answered are not
/// asked for again.
#[derive(Debug)]
pub(crate) struct OffsetFetches {
    questions: Vec<Question>,
    backoff: Backoff,
    require_stable: bool,
    next_id: u64,
}

impl OffsetFetches {
    pub(crate) fn new(config: &GroupConfig) -> Self {
        Self {
            questions: Vec::new(),
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            require_stable: config.require_stable,
            next_id: 0,
        }
    }

    pub(crate) const fn is_idle(&self) -> bool {
        self.questions.is_empty()
    }

    pub(crate) fn ask(
        &mut self,
        partitions: BTreeSet<TopicPartition>,
        answering: Answering,
        after: CommitId,
        deadline: Instant,
    ) -> OffsetFetchId {
        self.next_id += 1;
        let id = OffsetFetchId(self.next_id);
        self.questions.push(Question {
            id,
            deadline,
            answering,
            after,
            open: partitions,
            results: BTreeMap::new(),
            request: None,
            waiting_for: "its turn".to_owned(),
        });
        id
    }

    /// Ends what has ended, and sends what can be sent.
    pub(crate) fn advance(
        &mut self,
        config: &GroupConfig,
        commits: &OffsetCommits,
        coordinator: &Coordinator,
        out: &mut Outputs,
        now: Instant,
    ) {
        self.end_finished(out);
        let resting = out.timers.deadline(GroupTimer::OffsetFetchRetry).is_some();
        for question in &mut self.questions {
            if resting || question.request.is_some() {
                continue;
            }
            if commits.concern(&question.open, question.after) {
                "an earlier commit of the same".clone_into(&mut question.waiting_for);
                continue;
            }
            let Some(address) = coordinator.address() else {
                "the group's coordinator to be found".clone_into(&mut question.waiting_for);
                continue;
            };
            "the coordinator's answer".clone_into(&mut question.waiting_for);
            let request = request(config, self.require_stable, &question.open);
            let deadline = now + config.request_timeout;
            let identity = Identity::default();
            let purpose = Purpose::OffsetFetch;
            question.request = Some(out.send(purpose, address, identity, request, deadline));
        }
        match self.questions.iter().map(|one| one.deadline).min() {
            Some(deadline) => out.timers.set(GroupTimer::OffsetFetchDeadline, deadline),
            None => {
                out.timers.clear(GroupTimer::OffsetFetchDeadline);
                out.timers.clear(GroupTimer::OffsetFetchRetry);
            }
        }
    }

    /// The answer to a request; says why the coordinator is lost, if it is.
    pub(crate) fn on_answer(
        &mut self,
        sent: &Sent,
        answer: Result<OffsetFetchResponse, RequestFailure>,
        config: &GroupConfig,
        out: &mut Outputs,
        now: Instant,
    ) -> Option<String> {
        let asked = Some(sent.id);
        let question = self.questions.iter_mut().find(|one| one.request == asked)?;
        question.request = None;
        let mut lost = None;
        match answer {
            Ok(response) => {
                let group = config.group_id.as_str();
                // Brokers before OffsetFetch version 8 do not repeat the group.
                let mut groups = response.groups.into_iter();
                match groups.find(|one| one.group_id == group || one.group_id.is_empty()) {
                    Some(group) => lost = question.settle(group, config),
                    None => question.refuse(ErrorCode::UNKNOWN_SERVER_ERROR),
                }
            }
            // Brokers before 2.5 cannot wait for transactions: then without.
            Err(failure) if cannot_wait(&failure) && self.require_stable => {
                self.require_stable = false;
                return None;
            }
            Err(failure) if is_hopeless(&failure) => {
                let api = Purpose::OffsetFetch.api();
                let error = GroupError::Unsendable { api, failure };
                question.fail(&OffsetFetchError::Group(error));
            }
            Err(failure) => {
                question.waiting_for = format!("a better answer than this: {failure}");
                lost = Some(format!("OffsetFetch was not answered: {failure}"));
            }
        }
        if question.open.is_empty() {
            self.backoff.reset();
        } else {
            let pause = self.backoff.next(&mut out.random);
            out.timers.set(GroupTimer::OffsetFetchRetry, now + pause);
        }
        lost
    }

    /// Some deadline has passed.
    pub(crate) fn on_deadline(&mut self, now: Instant, out: &mut Outputs) {
        for question in &mut self.questions {
            if question.deadline <= now {
                let waiting_for = format!("it waited for {}", question.waiting_for);
                question.fail(&OffsetFetchError::TimedOut { waiting_for });
                if let Some(request) = question.request.take() {
                    out.abandon(request);
                }
            }
        }
    }

    /// The group cannot be reached for good.
    pub(crate) fn fail_all(&mut self, error: &GroupError, out: &mut Outputs) {
        for question in &mut self.questions {
            question.fail(&OffsetFetchError::Group(error.clone()));
            if let Some(request) = question.request.take() {
                out.abandon(request);
            }
        }
    }

    fn end_finished(&mut self, out: &mut Outputs) {
        let (finished, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.questions)
            .into_iter()
            .partition(|question| question.open.is_empty());
        self.questions = waiting;
        for question in finished {
            out.emit(answer(question.id, question.results, true));
        }
        for question in &mut self.questions {
            if question.answering == Answering::AsItComes && !question.results.is_empty() {
                let known = std::mem::take(&mut question.results);
                out.emit(answer(question.id, known, false));
            }
        }
    }
}

fn answer(id: OffsetFetchId, results: OffsetFetchResults, is_last: bool) -> GroupEvent {
    let reason = match results.values().find_map(|one| one.as_ref().err()) {
        None => format!("known: {}", counted(results.len(), "committed offset")),
        Some(error) => error.to_string(),
    };
    GroupEvent::OffsetsFetched {
        id,
        results,
        is_last,
        reason,
    }
}

impl Question {
    fn end(
        &mut self,
        topic_partition: TopicPartition,
        result: Result<Option<OffsetAndMetadata>, OffsetFetchError>,
    ) {
        self.open.remove(&topic_partition);
        self.results.insert(topic_partition, result);
    }

    fn fail(&mut self, error: &OffsetFetchError) {
        for topic_partition in std::mem::take(&mut self.open) {
            self.results.insert(topic_partition, Err(error.clone()));
        }
    }

    fn refuse(&mut self, code: ErrorCode) {
        self.fail(&OffsetFetchError::Refused { code });
    }

    /// Takes out what is answered; says why the coordinator is lost, if it is.
    fn settle(&mut self, group: OffsetFetchResponseGroup, config: &GroupConfig) -> Option<String> {
        let code = group.error_code;
        match code {
            ErrorCode::NONE => {}
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => {
                let reason = format!("the coordinator answered OffsetFetch with {code}");
                self.waiting_for = format!("a better answer than {code}");
                return Some(reason);
            }
            _ if code.is_retriable() => {
                self.waiting_for = format!("a better answer than {code}");
                return None;
            }
            _ => {
                match GroupError::from_code(code, config) {
                    Some(error) => self.fail(&OffsetFetchError::Group(error)),
                    None => self.refuse(code),
                }
                return None;
            }
        }
        for topic in group.topics {
            for partition in topic.partitions {
                let one = TopicPartition::new(topic.name.as_str(), partition.partition_index);
                if !self.open.contains(&one) {
                    continue;
                }
                match partition.error_code {
                    ErrorCode::NONE if partition.committed_offset < 0 => self.end(one, Ok(None)),
                    ErrorCode::NONE => {
                        let offset = OffsetAndMetadata {
                            offset: partition.committed_offset,
                            leader_epoch: LeaderEpoch::from_wire(partition.committed_leader_epoch),
                            metadata: partition.metadata.unwrap_or_default(),
                        };
                        self.end(one, Ok(Some(offset)));
                    }
                    // A transaction is about to commit an offset for the partition.
                    code @ ErrorCode::UNSTABLE_OFFSET_COMMIT => {
                        self.waiting_for = format!("a better answer than {code} for {one}");
                    }
                    code => self.end(one, Err(OffsetFetchError::Refused { code })),
                }
            }
        }
        None
    }
}

fn cannot_wait(failure: &RequestFailure) -> bool {
    matches!(
        failure.kind,
        FailureKind::Unencodable | FailureKind::UnsupportedVersion
    )
}

fn request(
    config: &GroupConfig,
    require_stable: bool,
    partitions: &BTreeSet<TopicPartition>,
) -> OffsetFetchRequest {
    let mut topics: Vec<OffsetFetchRequestTopics> = Vec::new();
    for one in partitions {
        match topics.last_mut() {
            Some(topic) if topic.name == one.topic.as_str() => {
                topic.partition_indexes.push(one.partition);
            }
            _ => topics.push(OffsetFetchRequestTopics {
                name: one.topic.as_str().to_owned(),
                partition_indexes: vec![one.partition],
                ..OffsetFetchRequestTopics::default()
            }),
        }
    }
    OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: config.group_id.as_str().to_owned(),
            topics: Some(topics),
            ..OffsetFetchRequestGroup::default()
        }],
        require_stable,
    }
}
