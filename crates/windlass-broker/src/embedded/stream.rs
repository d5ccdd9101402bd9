//! One connection: frames in, frames out.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use windlass_protocol::messages::api_versions::ApiVersionsRequest;
use windlass_protocol::{ApiKey, LENGTH_SIZE, RequestHeader, RequestKind, frame_length};

use super::command::{Command, Peer, inbound};
use crate::ConnectionId;

/// Serves a connection until it breaks or the cluster ends.
pub(super) fn spawn(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    peer: Peer,
    commands: mpsc::UnboundedSender<Command>,
) {
    tokio::spawn(async move {
        let (name, named) = oneshot::channel();
        let (responses, outgoing) = mpsc::unbounded_channel();
        if commands
            .send(Command::Connected {
                node: peer.node,
                responses,
                name,
            })
            .is_err()
        {
            return;
        }
        let Ok(id) = named.await else {
            return;
        };
        if let Err(error) = serve(stream, &peer, id, &commands, outgoing).await {
            tracing::debug!(%error, peer.node, "a connection ended");
        }
        // A cluster that has ended wants no farewells.
        drop(commands.send(Command::Disconnected(id)));
    });
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send,
    peer: &Peer,
    id: ConnectionId,
    commands: &mpsc::UnboundedSender<Command>,
    mut outgoing: mpsc::UnboundedReceiver<BytesMut>,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let reading = async {
        let mut buffer = BytesMut::with_capacity(16 * 1024);
        loop {
            while let Some(frame) = take_frame(&mut buffer, peer.max_request_bytes)? {
                let (header, request) = decode(&frame)?;
                let command = Command::Request {
                    inbound: inbound(peer, id, &header),
                    request: Box::new(request),
                };
                if commands.send(command).is_err() {
                    return Ok(());
                }
            }
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok::<(), io::Error>(());
            }
        }
    };
    let writing = async {
        while let Some(frame) = outgoing.recv().await {
            writer.write_all(&frame).await?;
        }
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        result = reading => result,
        result = writing => result,
    }
}

/// The next whole frame, if it has arrived.
fn take_frame(buffer: &mut BytesMut, longest: usize) -> io::Result<Option<BytesMut>> {
    let Some(prefix) = buffer.first_chunk::<LENGTH_SIZE>() else {
        return Ok(None);
    };
    let length = frame_length(*prefix, longest).map_err(invalid)?;
    if buffer.len() < LENGTH_SIZE + length {
        return Ok(None);
    }
    buffer.advance(LENGTH_SIZE);
    Ok(Some(buffer.split_to(length)))
}

fn decode(frame: &[u8]) -> io::Result<(RequestHeader, RequestKind)> {
    let (header, body) = RequestHeader::decode(frame).map_err(invalid)?;
    let api = ApiKey::from_wire(header.api_key)
        .ok_or_else(|| invalid(format!("API {} is not spoken here", header.api_key)))?;
    let versions = api.versions();
    let known = (versions.min..=versions.max).contains(&header.api_version);
    if api == ApiKey::ApiVersions && !known {
        // The one question that is answered in a version nobody knows.
        return Ok((header, ApiVersionsRequest::default().into()));
    }
    if !known {
        return Err(invalid(format!(
            "{} v{} is not spoken here",
            api.name(),
            header.api_version
        )));
    }
    let request = RequestKind::decode(api, header.api_version, body).map_err(invalid)?;
    Ok((header, request))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
