//! A consumer on nothing but the threads and sockets of the standard library.
//!
//! The core decides, this carries out: it sends what is to be sent, over one blocking connection a
//! destination, each with a thread of its own, and gives the core what comes back, and the time.
//!
//! ```sh
//! cargo run -p windlass-cli -- broker --topic events:3        # prints where it listens
//! cargo run -p windlass-core --example threads -- 127.0.0.1:9092 group events 100
//! ```
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a driver has the clock, the threads and the sockets, so that the core need not"
)]
#![expect(clippy::print_stdout, reason = "a command-line program talks")]

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use windlass_assignor::by_name;
use windlass_core::{
    Application, ConsumerCore, CoreConfig, Effect, Intent, NextStep, OperationId, Progress,
};
use windlass_fetch::{OffsetReset, TakenRecords};
use windlass_group::GroupConfig;
use windlass_machine::{Destination, FailureKind, OutgoingRequest, RequestFailure, RequestId};
use windlass_model::NodeId;
use windlass_protocol::fetch_response::{
    FetchPart, FetchReaderOptions, FetchResponseReader, ReadProgress,
};
use windlass_protocol::messages::ApiVersionsRequest;
use windlass_protocol::{ApiKey, RequestKind, ResponseHeader, ResponseKind};

type Failure = Box<dyn Error + Send + Sync>;

/// How long a broker may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [bootstrap, group, topic, count] = arguments.as_slice() else {
        return Err("usage: threads BOOTSTRAP GROUP TOPIC RECORDS".into());
    };
    let mut group = GroupConfig::new(group.as_str(), by_name("range").into_iter().collect());
    group.session_timeout = Duration::from_secs(10);
    let mut config = CoreConfig::default();
    config.group = Some(group);
    config.fetch.offset_reset = OffsetReset::Earliest;
    let mut consumer = Consumer::new(config, bootstrap);
    let topics = BTreeSet::from([topic.as_str().into()]);
    consumer.submit(Intent::Subscribe(topics));
    let mut left: usize = count.parse()?;
    while left > 0 {
        for taken in consumer.poll()? {
            let decoded = taken.decode()?;
            for record in taken.records(&decoded) {
                let record = record?;
                let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
                println!("{} {}: {value}", taken.topic_partition, record.offset);
                left = left.saturating_sub(1);
            }
        }
    }
    consumer.close()
}

/// The core, and what carries out its decisions.
struct Consumer {
    core: ConsumerCore,
    application: Application<()>,
    network: Network,
    arrivals: mpsc::Receiver<Arrival>,
    operations: u64,
}

/// What comes from the network.
enum Arrival {
    Answer(RequestId, ResponseKind),
    Parts(RequestId, Vec<FetchPart>),
    FetchDone(RequestId),
    Failure(RequestId, RequestFailure),
}

impl Consumer {
    fn new(config: CoreConfig, bootstrap: &str) -> Self {
        let (sender, arrivals) = mpsc::channel();
        Self {
            core: ConsumerCore::new(Arc::new(config), false, 42, Instant::now()),
            application: Application::new(Duration::from_secs(1), Instant::now()),
            network: Network {
                bootstrap: bootstrap.to_owned(),
                brokers: BTreeMap::new(),
                lines: BTreeMap::new(),
                arrivals: sender,
            },
            arrivals,
            operations: 0,
        }
    }

    /// Waits for records. What was handed out before is done with.
    fn poll(&mut self) -> Result<Vec<TakenRecords>, Failure> {
        self.application.come_back();
        loop {
            match self
                .application
                .next_step(self.core.attention(), Instant::now())
            {
                NextStep::Give => return Ok(self.application.take()),
                NextStep::Poll => {
                    let operation = self.submit(Intent::Poll { max_records: 500 });
                    self.application.poll_sent(operation);
                }
                NextStep::AwaitPoll(_) => self.wait()?,
                NextStep::CheckIn => {
                    let attention = self.core.attention();
                    let operation = self.submit(Intent::CheckIn);
                    let answer = self.carry_out(Some(operation))?;
                    let answer = answer.ok_or("a check-in is answered at once")?;
                    self.application
                        .checked_in(answer, attention, Instant::now())?;
                }
            }
        }
    }

