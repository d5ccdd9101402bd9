//! The records as a stream.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::{Consumer, ConsumerError, OwnedRecord};

type Item = Result<OwnedRecord, ConsumerError>;
type Waiting<'a> = Pin<Box<dyn Future<Output = (&'a mut Consumer, Item)> + Send + 'a>>;

/// Owned records, one after the other, as [`Consumer::recv`] gives them; made by
/// [`Consumer::stream`]. It never ends by itself; dropping it loses no record.
#[must_use = "a stream does nothing unless it is polled"]
pub struct RecordStream<'a> {
    consumer: Option<&'a mut Consumer>,
    waiting: Option<Waiting<'a>>,
}

impl<'a> RecordStream<'a> {
    pub(crate) const fn new(consumer: &'a mut Consumer) -> Self {
        Self {
            consumer: Some(consumer),
            waiting: None,
        }
    }
}

impl Stream for RecordStream<'_> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if let Some(consumer) = self.consumer.as_mut() {
            // Most records are here already; only a refill is worth a future.
            if let Some(record) = consumer.next_delivered() {
                return Poll::Ready(Some(record));
            }
        }
        if let Some(consumer) = self.consumer.take() {
            self.waiting = Some(Box::pin(async move {
                let item = consumer.recv().await;
                (consumer, item)
            }));
        }
        let Some(waiting) = self.waiting.as_mut() else {
            return Poll::Ready(None);
        };
        let (consumer, item) = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        self.consumer = Some(consumer);
        Poll::Ready(Some(item))
    }
}

impl fmt::Debug for RecordStream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordStream").finish_non_exhaustive()
    }
}
