//! From bytes to answers: responses are taken in the order of the requests, and a Fetch response
//! is cut up while it arrives.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use windlass_protocol::fetch_response::{
    FetchPart, FetchReaderOptions, FetchResponseReader, ReadProgress,
};
use windlass_protocol::{ApiKey, ResponseHeader, ResponseKind};

use crate::error::TransportError;
use crate::frame::response_length;
use crate::in_flight::InFlight;
use crate::read_buffer::{ReadBuffer, Room};
use crate::segment_pool::PoolBudget;
use crate::throttle::{milliseconds, throttle_time};
use crate::{BrokerResponse, TransportOptions};

/// Parts are handed on when this many bytes of them have come, even while more are there to be
/// read: few enough wake-ups, and the bytes are still in the cache when the receiver looks.
const HAND_ON_BYTES: usize = 256 * 1024;

/// No header is longer; its tagged fields are for brokers of another age.
const MAX_HEADER_BYTES: usize = 4 * 1024;

/// The reading half of a link.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    input: ReadBuffer,
    state: State,
    limit: usize,
    /// The limit of what is gathered whole.
    message_limit: usize,
    fetch_options: FetchReaderOptions,
    parts: Vec<FetchPart>,
    parts_bytes: usize,
    /// The longest silence asked for since it was last looked at.
    throttle: Duration,
}

/// Where in the stream of responses the next byte stands.
#[derive(Debug)]
enum State {
    /// In the length of a response.
    Length,
    /// In the header of a response whose remaining length is known.
    Header { length: usize },
    /// In a response that is gathered.
    Message { length: usize },
    /// In a Fetch response, which cannot be gone on with before `needed` more bytes are there.
    Fetch {
        reader: Box<FetchResponseReader>,
        needed: usize,
    },
    /// In a response that nobody can use.
    Skip { remaining: usize },
}

impl ResponseReader {
    pub(crate) fn new(options: &TransportOptions, pool: PoolBudget) -> Self {
        let mut fetch_options = FetchReaderOptions::default();
        fetch_options.check_crcs = options.check_crcs;
        Self {
            input: ReadBuffer::new(options.segment_bytes, pool),
            state: State::Length,
            limit: options.max_response_bytes,
            message_limit: options.max_message_bytes,
            fetch_options,
            parts: Vec::new(),
            parts_bytes: 0,
            throttle: Duration::ZERO,
        }
    }

    /// Where the next read goes. `oldest` is the request whose response is due.
    pub(crate) fn room(&mut self, oldest: Option<&InFlight>) -> &mut BytesMut {
        let room = match oldest {
            Some(request) if request.api == ApiKey::Fetch => Room::Segment,
            _ => Room::Message,
        };
        self.input.make_room(self.needed(), room);
        self.input.bytes()
    }

    /// How many bytes must come at least before anything can be done.
    fn needed(&self) -> usize {
        match &self.state {
            State::Length => 4_usize.saturating_sub(self.input.len()),
            State::Message { length } => length.saturating_sub(self.input.len()),
            State::Fetch { needed, .. } => *needed,
            State::Header { .. } | State::Skip { .. } => 1,
        }
    }

    /// Answers whatever can be answered with the bytes that are there. `broker` is who sent them,
    /// for a person.
    ///
    /// # Errors
    ///
    /// What makes the rest of the stream useless. The request that ran into it is still the oldest.
    pub(crate) fn advance(
        &mut self,
        in_flight: &mut VecDeque<InFlight>,
        broker: &str,
    ) -> Result<(), TransportError> {
        while self.step(in_flight, broker)? {}
        if self.parts_bytes >= HAND_ON_BYTES {
            self.hand_on(in_flight.front());
        }
        Ok(())
    }

    /// Hands on the parts of the oldest request's response that have come so far, and throws them
    /// away where nobody waits for the answer any more.
    pub(crate) fn hand_on(&mut self, oldest: Option<&InFlight>) {
        self.parts_bytes = 0;
        match oldest.and_then(InFlight::listener) {
            Some(events) => events.parts(std::mem::take(&mut self.parts)),
            None => self.parts.clear(),
        }
    }

    /// Whether a part of the oldest request's Fetch response has come, and not all of it.
    pub(crate) const fn is_within_fetch(&self) -> bool {
        matches!(self.state, State::Fetch { .. })
    }

    /// How long the broker asked to be left in peace since this was asked last.
    pub(crate) const fn take_throttle(&mut self) -> Duration {
        std::mem::replace(&mut self.throttle, Duration::ZERO)
    }