    fn close(mut self) -> Result<(), Failure> {
        self.application.come_back();
        self.submit(Intent::Close);
        while !self.core.is_closed() {
            self.wait()?;
        }
        Ok(())
    }

    fn submit(&mut self, intent: Intent) -> OperationId {
        self.operations += 1;
        let operation = OperationId(self.operations);
        let progress: Progress = self.application.progress();
        let now = Instant::now();
        self.core
            .submit(operation, intent, &progress, now + PATIENCE, now);
        operation
    }

    /// Carries out what the core wants; then gives it the next thing that happens.
    fn wait(&mut self) -> Result<(), Failure> {
        self.carry_out(None)?;
        if self.core.is_closed() {
            return Ok(());
        }
        let wakeup = self.core.poll_timeout();
        let until = wakeup.map_or(PATIENCE, |wakeup| {
            wakeup.at.saturating_duration_since(Instant::now())
        });
        let arrival = self.arrivals.recv_timeout(until);
        let now = Instant::now();
        match arrival {
            Ok(Arrival::Answer(id, response)) => self.core.on_response(id, response, now),
            Ok(Arrival::Parts(id, parts)) => self.core.on_fetch_parts(id, parts, now),
            Ok(Arrival::FetchDone(id)) => self.core.on_fetch_done(id, now),
            Ok(Arrival::Failure(id, failure)) => self.core.on_failure(id, failure, now),
            Err(_) => self.core.handle_timeout(now),
        }
        self.carry_out(None).map(drop)
    }

    /// Does what the core wants done. Answers with the reply to `awaited`, if there is one.
    fn carry_out(
        &mut self,
        awaited: Option<OperationId>,
    ) -> Result<Option<Result<windlass_core::Reply, windlass_core::ConsumerError>>, Failure> {
        let mut answer = None;
        while let Some(effect) = self.core.poll_effect() {
            match effect {
                Effect::Send(request) => self.network.send(request),
                Effect::BrokerFound { node, endpoint } => {
                    self.network.brokers.insert(node, endpoint.to_string());
                }
                Effect::ClusterChanged(cluster) => {
                    let brokers = cluster.brokers.iter();
                    let brokers = brokers.map(|(node, endpoint)| (*node, endpoint.to_string()));
                    self.network.brokers.extend(brokers);
                }
                Effect::ComputeAssignment { token, job } => {
                    let computed = job.run();
                    self.core
                        .on_assignment_computed(token, computed, Instant::now());
                }
                Effect::Callback { id, .. } => {
                    self.core.on_callback_done(id, Ok(()), Instant::now());
                }
                Effect::Reply { operation, outcome } if Some(operation) == awaited => {
                    answer = Some(outcome);
                }
                Effect::Reply { operation, outcome } => {
                    if let Ok(windlass_core::Reply::Records { .. }) = &outcome {
                        let now = Instant::now();
                        self.application.poll_answered(operation, outcome, now)?;
                    } else {
                        outcome?;
                    }
                }
            }
        }
        Ok(answer)
    }
}

/// The connections, one to a destination.
struct Network {
    bootstrap: String,
    brokers: BTreeMap<NodeId, String>,
    lines: BTreeMap<Destination, Sender<OutgoingRequest>>,
    arrivals: Sender<Arrival>,
}

impl Network {
    fn send(&mut self, request: OutgoingRequest) {
        let place = match request.destination.node() {
            Some(node) => self.brokers.get(&node).cloned().unwrap_or_default(),
            None => self.bootstrap.clone(),
        };
        let arrivals = self.arrivals.clone();
        let line = self.lines.entry(request.destination);
        let line = line.or_insert_with(|| {
            let (sender, requests) = mpsc::channel();
            thread::spawn(move || Line::new(place, arrivals).serve(&requests));
            sender
        });
        // The thread lives as long as its sender, so somebody is there.
        drop(line.send(request));
    }
}

