//! A connection that is ready: requests go out in a row, responses come back in that order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::Instant;
use windlass_machine::FailureKind;
use windlass_protocol::ApiKey;

use crate::alarm::Alarm;
use crate::error::TransportError;
use crate::handshake::Established;
use crate::in_flight::InFlight;
use crate::inbox::{Inbox, QueuedRequest};
use crate::response_reader::ResponseReader;
use crate::segment_pool::PoolBudget;
use crate::version_table::VersionTable;
use crate::{ByteStream, TransportOptions};

/// One read takes at most this much, so that what it brought is still in the cache when it is
/// looked at, and so that no connection keeps the others waiting.
const READ_BYTES: usize = 256 * 1024;

/// What the broker does not read waits with its owner beyond this, where its deadline is judged.
const UNWRITTEN_BYTES: usize = 1024 * 1024;

/// An established connection.
pub(crate) struct Link {
    /// Who is at the other end, in words.
    broker: String,
    stream: Box<dyn ByteStream>,
    versions: VersionTable,
    client_id: Option<String>,
    max_throttle: Duration,
    output: BytesMut,
    is_unflushed: bool,
    reader: ResponseReader,
    in_flight: VecDeque<InFlight>,
    next_correlation_id: i32,
    alarm: Alarm,
    /// Something may be due; what lies in the socket is read first.
    is_due: Option<u32>,
    max_idle: Duration,
    /// Since when nothing was asked and not answered.
    idle_since: Instant,
}

/// How a link ends well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The owner is gone and everything is answered.
    Finished,
    /// Nobody had a use for it for long.
    Idle,
}

/// So many reads may bring what was answered before its deadline, where the deadline was looked at too
/// late: the broker is not to blame for a runtime that was starved.
const READS_WHEN_DUE: u32 = 64;

/// What a link woke up for.
enum Event {
    /// The inbox changed.
    Inbox,
    /// Something may be due.
    Alarm,
    /// So many bytes came; none means the broker closed its side.
    Read(usize),
    /// The stream is broken.
    Broken(io::Error),
}

impl Link {
    pub(crate) fn new(
        established: Established,
        options: &TransportOptions,
        pool: PoolBudget,
        broker: String,
        max_idle: Duration,
    ) -> Self {
        Self {
            broker,
            stream: established.stream,
            versions: established.versions,
            client_id: options.client_id.clone(),
            max_throttle: options.max_throttle,
            output: BytesMut::new(),
            is_unflushed: false,
            reader: ResponseReader::new(options, pool),
            in_flight: VecDeque::new(),
            next_correlation_id: established.next_correlation_id,
            alarm: Alarm::new(),
            is_due: None,
            max_idle,
            idle_since: Instant::now(),
        }
    }

    /// How many requests have no response yet.
    pub(crate) fn unanswered(&self) -> usize {
        self.in_flight.len()
    }

    /// Carries requests until the owner is gone and everything is answered, or nobody has asked for
    /// anything for long.
    ///
    /// # Errors
    ///
    /// Why the link cannot be used any longer; [`Self::fail`] then tells those who wait.
    pub(crate) async fn serve(&mut self, inbox: &mut Inbox) -> Result<End, TransportError> {
        loop {
            self.queue_requests(inbox)?;
            if inbox.is_finished() && self.in_flight.is_empty() {
                return Ok(End::Finished);
            }
            if self.is_idle(inbox) {
                return Ok(End::Idle);
            }
            match self.event(inbox).await {
                Event::Inbox => {}
                Event::Alarm => self.expire(Instant::now())?,
                Event::Read(0) => return Err(TransportError::Closed),
                Event::Read(_) => self.on_read(inbox)?,
                Event::Broken(error) => return Err(TransportError::Broken(error)),
            }
        }
    }

    /// Tells everybody who waits why there will be no response: the oldest request, which ran into
    /// the error, and those behind it, which lost their connection.
    pub(crate) fn fail(mut self, error: &TransportError) {
        // What came before the end is good.
        self.reader.hand_on(self.in_flight.front());
        let reason = error.to_string();
        let mut kind = error.kind();
        for mut request in self.in_flight.drain(..) {
            request.fail(kind, &self.broker, &reason);
            kind = FailureKind::Disconnected;
        }
    }

    /// Whether nobody had a use for the link for too long; sets the alarm for when that may be.
    fn is_idle(&mut self, inbox: &Inbox) -> bool {
        let now = Instant::now();
        if !self.in_flight.is_empty() || !inbox.waiting.is_empty() {
            self.idle_since = now;
            return false;
        }
        let until = self.idle_since + self.max_idle;
        self.alarm.ring_by(until);
        until <= now
    }

    fn queue_requests(&mut self, inbox: &mut Inbox) -> Result<(), TransportError> {
        if inbox.waiting.is_empty() {
            return Ok(());
        }
        let now = Instant::now();
        if let Some(until) = inbox.throttled_until {
            if now < until {
                inbox.obstacle = "the broker throttled this client".to_owned();
                self.alarm.ring_by(until);
                return Ok(());
            }
            inbox.throttled_until = None;
        }
        let joins = |request: &QueuedRequest| request.request.api_key() == ApiKey::JoinGroup;
        let parked = self
            .in_flight
            .iter()
            .any(|one| one.api == ApiKey::JoinGroup);
        if parked && inbox.waiting.iter().any(joins) {
            return Err(TransportError::Superseded);
        }
        let mut joins_left = inbox.waiting.iter().filter(|one| joins(one)).count();
        while self.output.len() < UNWRITTEN_BYTES
            && let Some(request) = inbox.waiting.pop_front()
        {
            joins_left -= usize::from(joins(&request));
            if joins(&request) && joins_left > 0 {
                // Written, it would be held at the broker, and the one behind it not be read.
                let reason = "given up for a newer one before it was sent";
                request.fail(FailureKind::Disconnected, &self.broker, reason);
                continue;
            }
            self.queue_request(request, now);
        }
        if !inbox.waiting.is_empty() {
            inbox.obstacle = "the broker does not read what it is sent".to_owned();
        }
        Ok(())
    }

