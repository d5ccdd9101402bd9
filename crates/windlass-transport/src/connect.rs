//! Opening a byte stream to a broker.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
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
    /// The addresses that the endpoint's name stands for, in the order to try them. Whoever connects
    /// goes on to the next one whenever the one before has failed, or has been used: an address that
    /// accepts connections and says nothing must not hide the others.
    ///
    /// Without any, as by default, [`connect`](Self::connect) knows the only way there is.
    ///
    /// # Errors
    ///
    /// Why the name stands for nothing; the text is shown to a person.
    async fn resolve(&self, _endpoint: &BrokerEndpoint) -> io::Result<Vec<SocketAddr>> {
        Ok(Vec::new())
    }

    /// Opens a stream to the endpoint, at one of the addresses that [`resolve`](Self::resolve) gave.
    ///
    /// Dropping the future gives the attempt up. The caller bounds the time of the whole attempt
    /// ([`TransportOptions::setup_timeout`](crate::TransportOptions::setup_timeout)).
    ///
    /// # Errors
    ///
    /// Whatever kept the stream from being opened; the text is shown to a person.
    async fn connect(
        &self,
        endpoint: &BrokerEndpoint,
        address: Option<SocketAddr>,
    ) -> io::Result<Box<dyn ByteStream>>;
}

/// Plain TCP. Every address that the host name resolves to is tried in turn, as Java's
/// `client.dns.lookup=use_all_dns_ips` does. Connections are kept alive by probes (`SO_KEEPALIVE`), so
/// that what lies between does not forget them and a peer that is gone is noticed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TcpConnect {}

/// How long a connection is idle before it is probed: less than load balancers remember (4 minutes in
/// the strictest that is known).
const PROBE_AFTER: Duration = Duration::from_secs(60);

/// How often it is probed from then on.
const PROBE_EVERY: Duration = Duration::from_secs(15);

#[async_trait]
impl Connect for TcpConnect {
    async fn resolve(&self, endpoint: &BrokerEndpoint) -> io::Result<Vec<SocketAddr>> {
        let addresses = lookup_host((endpoint.host.as_str(), endpoint.port)).await?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        if addresses.is_empty() {
            let nothing = "the host name resolves to no address";
            return Err(io::Error::new(io::ErrorKind::NotFound, nothing));
        }
        Ok(addresses)
    }

    async fn connect(
        &self,
        endpoint: &BrokerEndpoint,
        address: Option<SocketAddr>,
    ) -> io::Result<Box<dyn ByteStream>> {
        let address = match address {
            Some(address) => address,
            None => first(self.resolve(endpoint).await?)?,
        };
        let stream = TcpStream::connect(address).await?;
        // Requests are small and each is written at once: waiting for more only delays them.
        stream.set_nodelay(true)?;
        let probes = TcpKeepalive::new()
            .with_time(PROBE_AFTER)
            .with_interval(PROBE_EVERY);
        SockRef::from(&stream).set_tcp_keepalive(&probes)?;
        Ok(Box::new(stream))
    }
}

fn first(addresses: Vec<SocketAddr>) -> io::Result<SocketAddr> {
    let mut addresses = addresses.into_iter();
    addresses
        .next()
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}
