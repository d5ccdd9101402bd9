//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use windlass::Config;

use crate::failure::Failure;

/// A Kafka consumer in pure Rust, on the command line.
///
/// Try `windlass demo` first: it needs no Kafka. Set WINDLASS_LOG=windlass=debug to see what a
/// consumer does and why.
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Watch a group share six partitions: members join, leave and crash (no Kafka needed)
    Demo(DemoArguments),
    /// Run the embedded broker on a port, for any Kafka client
    Broker(BrokerArguments),
    /// Print the records of a topic
    Consume(ConsumeArguments),
    /// Send each line of standard input as a record
    Produce(ProduceArguments),
    /// List groups, or describe one with its lag
    Groups(GroupsArguments),
    /// Compare the assignment strategies on a group: loads, moves, racks, time
    Assign(AssignArguments),
    /// Read records as fast as possible and print one line of JSON about it
    Perf(PerfArguments),
    /// Speak the command line and JSON events of Kafka's own VerifiableConsumer
    VerifiableConsumer(VerifiableConsumerArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  windlass demo\n  windlass demo --seconds 10 | cat    # plain lines, as in a log"
)]
pub(crate) struct DemoArguments {
    /// How long the demonstration takes
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(8..=600))]
    pub(crate) seconds: u64,
    /// Print plain lines even on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  windlass broker --listen 127.0.0.1:9092 --topic user-events:6")]
pub(crate) struct BrokerArguments {
    /// Address of the first node; further nodes take the ports after it
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub(crate) listen: String,
    /// How many nodes the cluster has
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=32))]
    pub(crate) nodes: i32,
    /// A topic to create, as NAME:PARTITIONS; may be given several times
    #[arg(long = "topic", value_name = "NAME:PARTITIONS")]
    pub(crate) topics: Vec<String>,
    /// Create topics when they are first asked for, with this many partitions
    #[arg(long, value_name = "PARTITIONS", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    pub(crate) auto_create: Option<i32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// The value, and nothing else
    Value,
    /// Partition, offset, timestamp, key and value, for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  windlass consume --topic orders --from beginning --to end\n  \
    windlass consume --topic orders --group billing --format json\n  \
    windlass consume --topic orders --from -10 --max 10"
)]
pub(crate) struct ConsumeArguments {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long, short, default_value = "localhost:9092")]
    pub(crate) bootstrap: String,
    /// The topic
    #[arg(long, short)]
    pub(crate) topic: String,
    /// Join this group and commit; without it every partition is read and nothing is committed
    #[arg(long, short)]
    pub(crate) group: Option<String>,
    /// Where to begin: beginning, end, an offset, or -N for N records before the end of each partition
    #[arg(long, default_value = "beginning", allow_hyphen_values = true)]
    pub(crate) from: String,
    /// Where to stop: end (as it is when the program starts) or an offset; without it never
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) to: Option<String>,
    /// Stop after this many records
    #[arg(long, short = 'n')]
    pub(crate) max: Option<u64>,
    /// How to print a record; by default text on a terminal, json otherwise
    #[arg(long, short, value_enum)]
    pub(crate) format: Option<Format>,
    /// A Kafka property, as NAME=VALUE; may be given several times
    #[arg(long = "property", short = 'X', value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  seq 1 100 | windlass produce --topic numbers\n  \
    echo 'key:value' | windlass produce --topic pairs --key-separator :"
)]
pub(crate) struct ProduceArguments {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long, short, default_value = "localhost:9092")]
    pub(crate) bootstrap: String,
    /// The topic
    #[arg(long, short)]
    pub(crate) topic: String,
    /// Send everything to this partition; without it keys are hashed as Kafka does, other lines go round
    #[arg(long, short)]
    pub(crate) partition: Option<i32>,
    /// What separates the key from the value on a line
    #[arg(long, short = 'K')]
    pub(crate) key_separator: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  windlass groups\n  windlass groups billing --json")]
pub(crate) struct GroupsArguments {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long, short, default_value = "localhost:9092")]
    pub(crate) bootstrap: String,
    /// The group to describe; without it the groups are listed
    pub(crate) group: Option<String>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// The case comes from a file, from a group that runs, or from options; options also change what the
