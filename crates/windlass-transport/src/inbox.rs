//! What a connection was told and has not acted upon.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use windlass_machine::{FailureKind, RequestFailure};
use windlass_model::BrokerEndpoint;
use windlass_protocol::RequestKind;

use crate::EventSender;
use crate::alarm::Alarm;

/// What a connection is told by its owner. When the owner drops its end, the connection answers
/// what it was asked and ends.
#[derive(Debug)]
pub(crate) enum Command {
    /// Send this.
    Send(Box<QueuedRequest>),
    /// Where to connect to from the next attempt on.
    Targets(Vec<BrokerEndpoint>),
}

/// A request that waits to be written.
#[derive(Debug)]
pub(crate) struct QueuedRequest {
    pub(crate) request: RequestKind,
    pub(crate) max_version: Option<i16>,
    pub(crate) deadline: Instant,
    /// The time that a broker has for it, however much of that passed before it was written.
    pub(crate) patience: Duration,
    pub(crate) events: EventSender,
}

impl QueuedRequest {
    /// Tells the caller that no answer will come.
    pub(crate) fn fail(self, kind: FailureKind, broker: &str, reason: &str) {
        let api = self.request.api_key().name();
        let failure = RequestFailure::new(kind, format!("{broker}: {api}: {reason}"));
        self.events.answer(Err(failure.unsent()));
    }
}

/// The receiving end of a connection's commands, and the requests that cannot be written yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Who is meant to answer, in words.
    pub(crate) broker: String,
    /// The requests, in the order they came.
    pub(crate) waiting: VecDeque<QueuedRequest>,
    /// Where to connect to.
    pub(crate) targets: Vec<BrokerEndpoint>,
    /// Why requests have to wait, in words.
    pub(crate) obstacle: String,
    /// Until when the broker wants to be left alone, over whatever connection.
    pub(crate) throttled_until: Option<Instant>,
    commands: mpsc::UnboundedReceiver<Command>,
    owner_is_gone: bool,
    alarm: Alarm,
}

impl Inbox {
    pub(crate) fn new(
        broker: String,
        targets: Vec<BrokerEndpoint>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self {
            broker,
            waiting: VecDeque::new(),
            targets,
            obstacle: String::new(),
            throttled_until: None,
            commands,
            owner_is_gone: false,
            alarm: Alarm::new(),
        }
    }

    /// The broker wants to be left alone for so long. A later wish for less does not take back an
    /// earlier one for more.
    pub(crate) fn throttle(&mut self, time: Duration) {
        if !time.is_zero() {
            tracing::debug!(broker = %self.broker, ?time, "throttled");
            self.throttled_until = self.throttled_until.max(Some(Instant::now() + time));
        }
    }

    /// Whether nothing waits and nothing can come any more.
    pub(crate) fn is_finished(&self) -> bool {
        self.owner_is_gone && self.waiting.is_empty()
    }

    /// Takes commands in, and fails requests that waited too long. Ready when anything changed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut change = Poll::Pending;
        while !self.owner_is_gone
            && let Poll::Ready(command) = self.commands.poll_recv(context)
        {
            change = Poll::Ready(());
            match command {
                Some(Command::Send(request)) => self.waiting.push_back(*request),
                Some(Command::Targets(targets)) => self.targets = targets,
                None => self.owner_is_gone = true,
            }
        }
        if let Some(earliest) = self.waiting.iter().map(|request| request.deadline).min() {
            self.alarm.ring_by(earliest);
            if self.alarm.poll(context).is_ready() {
                self.expire(Instant::now());
                change = Poll::Ready(());
            }
        }
        change
    }

    /// Waits until there is a request. Breaks when none can come any more.
    pub(crate) async fn request(&mut self) -> ControlFlow<()> {
        poll_fn(|context| {
            while self.waiting.is_empty() {
                if self.owner_is_gone {
                    return Poll::Ready(ControlFlow::Break(()));
                }
                ready!(self.poll(context));
            }
            Poll::Ready(ControlFlow::Continue(()))
        })
        .await
    }

    /// Goes on with a future while commands are taken in and requests time out. Breaks when
    /// nobody is left who wants its outcome.
    pub(crate) async fn during<F: Future>(&mut self, future: F) -> ControlFlow<(), F::Output> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(ControlFlow::Continue(output));
            }
            while self.poll(context).is_ready() {
                if self.is_finished() {
                    return Poll::Ready(ControlFlow::Break(()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Fails everything that waits.
    pub(crate) fn fail_waiting(&mut self, kind: FailureKind, reason: &str) {
        for request in self.waiting.drain(..) {
            request.fail(kind, &self.broker, reason);
        }
    }

    fn expire(&mut self, now: Instant) {
        let reason = format!("not sent before its deadline: {}", self.obstacle);
        for request in std::mem::take(&mut self.waiting) {
            if request.deadline <= now {
                request.fail(FailureKind::TimedOut, &self.broker, &reason);
            } else {
                self.waiting.push_back(request);
            }
        }
    }
}