/// One connection: a request, its answer, the next request.
struct Line {
    place: String,
    arrivals: Sender<Arrival>,
    stream: Option<TcpStream>,
    versions: BTreeMap<i16, i16>,
    correlation_id: i32,
}

impl Line {
    const fn new(place: String, arrivals: Sender<Arrival>) -> Self {
        Self {
            place,
            arrivals,
            stream: None,
            versions: BTreeMap::new(),
            correlation_id: 0,
        }
    }

    fn serve(mut self, requests: &mpsc::Receiver<OutgoingRequest>) {
        while let Ok(outgoing) = requests.recv() {
            let id = outgoing.id;
            if let Err(error) = self.exchange(&outgoing) {
                // Whatever it was, the next request gets a new connection.
                self.stream = None;
                let failure = RequestFailure::new(FailureKind::Disconnected, error.to_string());
                self.tell(Arrival::Failure(id, failure));
            }
        }
    }

    fn exchange(&mut self, outgoing: &OutgoingRequest) -> Result<(), Failure> {
        if self.stream.is_none() {
            self.connect()?;
        }
        let api = outgoing.request.api_key();
        let theirs = self.versions.get(&api.to_wire()).copied().unwrap_or(0);
        let ours = api
            .versions()
            .max
            .min(outgoing.max_version.unwrap_or(i16::MAX));
        let version = ours.min(theirs);
        let mut body = self.call(&outgoing.request, version)?;
        if api != ApiKey::Fetch {
            let mut response = ResponseKind::decode(api, version, &body)?;
            if let ResponseKind::Metadata(metadata) = &mut response {
                metadata.drop_lagging_epochs(version);
            }
            self.tell(Arrival::Answer(outgoing.id, response));
            return Ok(());
        }
        let options = FetchReaderOptions::default();
        let mut reader = FetchResponseReader::new(version, body.len(), options);
        let mut parts = Vec::new();
        while let ReadProgress::Need(_) = reader.advance(&mut body, &mut |part| parts.push(part))? {
            if body.is_empty() {
                return Err("the response ends too early".into());
            }
        }
        self.tell(Arrival::Parts(outgoing.id, parts));
        self.tell(Arrival::FetchDone(outgoing.id));
        Ok(())
    }

    fn connect(&mut self) -> Result<(), Failure> {
        let stream = TcpStream::connect(&self.place)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        let request = RequestKind::from(ApiVersionsRequest::default());
        let body = self.call(&request, 0)?;
        let ResponseKind::ApiVersions(answer) =
            ResponseKind::decode(ApiKey::ApiVersions, 0, &body)?
        else {
            return Err("the answer is to another question".into());
        };
        let newest = answer.api_keys.iter();
        self.versions = newest.map(|api| (api.api_key, api.max_version)).collect();
        Ok(())
    }

    /// Sends a request and waits for the body of its response.
    fn call(&mut self, request: &RequestKind, version: i16) -> Result<BytesMut, Failure> {
        let stream = self.stream.as_mut().ok_or("not connected")?;
        self.correlation_id += 1;
        let mut frame = BytesMut::new();
        let client = Some("threads");
        request.encode_frame(version, self.correlation_id, client, &mut frame)?;
        stream.write_all(&frame)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut response = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        stream.read_exact(&mut response)?;
        let mut response = BytesMut::from(response.as_slice());
        let (_, body) = ResponseHeader::decode(request.api_key(), version, &response)?;
        let header = response.len() - body.len();
        response.advance(header);
        Ok(response)
    }

    fn tell(&self, arrival: Arrival) {
        // Nobody listens any more when the program ends.
        drop(self.arrivals.send(arrival));
    }
}
