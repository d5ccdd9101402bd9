//! A runtime that is starved by its application, in real time: a paused clock plays timers and sockets
//! one after the other, and hides it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use windlass_machine::Destination;
use windlass_model::BrokerEndpoint;
use windlass_protocol::{ApiKey, RequestHeader, ResponseKind};
use windlass_transport::{Connections, TcpConnect, TransportOptions};

use crate::scripted_broker::{api_versions, broker_request, heartbeat, heartbeat_answer};

/// A broker on a thread of its own, which no runtime can starve. It answers in a tenth of a second.
fn prompt_broker() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
            stream.read_exact(&mut frame).unwrap();
            let (header, _) = RequestHeader::decode(&frame).unwrap();
            let response: ResponseKind = match ApiKey::from_wire(header.api_key) {
                Some(ApiKey::ApiVersions) => api_versions(&[]).into(),
                _ => {
                    // Long enough that the application is at work again.
                    std::thread::sleep(Duration::from_millis(100));
                    heartbeat_answer(7).into()
                }
            };
            let mut answer = BytesMut::new();
            response
                .encode_frame(header.api_version, header.correlation_id, &mut answer)
                .unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    port
}

#[tokio::test]
async fn an_answer_that_came_in_time_counts_though_nobody_could_look_at_it() {
    let mut connections = Connections::new(
        Arc::new(TcpConnect::default()),
        vec![BrokerEndpoint::new("127.0.0.1", prompt_broker())],
        TransportOptions::default(),
        7,
    );
    let mut ask = |patience| {
        let request = broker_request(Destination::Any, heartbeat(1), patience);
        tokio::spawn(connections.send(request))
    };
    let warm = ask(Duration::from_secs(5)).await.unwrap();
    warm.unwrap();
    for _ in 0..5 {
        let answer = ask(Duration::from_millis(200));
        // It is written, and will be answered while the application computes.
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::thread::sleep(Duration::from_millis(400));
        let outcome = answer.await.unwrap();
        assert!(outcome.is_ok(), "{:?}", outcome.unwrap_err());
    }
}
