//! A broker whose every move is written in the test.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};
use windlass_machine::{Destination, RequestFailure, RequestId, RequestOwner};
use windlass_model::{BrokerEndpoint, Cluster, NodeId};
use windlass_protocol::messages::api_versions::ApiVersion;
use windlass_protocol::messages::{ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse};
use windlass_protocol::{
    ApiKey, ErrorCode, RequestHeader, RequestKind, ResponseKind, VersionRange,
};
use windlass_transport::{
    Broker, BrokerEvent, BrokerRequest, BrokerResponse, ByteStream, Connect, Connections,
    EventSender, TransportOptions,
};

/// The size of the pipe in each direction.
const PIPE_BYTES: usize = 64 * 1024;

/// Longer than anything a test waits for: in virtual time a test that would hang fails at once.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// How long a request of a test may take, where the test says nothing else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Brings every attempt to connect before the test.
#[derive(Debug)]
struct Switchboard {
    attempts: mpsc::UnboundedSender<Attempt>,
}

/// Somebody wants to connect.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) endpoint: BrokerEndpoint,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) at: Instant,
    outcome: oneshot::Sender<io::Result<DuplexStream>>,
}

#[async_trait]
impl Connect for Switchboard {
    /// A host named `twins` has two addresses, any other one the way that it has.
    async fn resolve(&self, endpoint: &BrokerEndpoint) -> io::Result<Vec<SocketAddr>> {
        let two = [([10, 0, 0, 1], 9092), ([10, 0, 0, 2], 9092)].map(SocketAddr::from);
        Ok(match endpoint.host.as_str() {
            "twins" => two.to_vec(),
            _ => Vec::new(),
        })
    }

    async fn connect(
        &self,
        endpoint: &BrokerEndpoint,
        address: Option<SocketAddr>,
    ) -> io::Result<Box<dyn ByteStream>> {
        let (outcome, stream) = oneshot::channel();
        let attempt = Attempt {
            endpoint: endpoint.clone(),
            address,
            at: Instant::now(),
            outcome,
        };
        self.attempts.send(attempt).unwrap();
        match stream.await {
            Ok(stream) => Ok(Box::new(stream?)),
            Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl Attempt {
    /// Waits until nobody wants the connection any more.
    pub(crate) async fn abandoned(&mut self) {
        let abandoned = timeout(FOR_EVER, self.outcome.closed()).await;
        abandoned.expect("still wanted");
    }

    pub(crate) fn refuse(self) {
        let error = io::Error::from(io::ErrorKind::ConnectionRefused);
        self.outcome.send(Err(error)).unwrap();
    }

    pub(crate) fn accept(self) -> ScriptedBroker {
        let (ours, theirs) = duplex(PIPE_BYTES);
        self.outcome.send(Ok(theirs)).unwrap();
        ScriptedBroker {
            stream: ours,
            input: BytesMut::new(),
        }
    }

    /// Accepts and negotiates the newest version of everything.
    pub(crate) async fn serve(self) -> ScriptedBroker {
        let mut broker = self.accept();
        broker.negotiate().await;
        broker
    }
}

/// The brokers' side of every connection, in the order they are asked for.
#[derive(Debug)]
pub(crate) struct Network {
    attempts: mpsc::UnboundedReceiver<Attempt>,
}

impl Network {
    pub(crate) async fn attempt(&mut self) -> Attempt {
        let attempt = timeout(FOR_EVER, self.attempts.recv()).await;
        attempt.expect("nobody connects").unwrap()
    }

    /// Whether nobody has asked for a connection since.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.attempts.try_recv().is_err()
    }
}

/// The client's side: connections that any test can ask through.
pub(crate) struct Client {
    pub(crate) connections: Connections,
}

/// A client that knows the bootstrap addresses `boot-1:9092` and so on, and its network.
pub(crate) fn client(bootstrap: usize) -> (Client, Network) {
    client_with(bootstrap, TransportOptions::default())
}

pub(crate) fn client_with(bootstrap: usize, options: TransportOptions) -> (Client, Network) {
    let (sender, attempts) = mpsc::unbounded_channel();
    let connect = Arc::new(Switchboard { attempts: sender });
    let bootstrap = (1..=bootstrap)
        .map(|number| BrokerEndpoint::new(format!("boot-{number}"), 9092))
        .collect();
    let connections = Connections::new(connect, bootstrap, options, 7);
    (Client { connections }, Network { attempts })
}

impl Client {
    /// Makes nodes known, each at `node-ID:9092`.
    pub(crate) fn know(&mut self, nodes: &[i32]) {
        let brokers = nodes.iter().map(|id| {
            let endpoint = BrokerEndpoint::new(format!("node-{id}"), 9092);
            (NodeId(*id), endpoint)
        });
        self.connections.on_cluster(&Cluster {
            brokers: brokers.collect(),
            ..Cluster::default()
        });
    }

    pub(crate) fn send(
        &mut self,
        destination: Destination,
        request: impl Into<RequestKind>,
    ) -> Running {
        self.send_within(destination, request, PATIENCE)
    }

    pub(crate) fn send_within(
        &mut self,
        destination: Destination,
        request: impl Into<RequestKind>,
        patience: Duration,
    ) -> Running {
        self.ask(broker_request(destination, request, patience))
    }

    pub(crate) fn ask(&mut self, request: BrokerRequest) -> Running {
        run(self.listen(request))
    }

    /// Asks, and gives all that becomes of it.
    pub(crate) fn listen(&mut self, request: BrokerRequest) -> Events {
        let (sender, events) = mpsc::unbounded_channel();
        self.connections.ask(request, EventSender::new(ID, sender));
        events
    }
}

pub(crate) fn broker_request(
    destination: Destination,
    request: impl Into<RequestKind>,
    patience: Duration,
) -> BrokerRequest {
    BrokerRequest {
        destination,
        request: request.into(),
        max_version: None,
        deadline: (Instant::now() + patience).into_std(),
    }
}

/// An answer that is waited for beside the test.
pub(crate) type Running = tokio::task::JoinHandle<Result<BrokerResponse, RequestFailure>>;

/// What becomes of one request.
pub(crate) type Events = mpsc::UnboundedReceiver<BrokerEvent>;

/// The name of every request of a test: each has a channel of its own.
pub(crate) const ID: RequestId = RequestId::new(RequestOwner::Fetch, 42);

/// Waits for the answer, which must be the last event.
pub(crate) fn run(mut events: Events) -> Running {
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let BrokerEvent::Answer { request, outcome } = event {
                assert_eq!(request, ID);
                assert!(events.recv().await.is_none(), "answered once");
                return outcome;
            }
        }
        panic!("no answer");
    })
}

