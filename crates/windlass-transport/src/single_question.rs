//! For programs that ask one thing at a time and have no driver.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;
use windlass_machine::{FailureKind, RequestFailure, RequestId, RequestOwner};

use crate::{Broker, BrokerEvent, BrokerRequest, BrokerResponse, Connections, EventSender};

/// An answer under way, independent of the connections it comes from.
///
/// Dropping it abandons the request: it may still reach the broker, and its response is thrown away.
pub type Answer = Pin<Box<dyn Future<Output = Result<BrokerResponse, RequestFailure>> + Send>>;

impl Connections {
    /// Asks one thing, whose answer is waited for by itself; of a Fetch, its end.
    pub fn send(&mut self, request: BrokerRequest) -> Answer {
        let (events, mut receiver) = mpsc::unbounded_channel();
        let id = RequestId::new(RequestOwner::Other(0), 0);
        self.ask(request, EventSender::new(id, events));
        Box::pin(async move {
            while let Some(event) = receiver.recv().await {
                if let BrokerEvent::Answer { outcome, .. } = event {
                    return outcome;
                }
            }
            Err(RequestFailure::new(FailureKind::Closed, "not answered"))
        })
    }
}