/// other two say.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  windlass assign --topic orders:12 --members 5\n  \
    windlass assign --group billing --member one-more        # what if a member joins?\n  \
    windlass assign --group billing --topic orders:24 --plan # what if the topic grows?\n  \
    windlass assign --topic t:6:a,b --member m1 --rack m1=a --member m2 --owned m1=t:0-3\n  \
    windlass assign --file case.json --json\n\n\
    A file holds {\"topics\": {\"t\": {\"partitions\": 3, \"racks\": [[\"a\"], [\"b\"], [\"a\"]]}},\n  \
    \"members\": {\"m1\": {\"topics\": [\"t\"], \"owned\": [[\"t\", 0]], \"generation\": 5, \"instance\": \"i1\", \"rack\": \"a\"}}}\n\
    where racks, owned, generation, instance and rack may be absent. A line of --lines holds the same and\n\
    \"assignor\": \"range\"; its answer is {\"assignment\": {\"m1\": [[\"t\", 0], …]}} or {\"error\": …}.\n\n\
    MOVES counts the partitions that have another owner than now, RACKS those whose owner's rack holds a replica,\n\
    WITHHELD those that wait for their present owner, NOBODY those without a subscriber."
)]
pub(crate) struct AssignArguments {
    /// Read the case from this file; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["group", "lines"])]
    pub(crate) file: Option<PathBuf>,
    /// Read the case from a group that runs
    #[arg(long, short, conflicts_with = "lines")]
    pub(crate) group: Option<String>,
    /// Brokers to ask first about the group, as host:port,host:port
    #[arg(long, short, default_value = "localhost:9092")]
    pub(crate) bootstrap: String,
    /// A topic; with racks, its replicas go round them; may be given several times
    #[arg(long = "topic", short, value_name = "NAME:PARTITIONS[:RACK,…]")]
    pub(crate) topics: Vec<String>,
    /// So many members, subscribed to every topic
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) members: Option<u32>,
    /// A member, subscribed to every topic or to these; may be given several times
    #[arg(long, short, value_name = "ID[=TOPIC,…]")]
    pub(crate) member: Vec<String>,
    /// A member that leaves; may be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) without: Vec<String>,
    /// What a member owns now; may be given several times
    #[arg(long, value_name = "ID=TOPIC:0-3,5")]
    pub(crate) owned: Vec<String>,
    /// The rack a member stands in; may be given several times
    #[arg(long = "rack", value_name = "ID=RACK")]
    pub(crate) racks: Vec<String>,
    /// Only this strategy, by Kafka's name or class; may be given several times
    #[arg(long = "assignor", short, value_name = "NAME")]
    pub(crate) assignors: Vec<String>,
    /// Print what everybody gets, too
    #[arg(long)]
    pub(crate) plan: bool,
    /// Print one object of JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Answer one case a line from standard input, one line each
    #[arg(long, conflicts_with_all = ["topics", "members", "member", "without", "owned", "racks", "assignors", "plan", "json"])]
    pub(crate) lines: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  windlass perf --topic events --records 20000000")]
pub(crate) struct PerfArguments {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long, short, default_value = "localhost:9092")]
    pub(crate) bootstrap: String,
    /// The topic
    #[arg(long, short)]
    pub(crate) topic: String,
    /// How many records to read, as a fresh group from the start
    #[arg(long, short)]
    pub(crate) records: u64,
    /// The group; a name that was never used by default
    #[arg(long, short)]
    pub(crate) group: Option<String>,
    /// A Kafka property, as NAME=VALUE; may be given several times
    #[arg(long = "property", short = 'X', value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifiableConsumerArguments {
    /// Brokers to ask first, as host:port,host:port
    #[arg(long)]
    pub(crate) bootstrap_server: String,
    /// Consume this topic
    #[arg(long)]
    pub(crate) topic: String,
    /// The group protocol; only classic is built yet
    #[arg(long, default_value = "classic")]
    pub(crate) group_protocol: String,
    /// The server's assignor; only used by the consumer protocol
    #[arg(long)]
    pub(crate) group_remote_assignor: Option<String>,
    /// The consumer group
    #[arg(long)]
    pub(crate) group_id: String,
    /// The lasting identity of this member
    #[arg(long)]
    pub(crate) group_instance_id: Option<String>,
    /// Stop after this many records; -1 for never
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    pub(crate) max_messages: i64,
    /// The session timeout in milliseconds
    #[arg(long)]
    pub(crate) session_timeout: Option<u32>,
    /// Print an event for every record
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Commit by timer instead of after every poll
    #[arg(long)]
    pub(crate) enable_autocommit: bool,
    /// How long closing may take, in milliseconds
    #[arg(long, default_value_t = 30_000)]
    pub(crate) close_timeout: u32,
    /// Where to begin without a committed offset: earliest, latest or none
    #[arg(long, default_value = "earliest")]
    pub(crate) reset_policy: String,
    /// The assignment strategy, by Kafka's name or class
    #[arg(
        long,
        default_value = "org.apache.kafka.clients.consumer.RangeAssignor"
    )]
    pub(crate) assignment_strategy: String,
    /// A property file (the old name of --command-config)
    #[arg(long = "consumer.config", conflicts_with = "command_config")]
    pub(crate) consumer_config: Option<PathBuf>,
    /// A property file; what the command line says goes before it
    #[arg(long)]
    pub(crate) command_config: Option<PathBuf>,
}

/// Sets properties that are written as NAME=VALUE, and says which of them have no effect.
#[expect(
    clippy::print_stderr,
    reason = "what has no effect is told to the person, beside the output"
)]
pub(crate) fn set_properties(config: &mut Config, properties: &[String]) -> Result<(), Failure> {
    for text in properties {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{text:?} is no property: write NAME=VALUE")))?;
        if let Some(ignored) = config.set_property(name, value)? {
            eprintln!("windlass: property ignored: {ignored}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
