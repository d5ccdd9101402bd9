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
    let mut client = TcpConnect::default()
        .connect(&endpoint, None)
        .await
        .unwrap();
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
async fn a_name_is_looked_up_and_each_of_its_addresses_can_be_had() {
    let (listener, port) = listener().await;
    let endpoint = BrokerEndpoint::new("127.0.0.1", port);
    let connect = TcpConnect::default();
    let addresses = connect.resolve(&endpoint).await.unwrap();
    assert_eq!(addresses, [listener.local_addr().unwrap()]);
    connect
        .connect(&endpoint, Some(addresses[0]))
        .await
        .map(drop)
        .unwrap();
    drop(listener);
    let Err(error) = connect.connect(&endpoint, Some(addresses[0])).await else {
        panic!("nobody listens");
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