    fn queue_request(&mut self, queued: QueuedRequest, now: Instant) {
        if queued.events.is_abandoned() {
            return;
        }
        if queued.deadline <= now {
            let reason = "the deadline had passed before it could be sent";
            queued.fail(FailureKind::TimedOut, &self.broker, reason);
            return;
        }
        let api = queued.request.api_key();
        let ours = api.versions();
        let version = match self.versions.choose(api, ours, queued.max_version) {
            Ok(version) => version,
            Err(reason) => {
                queued.fail(FailureKind::UnsupportedVersion, &self.broker, &reason);
                return;
            }
        };
        let correlation_id = self.next_correlation_id;
        let written = self.output.len();
        let client_id = self.client_id.as_deref();
        if let Err(error) =
            queued
                .request
                .encode_frame(version, correlation_id, client_id, &mut self.output)
        {
            self.output.truncate(written);
            let error = TransportError::Encode(error);
            queued.fail(error.kind(), &self.broker, &error.to_string());
            return;
        }
        self.next_correlation_id = correlation_id.wrapping_add(1) & i32::MAX;
        self.alarm.ring_by(queued.deadline);
        self.in_flight.push_back(InFlight {
            correlation_id,
            api,
            version,
            events: Some(queued.events),
            deadline: queued.deadline,
            patience: queued.patience,
            oldest_since: self.in_flight.is_empty().then_some(now),
            is_late: false,
        });
    }

    /// Waits for something to happen. Reading comes last, as it alone can be ready without end; but
    /// what has come already is read before a deadline is judged.
    async fn event(&mut self, inbox: &mut Inbox) -> Event {
        poll_fn(|context| {
            if inbox.poll(context).is_ready() {
                return Poll::Ready(Event::Inbox);
            }
            if self.alarm.poll(context).is_ready() {
                self.is_due.get_or_insert(READS_WHEN_DUE);
            }
            if self.is_due == Some(0) {
                self.is_due = None;
                return Poll::Ready(Event::Alarm);
            }
            let was_full = self.output.len() >= UNWRITTEN_BYTES;
            if let Poll::Ready(error) = self.poll_write(context) {
                return Poll::Ready(Event::Broken(error));
            }
            if was_full && self.output.len() < UNWRITTEN_BYTES {
                return Poll::Ready(Event::Inbox);
            }
            match self.poll_read(context) {
                Poll::Ready(read) => {
                    self.is_due = self.is_due.map(|reads| reads.saturating_sub(1));
                    Poll::Ready(read.map_or_else(Event::Broken, Event::Read))
                }
                Poll::Pending if self.is_due.take().is_some() => Poll::Ready(Event::Alarm),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Writes what there is to write. Ready only when that failed.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.output) {
                Poll::Ready(Ok(0)) => return Poll::Ready(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.output.advance(written);
                    self.is_unflushed = true;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.is_unflushed {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => self.is_unflushed = false,
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let input = self.reader.room(self.in_flight.front());
        let read = pin!(self.stream.read_buf(&mut input.limit(READ_BYTES))).poll(context);
        if read.is_pending() {
            // Nothing more is there for now: whoever waits for the parts is to have them.
            self.reader.hand_on(self.in_flight.front());
        }
        read
    }

    fn on_read(&mut self, inbox: &mut Inbox) -> Result<(), TransportError> {
        let advanced = self.reader.advance(&mut self.in_flight, &self.broker);
        let throttle = self.reader.take_throttle().min(self.max_throttle);
        inbox.throttle(throttle);
        // The broker reads what was sent already only when that time is over; what it answers it has read.
        if !throttle.is_zero() {
            let answered = usize::from(self.reader.is_within_fetch());
            for request in self.in_flight.iter_mut().skip(answered) {
                request.postpone(throttle);
            }
        }
        self.renew_patience();
        advanced
    }

    /// The oldest request has the broker to itself from now on. If its caller was told already that the
    /// deadline passed, it still gets its time: only now does the broker work on it.
    fn renew_patience(&mut self) {
        let now = Instant::now();
        if let Some(oldest) = self.in_flight.front_mut()
            && oldest.oldest_since.is_none()
        {
            oldest.oldest_since = Some(now);
            if oldest.is_late {
                oldest.deadline = now + oldest.patience;
                self.alarm.ring_by(oldest.deadline);
            }
        }
    }

    /// Looks at what is due, and sets the alarm for what will be.
    fn expire(&mut self, now: Instant) -> Result<(), TransportError> {
        for request in &mut self.in_flight {
            if request.deadline > now {
                self.alarm.ring_by(request.deadline);
                continue;
            }
            // A broker that was given only the rest of the time is not to blame.
            let until = request.oldest_since.map(|since| since + request.patience);
            if until.is_some_and(|until| until <= now) {
                return Err(TransportError::RequestTimedOut(request.api));
            }
            if let Some(until) = until {
                request.deadline = until;
                self.alarm.ring_by(until);
            }
            if !request.is_late {
                request.is_late = true;
                let reason = "no answer in time: the broker was busy, or left alone, before";
                request.fail(FailureKind::TimedOut, &self.broker, reason);
            }
        }
        Ok(())
    }
}
