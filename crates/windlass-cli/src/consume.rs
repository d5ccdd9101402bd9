//! `windlass consume`: the records of a topic, for people and for scripts.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::json;
use windlass::{Config, Consumer, OffsetReset, Record, TopicPartition};

use crate::admin::Admin;
use crate::arguments::{ConsumeArguments, Format, property};
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output;

pub(crate) async fn run(arguments: ConsumeArguments) -> Result<(), Failure> {
    let from = From::parse(&arguments.from)?;
    let to = arguments.to.as_deref().map(To::parse).transpose()?;
    let config = config(&arguments, from)?;
    let mut consumer = Consumer::builder().config(config).build()?;
    let stops = if arguments.group.is_some() {
        if to.is_some() {
            return Err(Failure::usage(
                "--to needs all partitions in one place: leave --group out",
            ));
        }
        None
    } else {
        let partitions = Admin::new(&arguments.bootstrap)?
            .partitions(&arguments.topic)
            .await?;
        assign(&mut consumer, partitions, from, to).await?
    };
    let default = if io::stdout().is_terminal() {
        Format::Text
    } else {
        Format::Json
    };
    let format = arguments.format.unwrap_or(default);
    let mut printer = Printer {
        format,
        left: arguments.max,
        stops,
    };
    let mut interruption = Interruption::new()?;
    let result = tokio::select! {
        result = printer.run(&mut consumer) => result,
        () = interruption.wait() => Ok(()),
    };
    consumer.close(Duration::from_secs(5)).await?;
    result
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Beginning,
    End,
    Offset(i64),
    BeforeEnd(i64),
}

impl From {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        match text.parse::<i64>() {
            Ok(offset) if offset < 0 => Ok(Self::BeforeEnd(offset.saturating_neg())),
            Ok(offset) => Ok(Self::Offset(offset)),
            Err(_) => Err(Failure::usage(format!(
                "--from {text}: write beginning, end, an offset or -N"
            ))),
        }
    }
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    End,
    Offset(i64),
}

impl To {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "end" => Ok(Self::End),
            _ => text
                .parse()
                .map(Self::Offset)
                .map_err(|_| Failure::usage(format!("--to {text}: write end or an offset"))),
        }
    }
}

fn config(arguments: &ConsumeArguments, from: From) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.bootstrap_servers = arguments.bootstrap.split(',').map(str::to_owned).collect();
    config.group_id = arguments.group.clone();
    config.allow_auto_create_topics = false;
    config.auto_offset_reset = if from == From::End {
        OffsetReset::Latest
    } else {
        OffsetReset::Earliest
    };
    if arguments.group.is_some() {
        config.topics = vec![arguments.topic.as_str().into()];
        if matches!(from, From::Offset(_) | From::BeforeEnd(_)) {
            return Err(Failure::usage(
                "a group goes on at its committed offsets: --from takes beginning or end with --group",
            ));
        }
    }
    for text in &arguments.properties {
        let (name, value) = property(text)?;
        config.set_property(name, value)?;
    }
    Ok(config)
}

/// Assigns every partition and goes to the start; the offsets to stop at, where there are any.
async fn assign(
    consumer: &mut Consumer,
    partitions: Vec<TopicPartition>,
    from: From,
    to: Option<To>,
) -> Result<Option<BTreeMap<TopicPartition, i64>>, Failure> {
    consumer.assign(partitions.clone()).await?;
    let beginnings = consumer.beginning_offsets(partitions.clone()).await?;
    let ends = consumer.end_offsets(partitions).await?;
    for (partition, end) in &ends {
        let beginning = beginnings.get(partition).copied().unwrap_or(0);
        let start = match from {
            From::Beginning => beginning,
            From::End => *end,
            From::Offset(offset) => offset.clamp(beginning, *end),
            From::BeforeEnd(count) => end.saturating_sub(count).max(beginning),
        };
        consumer.seek(partition, start).await?;
    }
    let Some(to) = to else {
        return Ok(None);
    };
    let mut stops = BTreeMap::new();
    for (partition, end) in ends {
        let stop = match to {
            To::End => end,
            To::Offset(offset) => offset.min(end),
        };
        if consumer.position(&partition).await? < stop {
            stops.insert(partition, stop);
        } else {
            consumer.pause(&[partition]).await?;
        }
    }
    Ok(Some(stops))
}

struct Printer {
    format: Format,
    left: Option<u64>,
    /// Where each partition that is not done yet stops; none to go on for ever.
    stops: Option<BTreeMap<TopicPartition, i64>>,
}

impl Printer {
    async fn run(&mut self, consumer: &mut Consumer) -> Result<(), Failure> {
        while !self.is_done() {
            let records = consumer.poll(Duration::from_millis(500)).await?;
            let mut out = io::BufWriter::new(io::stdout().lock());
            for (partition, batch) in records.by_partition() {
                for record in batch {
                    let record = record?;
                    if self.left == Some(0) || self.is_beyond(partition, record.offset()) {
                        break;
                    }
                    self.print(&mut out, &record)?;
                    if let Some(left) = &mut self.left {
                        *left -= 1;
                    }
                }
                self.reached(partition, batch.next_offset());
            }
            out.flush().map_err(|error| output::closed(&error))?;
        }
        Ok(())
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

    fn reached(&mut self, partition: &TopicPartition, next_offset: i64) {
        if let Some(stops) = &mut self.stops
            && stops
                .get(partition)
                .is_some_and(|stop| next_offset >= *stop)
        {
            stops.remove(partition);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_stops_are_understood() {
        assert_eq!(From::parse("-5").unwrap(), From::BeforeEnd(5));
        assert_eq!(From::parse("7").unwrap(), From::Offset(7));
        assert_eq!(From::parse("end").unwrap(), From::End);
        assert!(From::parse("soon").is_err());
        assert_eq!(To::parse("end").unwrap(), To::End);
        assert!(To::parse("-").is_err());
    }
}
