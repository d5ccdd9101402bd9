//! Connections to Kafka brokers.
//!
//! This crate promises *not* to know groups, offsets or assignment, and never to repeat a request:
//! it carries one request to one broker and says what came of it. Deciding what to send, and
//! whether to send it again, belongs to the machines.
//!
//! ```text
//!   Broker::ask ──► one task a connection ──► Connect (TCP, TLS, memory)
//!                      │  negotiate versions, pipeline, keep deadlines, reconnect
//!   EventSender ◄──────┘  parts of Fetch responses while they arrive, and every answer, in order
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
mod event;
mod frame;
mod handshake;
mod in_flight;
mod inbox;
mod link;
mod options;
mod read_buffer;
mod response_reader;
mod segment_pool;
mod single_question;
mod throttle;
mod version_table;

pub use broker::{Broker, BrokerRequest};
pub use connect::{ByteStream, Connect, TcpConnect};
pub use connections::Connections;
pub use event::{BrokerEvent, BrokerResponse, EventSender};
pub use options::TransportOptions;
pub use single_question::Answer;
