//! Records with their values deserialized.

use std::fmt;
use std::marker::PhantomData;

use windlass_model::TopicPartition;

use crate::{Consumer, ConsumerError, OwnedRecord};

/// Turns the value of a record into a `T`.
///
/// A closure `Fn(Option<&[u8]>) -> Result<T, E>` is one; [`Json`] is another.
pub trait Deserializer<T> {
    /// Reads one value; `None` is a null value, which in a compacted topic deletes the key.
    ///
    /// # Errors
    ///
    /// Why the bytes are no `T`, for a person.
    fn deserialize(&self, value: Option<&[u8]>) -> Result<T, String>;
}

impl<T, E: fmt::Display, F: Fn(Option<&[u8]>) -> Result<T, E>> Deserializer<T> for F {
    fn deserialize(&self, value: Option<&[u8]>) -> Result<T, String> {
        self(value).map_err(|error| error.to_string())
    }
}

/// Reads values as JSON by way of serde. A null value reads as JSON's `null`, so an `Option<T>`
/// takes it.
#[cfg(feature = "json")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<T: serde::de::DeserializeOwned> Deserializer<T> for Json {
    fn deserialize(&self, value: Option<&[u8]>) -> Result<T, String> {
        serde_json::from_slice(value.unwrap_or(b"null")).map_err(|error| error.to_string())
    }
}

/// A record whose value has been deserialized.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedRecord<T> {
    /// The value.
    pub value: T,
    /// The record it came from.
    pub record: OwnedRecord,
}

/// A view of a [`Consumer`] that hands out values of one type; made by [`Consumer::typed`].
#[derive(Debug)]
pub struct TypedConsumer<'a, T, D> {
    consumer: &'a mut Consumer,
    deserializer: D,
    values: PhantomData<fn() -> T>,
}

impl<'a, T, D: Deserializer<T>> TypedConsumer<'a, T, D> {
    pub(crate) const fn new(consumer: &'a mut Consumer, deserializer: D) -> Self {
        Self {
            consumer,
            deserializer,
            values: PhantomData,
        }
    }

    /// Waits for the next record and hands out its value.
    ///
    /// # Errors
    ///
    /// [`ConsumerError::Deserialize`] for a poison record: it names topic, partition and offset, and
    /// the next call goes on behind it. Otherwise as [`Consumer::recv`].
    ///
    /// # Cancel safety
    ///
    /// Safe: no record is lost.
    pub async fn recv(&mut self) -> Result<TypedRecord<T>, ConsumerError> {
        let record = self.consumer.recv().await?;
        match self.deserializer.deserialize(record.value.as_deref()) {
            Ok(value) => Ok(TypedRecord { value, record }),
            Err(detail) => Err(ConsumerError::Deserialize {
                topic_partition: record.topic_partition,
                offset: record.offset,
                detail,
            }),
        }
    }

    /// Makes the offset the next one to be handed out, as [`Consumer::seek`].
    ///
    /// # Errors
    ///
    /// As [`Consumer::seek`].
    pub async fn seek(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
    ) -> Result<(), ConsumerError> {
        self.consumer.seek(partition, offset).await
    }

    /// Commits up to and including the last record given, as [`Consumer::commit`].
    ///
    /// # Errors
    ///
    /// As [`Consumer::commit`].
    pub async fn commit(&mut self) -> Result<(), ConsumerError> {
        self.consumer.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "json")]
    #[test]
    fn json_reads_values_and_nulls() {
        assert_eq!(Deserializer::<u32>::deserialize(&Json, Some(b"7")), Ok(7));
        assert_eq!(
            Deserializer::<Option<u32>>::deserialize(&Json, None),
            Ok(None)
        );
        assert!(Deserializer::<u32>::deserialize(&Json, Some(b"x")).is_err());
    }

    #[test]
    fn a_closure_is_a_deserializer() {
        let length = |value: Option<&[u8]>| value.map(<[u8]>::len).ok_or("null");
        assert_eq!(length.deserialize(Some(b"abc")), Ok(3));
        assert_eq!(
            Deserializer::<usize>::deserialize(&length, None),
            Err("null".into())
        );
    }
}
