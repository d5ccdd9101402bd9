//! `windlass consume`: the records of a topic, for people and for scripts.

mod printer;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use windlass::{Config, Consumer, OffsetReset, TopicPartition};

use self::printer::Printer;
use crate::admin::Admin;
use crate::arguments::{ConsumeArguments, Format, set_properties};
use crate::failure::Failure;
use crate::interruption::Interruption;

pub(crate) async fn run(arguments: ConsumeArguments) -> Result<(), Failure> {
    let from = From::parse(&arguments.from)?;
    let to = arguments.to.as_deref().map(To::parse).transpose()?;
    let config = config(&arguments, from)?;
    let is_member = arguments.group.is_some();
    if is_member && to.is_some() {
        return Err(Failure::usage(
            "--to needs all partitions in one place: leave --group out",
        ));
    }
    let mut admin = Admin::new(&arguments.bootstrap)?;
    let partitions = admin.partitions(&arguments.topic).await?;
    let mut consumer = Consumer::builder().config(config).build()?;
    let stops = if is_member {
        None
    } else {
        assign(&mut consumer, partitions, from, to).await?
    };
    let default = if io::stdout().is_terminal() {
        Format::Text
    } else {
        Format::Json
    };
    let format = arguments.format.unwrap_or(default);
    let mut printer = Printer::new(format, arguments.max, stops, is_member);
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

    /// The offset to begin at in a log with these bounds. They come from two questions, so the end
    /// may lie before the beginning.
    fn start(self, beginning: i64, end: i64) -> i64 {
        match self {
            Self::Beginning => beginning,
            Self::End => end,
            Self::Offset(offset) => offset.min(end).max(beginning),
            Self::BeforeEnd(count) => end.saturating_sub(count).max(beginning),
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
            _ => match text.parse() {
                Ok(offset) if offset >= 0 => Ok(Self::Offset(offset)),
                _ => Err(Failure::usage(format!(
                    "--to {text}: write end or an offset"
                ))),
            },
        }
    }
}

fn config(arguments: &ConsumeArguments, from: From) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.set_property("bootstrap.servers", &arguments.bootstrap)?;
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
    set_properties(&mut config, &arguments.properties)?;
    if config.group_id != arguments.group {
        return Err(Failure::usage("group.id has an option of its own: --group"));
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
    // Before anything is fetched, so that no answer has to wait behind a fetch at the end of a log.
    let beginnings = consumer.beginning_offsets(partitions.clone()).await?;
    let ends = consumer.end_offsets(partitions.clone()).await?;
    consumer.assign(partitions).await?;
    for (partition, end) in &ends {
        let beginning = beginnings.get(partition).copied().unwrap_or(0);
        let start = from.start(beginning, *end);
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
        assert!(To::parse("-1").is_err());
    }

    #[test]
    fn a_start_is_found_where_the_end_lies_before_the_beginning() {
        assert_eq!(From::Offset(5).start(8, 3), 8);
        assert_eq!(From::BeforeEnd(5).start(8, 3), 8);
        assert_eq!(From::Offset(5).start(0, 10), 5);
        assert_eq!(From::Offset(50).start(0, 10), 10);
    }
}
