//! `windlass broker`: the embedded broker on a port.

use std::net::SocketAddr;

use windlass_broker::EmbeddedCluster;

use crate::arguments::BrokerArguments;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::output;

pub(crate) async fn run(arguments: BrokerArguments) -> Result<(), Failure> {
    let address: SocketAddr = arguments.listen.parse().map_err(|_| {
        Failure::usage(format!(
            "--listen {}: write an address and a port, as 127.0.0.1:9092",
            arguments.listen
        ))
    })?;
    let mut interruption = Interruption::new()?;
    let mut builder = EmbeddedCluster::builder()
        .nodes(arguments.nodes)
        .listen(address);
    for topic in &arguments.topics {
        let (name, partitions) = parse_topic(topic)?;
        builder = builder.topic(name, partitions);
    }
    if let Some(partitions) = arguments.auto_create {
        builder = builder.auto_create_topics(partitions);
    }
    let cluster = builder
        .start()
        .await
        .map_err(|error| Failure::new(format!("cannot listen on {address}: {error}")))?;
    output::line(&format!("listening on {}", cluster.bootstrap_servers()))?;
    interruption.wait().await;
    cluster.shutdown().await;
    Ok(())
}

fn parse_topic(text: &str) -> Result<(&str, i32), Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--topic {text}: write NAME:PARTITIONS, as user-events:6"
        ))
    };
    let (name, partitions) = text.rsplit_once(':').ok_or_else(wrong)?;
    let partitions = partitions
        .parse()
        .ok()
        .filter(|count| (1..=100_000).contains(count))
        .ok_or_else(wrong)?;
    if !is_legal(name) {
        return Err(Failure::usage(format!(
            "--topic {text}: a name has 1 to 249 letters, digits, dots, underscores and hyphens"
        )));
    }
    Ok((name, partitions))
}

/// Whether Kafka takes it for the name of a topic.
fn is_legal(name: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    (1..=249).contains(&name.len()) && !matches!(name, "." | "..") && name.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_name_and_partitions() {
        assert_eq!(parse_topic("user-events:6").unwrap(), ("user-events", 6));
        assert!(parse_topic("user-events").is_err());
        assert!(parse_topic(":6").is_err());
        assert!(parse_topic("a:0").is_err());
        assert!(parse_topic("a:2147483647").is_err());
        assert!(parse_topic("a/b:1").is_err());
        assert!(parse_topic("..:1").is_err());
    }
}
