//! Opening a byte stream to a broker.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use windlass_model::BrokerEndpoint;

/// A two-way stream of bytes: a socket, a TLS session over one, or a pipe in memory.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// How to reach a broker: the seam at which TLS, proxies and in-memory brokers attach.
///
/// One value serves every connection of a client. What it returns is ready for the first byte of
/// Kafka's protocol: a TLS implementation has done its handshake by then.
#[async_trait]
pub trait Connect: fmt::Debug + Send + Sync {
    /// Opens a stream to the endpoint.
    ///
    /// Dropping the future gives the attempt up. The caller bounds the time of the whole attempt
    /// ([`TransportOptions::setup_timeout`](crate::TransportOptions::setup_timeout)).
    ///
    /// # Errors
    ///
    /// Whatever kept the stream from being opened; the text is shown to a person.
    async fn connect(&self, endpoint: &BrokerEndpoint) -> io::Result<Box<dyn ByteStream>>;
}

/// Plain TCP. Every address that the host name resolves to is tried in turn, as Java's
/// `client.dns.lookup=use_all_dns_ips` does.
#[derive(Clone, Debug)]
pub struct TcpConnect {
    /// How long one address may take to answer (`socket.connection.setup.timeout.ms`).
    pub timeout: Duration,
}

impl Default for TcpConnect {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
        }
    }
}

#[async_trait]
impl Connect for TcpConnect {
    async fn connect(&self, endpoint: &BrokerEndpoint) -> io::Result<Box<dyn ByteStream>> {
        let mut failures = Vec::new();
        for address in lookup_host((endpoint.host.as_str(), endpoint.port)).await? {
            match self.open(address).await {
                Ok(stream) => return Ok(Box::new(stream)),
                Err(error) => failures.push((address, error)),
            }
        }
        Err(no_address_answered(&failures))
    }
}

impl TcpConnect {
    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = timeout(self.timeout, TcpStream::connect(address))
            .await
            .map_err(|_| {
                io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer within {:?}", self.timeout),
                )
            })??;
        // Requests are small and each is written at once: waiting for more only delays them.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn no_address_answered(failures: &[(SocketAddr, io::Error)]) -> io::Error {
    let Some((_, last)) = failures.last() else {
        return io::Error::new(
            io::ErrorKind::NotFound,
            "the host name resolves to no address",
        );
    };
    let story: Vec<String> = failures
        .iter()
        .map(|(address, error)| format!("{address}: {error}"))
        .collect();
    io::Error::new(last.kind(), story.join("; "))
}