/// A request that tells its sender by a number.
pub(crate) fn heartbeat(number: i32) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: "group".to_owned(),
        generation_id: number,
        member_id: "member".to_owned(),
        ..HeartbeatRequest::default()
    }
}

/// A heartbeat's answer that carries a number: as its error code, for there is no other field.
pub(crate) fn heartbeat_answer(number: i16) -> HeartbeatResponse {
    HeartbeatResponse {
        error_code: ErrorCode(number),
        ..HeartbeatResponse::default()
    }
}

/// The broker's side of one connection.
#[derive(Debug)]
pub(crate) struct ScriptedBroker {
    stream: DuplexStream,
    input: BytesMut,
}

/// A request as it came over the wire.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: RequestHeader,
    pub(crate) request: RequestKind,
}

impl Received {
    pub(crate) fn api(&self) -> ApiKey {
        self.request.api_key()
    }

    /// The number in a heartbeat.
    pub(crate) fn number(&self) -> i32 {
        match &self.request {
            RequestKind::Heartbeat(heartbeat) => heartbeat.generation_id,
            other => panic!("no heartbeat: {other:?}"),
        }
    }
}

impl ScriptedBroker {
    /// The next request, or nothing once the client has hung up.
    pub(crate) async fn request(&mut self) -> Option<Received> {
        while self.input.len() < 4 || self.input.len() < 4 + self.frame_length() {
            let read = timeout(FOR_EVER, self.stream.read_buf(&mut self.input)).await;
            if read.expect("the client is silent").unwrap_or(0) == 0 {
                return None;
            }
        }
        let length = self.frame_length();
        self.input.advance(4);
        let frame = self.input.split_to(length);
        let (header, body) = RequestHeader::decode(&frame).unwrap();
        let api = ApiKey::from_wire(header.api_key).unwrap();
        let request = RequestKind::decode(api, header.api_version, body).unwrap();
        Some(Received { header, request })
    }

    fn frame_length(&self) -> usize {
        usize::try_from((&self.input[..]).get_i32()).unwrap()
    }

    /// Waits until the client has hung up.
    pub(crate) async fn hung_up(&mut self) {
        while self.request().await.is_some() {}
    }

    /// Answers a request in its own version.
    pub(crate) async fn answer(&mut self, received: &Received, response: impl Into<ResponseKind>) {
        let frame = frame(received, response);
        self.write(&frame).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Answers the next heartbeat with its own number.
    pub(crate) async fn echo(&mut self) {
        let received = self.request().await.unwrap();
        let number = i16::try_from(received.number()).unwrap();
        self.answer(&received, heartbeat_answer(number)).await;
    }

    /// Answers ApiVersions: everything in every version this client speaks.
    pub(crate) async fn negotiate(&mut self) {
        self.negotiate_only(&[]).await;
    }

    /// Answers ApiVersions: everything, but these APIs only in these versions.
    pub(crate) async fn negotiate_only(&mut self, limits: &[(ApiKey, i16, i16)]) {
        let received = self.request().await.unwrap();
        assert_eq!(received.api(), ApiKey::ApiVersions);
        self.answer(&received, api_versions(limits)).await;
    }
}

/// Everything in every version this client speaks, but these APIs only in these versions.
pub(crate) fn api_versions(limits: &[(ApiKey, i16, i16)]) -> ApiVersionsResponse {
    let range = |api: ApiKey| {
        let limit = limits.iter().find(|(limited, _, _)| *limited == api);
        limit.map_or_else(
            || api.versions(),
            |(_, min, max)| VersionRange {
                min: *min,
                max: *max,
            },
        )
    };
    let entries = ApiKey::ALL.iter().map(|api| ApiVersion {
        api_key: api.to_wire(),
        min_version: range(*api).min,
        max_version: range(*api).max,
    });
    ApiVersionsResponse {
        api_keys: entries.collect(),
        ..ApiVersionsResponse::default()
    }
}

/// The bytes of a response, length included.
pub(crate) fn frame(received: &Received, response: impl Into<ResponseKind>) -> BytesMut {
    let mut frame = BytesMut::new();
    response
        .into()
        .encode_frame(
            received.header.api_version,
            received.header.correlation_id,
            &mut frame,
        )
        .unwrap();
    frame
}

/// The number in the answer to a heartbeat.
pub(crate) async fn number(running: Running) -> i16 {
    match running.await.unwrap().unwrap() {
        BrokerResponse::Message(ResponseKind::Heartbeat(answer)) => answer.error_code.0,
        other => panic!("no answer to a heartbeat: {other:?}"),
    }
}

/// The failure that a request must end in.
pub(crate) async fn failure(running: Running) -> RequestFailure {
    running.await.unwrap().unwrap_err()
}
