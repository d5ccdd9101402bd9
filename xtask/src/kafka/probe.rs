//! Asking a node whom it knows: a Metadata request by hand, for this program has no codec.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Metadata, version 1, of no topics: length, key, version, correlation, client id null, no topics.
const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0];

/// How long a node that takes a connection may keep silent.
const PATIENCE: Duration = Duration::from_secs(2);

/// An answer to such a request is a few hundred bytes long.
const LONGEST: usize = 64 * 1024;

/// The ids of the brokers that the node on this port says are alive.
pub(super) fn brokers(port: u16) -> io::Result<BTreeSet<u16>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&REQUEST)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Err(io::Error::other("this is no Kafka"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    parse(&body).ok_or_else(|| io::Error::other("this is no Kafka"))
}

/// Correlation id, then an array of brokers: id, host, port, rack.
fn parse(mut body: &[u8]) -> Option<BTreeSet<u16>> {
    let bytes = &mut body;
    (integer(bytes)? == 7).then_some(())?;
    let count = integer(bytes)?;
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        ids.insert(u16::try_from(integer(bytes)?).ok()?);
        skip_string(bytes)?;
        integer(bytes)?;
        skip_string(bytes)?;
    }
    Some(ids)
}

fn integer(bytes: &mut &[u8]) -> Option<i32> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i32::from_be_bytes(*head))
}

/// Skips a string; a negative length is a null.
fn skip_string(bytes: &mut &[u8]) -> Option<()> {
    let (head, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(i16::from_be_bytes(*head)).unwrap_or(0);
    *bytes = rest.get(length..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read() {
        let mut body = vec![0, 0, 0, 7, 0, 0, 0, 2];
        body.extend([0, 0, 0, 1, 0, 1, b'h', 0, 0, 1, 1, 0, 1, b'r']);
        body.extend([0, 0, 0, 3, 0, 1, b'h', 0, 0, 1, 1, 0xff, 0xff]);
        assert_eq!(parse(&body), Some(BTreeSet::from([1, 3])));
        body.truncate(body.len() - 1);
        assert_eq!(parse(&body), None);
        assert_eq!(parse(b"HTTP/1.1 400 Bad Request"), None);
    }
}