    /// Does one step, and says whether another one may be possible.
    fn step(
        &mut self,
        in_flight: &mut VecDeque<InFlight>,
        broker: &str,
    ) -> Result<bool, TransportError> {
        match std::mem::replace(&mut self.state, State::Length) {
            State::Length => self.on_length(in_flight),
            State::Header { length } => self.on_header(length, in_flight),
            State::Message { length } => self.on_message(length, in_flight, broker),
            State::Fetch { reader, .. } => self.on_fetch(reader, in_flight, broker),
            State::Skip { remaining } => Ok(self.on_skip(remaining)),
        }
    }

    fn on_length(&mut self, in_flight: &VecDeque<InFlight>) -> Result<bool, TransportError> {
        if self.input.len() == 0 {
            return Ok(false);
        }
        let request = in_flight.front().ok_or(TransportError::Unasked)?;
        if self.input.len() < 4 {
            return Ok(false);
        }
        let prefix = self.input.bytes().get_u32().to_be_bytes();
        let limit = match request.api {
            ApiKey::Fetch => self.limit,
            _ => self.message_limit.min(self.limit),
        };
        let length = response_length(prefix, limit)?;
        self.state = State::Header { length };
        Ok(true)
    }

    fn on_header(
        &mut self,
        length: usize,
        in_flight: &VecDeque<InFlight>,
    ) -> Result<bool, TransportError> {
        let request = in_flight.front().ok_or(TransportError::Unasked)?;
        let there = self.input.len().min(length);
        let begun = &self.input.bytes()[..there];
        let (header, body) = match ResponseHeader::decode(request.api, request.version, begun) {
            Ok((header, rest)) => (header, length - (there - rest.len())),
            // Headers are a few bytes: one that did not arrive whole is looked at again.
            Err(_) if there < length && there < MAX_HEADER_BYTES => {
                self.state = State::Header { length };
                return Ok(false);
            }
            Err(error) => return Err(TransportError::Decode(error)),
        };
        self.input.bytes().advance(length - body);
        if header.correlation_id != request.correlation_id {
            return Err(TransportError::OutOfOrder {
                expected: request.correlation_id,
                actual: header.correlation_id,
            });
        }
        self.state = if request.api == ApiKey::Fetch {
            let reader = FetchResponseReader::new(request.version, body, self.fetch_options);
            State::Fetch {
                reader: Box::new(reader),
                needed: 1,
            }
        } else {
            State::Message { length: body }
        };
        Ok(true)
    }

    fn on_message(
        &mut self,
        length: usize,
        in_flight: &mut VecDeque<InFlight>,
        broker: &str,
    ) -> Result<bool, TransportError> {
        if self.input.len() < length {
            self.state = State::Message { length };
            return Ok(false);
        }
        let mut request = in_flight.pop_front().ok_or(TransportError::Unasked)?;
        let body = self.input.bytes().split_to(length);
        match ResponseKind::decode(request.api, request.version, &body) {
            Ok(mut response) => {
                if let ResponseKind::Metadata(metadata) = &mut response {
                    metadata.drop_lagging_epochs(request.version);
                }
                self.throttle = self.throttle.max(throttle_time(&response));
                request.answer(Ok(BrokerResponse::Message(response)));
            }
            // The next response begins where this one ends, readable or not.
            Err(error) => request.fail_for(&TransportError::Decode(error), broker),
        }
        drop(body);
        self.input.shrink();
        Ok(true)
    }

    fn on_fetch(
        &mut self,
        mut reader: Box<FetchResponseReader>,
        in_flight: &mut VecDeque<InFlight>,
        broker: &str,
    ) -> Result<bool, TransportError> {
        let before = self.input.len();
        let throttle = &mut self.throttle;
        let parts = &mut self.parts;
        let progress = reader.advance(self.input.bytes(), &mut |part| {
            if let FetchPart::Head {
                throttle_time_ms, ..
            } = &part
            {
                *throttle = (*throttle).max(milliseconds(*throttle_time_ms));
            }
            parts.push(part);
        });
        self.parts_bytes += before - self.input.len();
        if let Ok(ReadProgress::Need(needed)) = progress {
            self.state = State::Fetch { reader, needed };
            return Ok(false);
        }
        // All parts are in the channel before the answer is.
        self.hand_on(in_flight.front());
        let mut request = in_flight.pop_front().ok_or(TransportError::Unasked)?;
        match progress {
            Err(error) => request.fail_for(&TransportError::Decode(error), broker),
            Ok(_) => request.answer(Ok(BrokerResponse::FetchDone)),
        }
        // Whether it was understood or not, the next response begins where its length says.
        self.state = State::Skip {
            remaining: reader.remaining(),
        };
        Ok(true)
    }

    fn on_skip(&mut self, remaining: usize) -> bool {
        let skipped = self.input.len().min(remaining);
        self.input.bytes().advance(skipped);
        if skipped < remaining {
            self.state = State::Skip {
                remaining: remaining - skipped,
            };
            return false;
        }
        true
    }
}
