//! The task that owns the core, and those that accept connections for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::command::{Command, Peer};
use super::stream;
use crate::{ClusterCore, ConnectionId, Outbound};

/// Takes connections for a node.
pub(super) async fn accept(
    listener: TcpListener,
    node: i32,
    max_request_bytes: usize,
    commands: mpsc::UnboundedSender<Command>,
) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                // Responses are written whole: waiting for more only delays them.
                if socket.set_nodelay(true).is_ok() {
                    let peer = Peer {
                        node,
                        host: address.ip().to_string(),
                        max_request_bytes,
                    };
                    stream::spawn(socket, peer, commands.clone());
                }
            }
            Err(error) => {
                tracing::warn!(%error, node, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Runs the core.
pub(super) async fn run(mut core: ClusterCore, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut connections: BTreeMap<ConnectionId, mpsc::UnboundedSender<BytesMut>> = BTreeMap::new();
    let mut counter = 0;
    loop {
        let wakeup = core.poll_timeout().map(|wakeup| wakeup.at);
        let wakeup = wakeup.unwrap_or_else(|| now() + Duration::from_secs(3600));
        tokio::select! {
            command = commands.recv() => match command {
                None => return,
                Some(Command::Connected { node, responses, name }) => {
                    // A dead node takes nobody: dropping the channel closes the connection.
                    if core.is_alive(node) {
                        counter += 1;
                        connections.insert(ConnectionId(counter), responses);
                        if name.send(ConnectionId(counter)).is_err() {
                            connections.remove(&ConnectionId(counter));
                        }
                    }
                }
                Some(Command::Request { inbound, request }) => core.on_request(inbound, *request, now()),
                Some(Command::Disconnected(id)) => {
                    connections.remove(&id);
                    core.on_disconnect(id);
                }
                Some(Command::Act(act)) => act(&mut core, now()),
            },
            () = tokio::time::sleep_until(wakeup.into()) => core.handle_timeout(now()),
        }
        while let Some(outbound) = core.poll_outbound() {
            carry_out(outbound, &mut connections);
        }
    }
}

fn carry_out(
    outbound: Outbound,
    connections: &mut BTreeMap<ConnectionId, mpsc::UnboundedSender<BytesMut>>,
) {
    match outbound {
        Outbound::Response {
            connection,
            correlation_id,
            version,
            response,
            ..
        } => {
            let mut frame = BytesMut::new();
            match response.encode_frame(version, correlation_id, &mut frame) {
                Ok(()) => {
                    if let Some(responses) = connections.get(&connection) {
                        // A connection that has just broken needs no answer.
                        drop(responses.send(frame));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a response cannot be written");
                    connections.remove(&connection);
                }
            }
        }
        Outbound::Close { connection } => {
            connections.remove(&connection);
        }
    }
}

/// The time, by the runtime's clock: tests may hold it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
