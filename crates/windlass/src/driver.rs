//! The one task that owns the core: carries out what it wants, and tells it what happened.

mod deadlines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use windlass_assignor::{AssignError, Assignment};
use windlass_core::{
    CallbackId, ConsumerCore, Effect, Intent, OperationId, Progress, RebalanceKind, RebalanceNotice,
};
use windlass_group::{AssignmentJob, AssignmentToken};
use windlass_machine::{FailureKind, OutgoingRequest, RequestFailure};
use windlass_transport::{Broker, BrokerEvent, BrokerRequest, BrokerResponse, EventSender};

use self::deadlines::Deadlines;
use crate::command::{Command, Outcome};
use crate::{Rebalance, RebalanceHandle, RebalanceListener};

/// How long a consumer that was dropped may take to leave its group.
const FAREWELL: Duration = Duration::from_secs(5);

/// Assignments of more members times partitions than this are computed away from the driver's task, so
/// that heartbeats go on meanwhile.
const LARGE_JOB: usize = 10_000;

/// A computed assignment, under the name to give it back.
type Computed = (AssignmentToken, Result<Assignment, AssignError>);

/// Something that was under way on this side has ended.
enum Finished {
    Callback(CallbackId, Result<(), String>),
    Computed(AssignmentToken, Result<Assignment, AssignError>),
}

/// The driver. It alone reads the clock.
pub(crate) struct Driver {
    core: ConsumerCore,
    broker: Box<dyn Broker>,
    listener: Option<Arc<dyn RebalanceListener>>,
    handle: RebalanceHandle,
    commands: mpsc::UnboundedReceiver<Command>,
    answers: BTreeMap<OperationId, oneshot::Sender<Outcome>>,
    attention: Arc<AtomicU64>,
    work: JoinSet<Finished>,
    /// Where everything that becomes of a request comes in, in order.
    events: (
        mpsc::UnboundedSender<BrokerEvent>,
        mpsc::UnboundedReceiver<BrokerEvent>,
    ),
    deadlines: Deadlines,
}

impl Driver {
    pub(crate) fn new(
        core: ConsumerCore,
        broker: Box<dyn Broker>,
        listener: Option<Arc<dyn RebalanceListener>>,
        handle: RebalanceHandle,
        commands: mpsc::UnboundedReceiver<Command>,
        attention: Arc<AtomicU64>,
    ) -> Self {
        Self {
            core,
            broker,
            listener,
            handle,
            commands,
            answers: BTreeMap::new(),
            attention,
            work: JoinSet::new(),
            events: mpsc::unbounded_channel(),
            deadlines: Deadlines::default(),
        }
    }

    /// Runs until the consumer is closed.
    pub(crate) async fn run(mut self) {
        let mut abandoned = false;
        while !self.core.is_closed() {
            self.expire();
            let wakeup = self.core.poll_timeout();
            if wakeup.is_some_and(|wakeup| wakeup.at <= now()) {
                self.catch_up();
                self.core.handle_timeout(now());
                self.carry_out();
                continue;
            }
            let wakeup = wakeup.map(|wakeup| wakeup.at);
            let earliest = wakeup.into_iter().chain(self.deadlines.next()).min();
            let until = earliest.unwrap_or_else(|| now() + Duration::from_secs(3600));
            tokio::select! {
                Some(event) = self.events.1.recv() => self.on_event(event),
                Some(finished) = self.work.join_next() => self.on_finished(finished),
                command = self.commands.recv(), if !abandoned => match command {
                    Some(command) => self.on_command(command),
                    None => {
                        abandoned = true;
                        self.core.submit(OperationId(u64::MAX), Intent::Close, &Progress::default(), now() + FAREWELL, now());
                    }
                },
                // What is due is looked at above.
                () = tokio::time::sleep_until(until.into()) => {}
            }
            self.carry_out();
        }
        self.broker.close();
    }

    fn on_command(&mut self, command: Command) {
        let Command {
            operation,
            intent,
            progress,
            timeout,
            answer,
        } = command;
        self.answers.insert(operation, answer);
        let now = now();
        self.core
            .submit(operation, intent, &progress, now + timeout, now);
    }

    fn on_event(&mut self, event: BrokerEvent) {
        match event {
            BrokerEvent::Parts { request, parts } => {
                self.core.on_fetch_parts(request, parts, now());
            }
            BrokerEvent::Postponed { request, deadline } => {
                self.deadlines.postpone(request, deadline);
            }
            BrokerEvent::Answer { request, outcome } if self.deadlines.settle(request) => {
                match outcome {
                    Ok(BrokerResponse::Message(response)) => {
                        self.core.on_response(request, response, now());
                    }
                    Ok(BrokerResponse::FetchDone) => self.core.on_fetch_done(request, now()),
                    Err(failure) => self.core.on_failure(request, failure, now()),
                }
            }
            BrokerEvent::Answer { request, .. } => {
                tracing::debug!(%request, "answered after it was given up");
            }
        }
    }

