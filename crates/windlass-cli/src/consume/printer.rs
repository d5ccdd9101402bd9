//! Records on their way to the output.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::json;
use windlass::{Consumer, Record, Records, TopicPartition};

use crate::arguments::Format;
use crate::failure::Failure;
use crate::output;

/// Prints what comes, until enough was printed.
pub(super) struct Printer {
    format: Format,
    left: Option<u64>,
    /// Where each partition that is not done yet stops; none to go on for ever.
    stops: Option<BTreeMap<TopicPartition, i64>>,
    /// Whether what is printed counts as processed, for a group.
    commits: bool,
}

impl Printer {
    pub(super) const fn new(
        format: Format,
        left: Option<u64>,
        stops: Option<BTreeMap<TopicPartition, i64>>,
        commits: bool,
    ) -> Self {
        Self {
            format,
            left,
            stops,
            commits,
        }
    }

    pub(super) async fn run(&mut self, consumer: &mut Consumer) -> Result<(), Failure> {
        while !self.is_done() {
            let records = consumer.poll(Duration::from_millis(500)).await?;
            let mut next = firsts(&records)?;
            let printed = self.print_all(&records, &mut next);
            if printed.is_err() {
                // Nobody knows how much of it was read.
                next = firsts(&records)?;
            }
            if self.commits && (printed.is_err() || self.is_done()) {
                go_back(consumer, next).await?;
            }
            printed?;
            self.stop_reached(consumer, &records).await?;
        }
        Ok(())
    }

    /// Prints them as far as they are wanted, and notes what follows in each partition.
    fn print_all(
        &mut self,
        records: &Records,
        next: &mut BTreeMap<TopicPartition, i64>,
    ) -> Result<(), Failure> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        for (partition, batch) in records.by_partition() {
            for record in batch {
                let record = record?;
                if self.left == Some(0) || self.is_beyond(partition, record.offset()) {
                    break;
                }
                self.print(&mut out, &record)?;
                next.insert(partition.clone(), record.offset() + 1);
                if let Some(left) = &mut self.left {
                    *left -= 1;
                }
            }
        }
        out.flush().map_err(|error| output::closed(&error))
    }

    fn is_done(&self) -> bool {
        self.left == Some(0) || self.stops.as_ref().is_some_and(BTreeMap::is_empty)
    }

    fn is_beyond(&self, partition: &TopicPartition, offset: i64) -> bool {
        let Some(stops) = &self.stops else {
            return false;
        };
        stops.get(partition).is_none_or(|stop| offset >= *stop)
    }

    /// Ends the partitions that have reached their stop, so that no more of them is fetched.
    async fn stop_reached(
        &mut self,
        consumer: &mut Consumer,
        records: &Records,
    ) -> Result<(), Failure> {
        let Some(stops) = &mut self.stops else {
            return Ok(());
        };
        let mut done = Vec::new();
        for (partition, batch) in records.by_partition() {
            if stops
                .get(partition)
                .is_some_and(|stop| batch.next_offset() >= *stop)
            {
                done.push(partition.clone());
            }
        }
        // What is left before a stop may be no records at all: the ends of transactions, and what was
        // aborted or compacted away. Polls come back empty in the end, since what is done is paused.
        if records.is_empty() {
            for (partition, stop) in &*stops {
                if !done.contains(partition) && consumer.position(partition).await? >= *stop {
                    done.push(partition.clone());
                }
            }
        }
        if done.is_empty() {
            return Ok(());
        }
        for partition in &done {
            stops.remove(partition);
        }
        Ok(consumer.pause(&done).await?)
    }

    fn print(&self, out: &mut impl Write, record: &Record<'_>) -> Result<(), Failure> {
        match self.format {
            Format::Value => output::bytes(out, record.value().unwrap_or_default())?,
            Format::Text => output::bytes(out, text(record).as_bytes())?,
            Format::Json => output::bytes(out, json_object(record)?.as_bytes())?,
        }
        output::bytes(out, b"\n")
    }
}

fn text(record: &Record<'_>) -> String {
    let show = |bytes: Option<&[u8]>| bytes.map_or_else(|| "null".to_owned(), output::printable);
    format!(
        "{} offset {} time {} key {} value {}",
        record.topic_partition(),
        record.offset(),
        record.timestamp(),
        show(record.key()),
        show(record.value()),
    )
}

/// One record as JSON. Bytes that are no text stand as `{"hex": …}`, so nothing is lost.
fn json_object(record: &Record<'_>) -> Result<String, Failure> {
    let show = |bytes: Option<&[u8]>| match bytes {
        None => serde_json::Value::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "hex": hex(bytes) }),
        },
    };
    let mut headers = Vec::new();
    for header in record.headers().iter() {
        let header = header
            .map_err(|error| Failure::new(format!("{}: {error}", record.topic_partition())))?;
        headers.push(json!([show(Some(header.key)), show(header.value)]));
    }
    Ok(json!({
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": record.timestamp(),
        "key": show(record.key()),
        "value": show(record.value()),
        "headers": headers,
    })
    .to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the records of each partition begin.
fn firsts(records: &Records) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let mut firsts = BTreeMap::new();
    for (partition, batch) in records.by_partition() {
        if let Some(record) = batch.iter().next() {
            firsts.insert(partition.clone(), record?.offset());
        }
    }
    Ok(firsts)
}

/// What was not printed is not to be committed: the group goes on there.
async fn go_back(
    consumer: &mut Consumer,
    to: BTreeMap<TopicPartition, i64>,
) -> Result<(), Failure> {
    let owned = consumer.assignment().await?;
    for (partition, offset) in to {
        if owned.contains(&partition) {
            consumer.seek(&partition, offset).await?;
        }
    }
    Ok(())
}
