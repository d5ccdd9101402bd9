//! Real sockets on the loopback interface.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use windlass_model::BrokerEndpoint;
use windlass_transport::{Connect, TcpConnect};

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let (listener, port) = listener().await;
    let endpoint = BrokerEndpoint::new("localhost", port);
    let mut client = TcpConnect::default().connect(&endpoint).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    server.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"ping");
    server.write_all(b"pong").await.unwrap();
    client.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"pong");
}

#[tokio::test]
async fn a_refusal_names_every_address() {
    let (listener, port) = listener().await;
    drop(listener);
    let endpoint = BrokerEndpoint::new("127.0.0.1", port);
    let Err(error) = TcpConnect::default().connect(&endpoint).await else {
        panic!("nobody listens");
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(
        error.to_string().contains(&format!("127.0.0.1:{port}")),
        "{error}"
    );
}