    /// Looks at what has come: what was answered in time is not late because the driver is.
    fn catch_up(&mut self) {
        for _ in 0..self.events.1.len() {
            if let Ok(event) = self.events.1.try_recv() {
                self.on_event(event);
                self.carry_out();
            }
        }
    }

    /// Gives up the requests that nobody answers. What has come already is looked at before.
    fn expire(&mut self) {
        while self.events.1.is_empty()
            && let Some(id) = self.deadlines.expired(now())
        {
            tracing::error!(request = %id, "neither answered nor failed by its deadline");
            let failure = RequestFailure::new(FailureKind::TimedOut, format!("{id}: got lost"));
            self.core.on_failure(id, failure, now());
            self.carry_out();
        }
    }

    fn on_finished(&mut self, finished: Result<Finished, tokio::task::JoinError>) {
        match finished {
            Ok(Finished::Callback(id, result)) => self.core.on_callback_done(id, result, now()),
            Ok(Finished::Computed(token, result)) => {
                self.core.on_assignment_computed(token, result, now());
            }
            Err(error) => tracing::error!(%error, "a task of the consumer's ended by itself"),
        }
    }

    /// Sends what is to be sent and does what is to be done.
    fn carry_out(&mut self) {
        loop {
            let mut computed = Vec::new();
            while let Some(effect) = self.core.poll_effect() {
                match effect {
                    Effect::Send(request) => self.send(request),
                    Effect::Reply { operation, outcome } => self.answer(operation, outcome),
                    Effect::Callback { id, notice } => self.call_listener(id, notice),
                    Effect::ComputeAssignment { token, job } => {
                        computed.extend(self.compute(token, job));
                    }
                    Effect::BrokerFound { node, endpoint } => {
                        self.broker.on_broker(node, &endpoint);
                    }
                    Effect::ClusterChanged(cluster) => self.broker.on_cluster(&cluster),
                }
            }
            if computed.is_empty() {
                break;
            }
            for (token, result) in computed {
                self.core.on_assignment_computed(token, result, now());
            }
        }
        self.attention
            .store(self.core.attention(), Ordering::Release);
    }

    fn send(&mut self, outgoing: OutgoingRequest) {
        let OutgoingRequest {
            id,
            destination,
            request,
            max_version,
            deadline,
        } = outgoing;
        self.deadlines.set(id, deadline);
        let events = EventSender::new(id, self.events.0.clone());
        let request = BrokerRequest {
            destination,
            request,
            max_version,
            deadline,
        };
        self.broker.ask(request, events);
    }

    fn answer(&mut self, operation: OperationId, outcome: Outcome) {
        if let Some(answer) = self.answers.remove(&operation) {
            // Nobody waits any more: what was handed out this way is still in the channel, where
            // the application's side finds it again.
            drop(answer.send(outcome));
        }
    }

    fn call_listener(&mut self, id: CallbackId, notice: RebalanceNotice) {
        let Some(listener) = self.listener.clone() else {
            self.work
                .spawn(async move { Finished::Callback(id, Ok(())) });
            return;
        };
        let rebalance = Rebalance::new(notice, self.handle.clone());
        let call = tokio::spawn(async move {
            match rebalance.kind() {
                RebalanceKind::Revoked => listener.on_revoked(&rebalance).await,
                RebalanceKind::Assigned => listener.on_assigned(&rebalance).await,
                RebalanceKind::Lost => listener.on_lost(&rebalance).await,
            }
            .map_err(|error| error.to_string())
        });
        self.work.spawn(async move {
            let result = call
                .await
                .unwrap_or_else(|error| Err(format!("it panicked: {error}")));
            Finished::Callback(id, result)
        });
    }

    /// Computes a small assignment at once, a large one on a thread of its own.
    fn compute(&mut self, token: AssignmentToken, job: AssignmentJob) -> Option<Computed> {
        if job.size() <= LARGE_JOB {
            return Some((token, run(job)));
        }
        self.work
            .spawn_blocking(move || Finished::Computed(token, run(job)));
        None
    }
}

/// Computes an assignment. A strategy of the application's that panics has failed, which the group
/// is told as it is told of any other failure; the driver must not end with it.
fn run(job: AssignmentJob) -> Result<Assignment, AssignError> {
    catch_unwind(AssertUnwindSafe(move || job.run())).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(AssignError::strategy(format!(
            "it panicked: {}",
            message.unwrap_or("without a message")
        )))
    })
}

/// The time, by the runtime's clock: tests may hold it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
