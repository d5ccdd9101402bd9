//! Connections to Kafka brokers.
//!
//! This crate promises *not* to know groups, offsets or assignment, and never to repeat a request:
//! it carries one request to one broker and says what came of it. Deciding what to send, and
//! whether to send it again, belongs to the machines.
//!
//! ```text
//!            Broker::send ──► one task a connection ──► Connect (TCP, TLS, memory)
//!                                │  negotiate versions, pipeline, keep deadlines, reconnect
//!   Answer ◄── response ─────────┤
//!   FetchPartSender ◄── parts ───┘  a Fetch response leaves in parts while it arrives
//! ```
//!
//! - [`Connect`] opens byte streams; [`TcpConnect`] is the plain one.
//! - [`Broker`] is the seam to the driver; [`Connections`] is the production side of it.
//! - What went wrong reaches the caller as a `RequestFailure`: a kind to act upon, and a sentence
//!   that names the broker, the API and the cause.
//! - There is no lock: the owner chooses a connection by `&mut self`, and every connection is a
//!   task that owns all it needs.

mod alarm;
mod broker;
mod connect;
mod connection;
mod connections;
mod error;
mod fetch_part_sender;
mod frame;
mod handshake;
mod inbox;
mod link;
mod options;
mod read_buffer;
mod response_reader;
mod segment_pool;
mod throttle;
mod version_table;

pub use broker::{Answer, Broker, BrokerRequest, BrokerResponse};
pub use connect::{ByteStream, Connect, TcpConnect};
pub use connections::Connections;
pub use fetch_part_sender::{FetchPartSender, FetchParts};
pub use options::TransportOptions;
