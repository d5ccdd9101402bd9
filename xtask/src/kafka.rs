//! `cargo xtask kafka`: a real Apache Kafka on this machine, from its artifacts on Maven Central.

mod cluster;
mod files;
mod jars;
mod node;
mod ports;
mod probe;
mod settings;

use std::process::Command;

use self::cluster::Cluster;
use crate::process;

const USAGE: &str = "usage: cargo xtask kafka VERB [--name NAME]

  up [--nodes N]          start a cluster, or what of it does not run; prints its bootstrap address
  down                    end it, and forget what it stored
  status                  one line a node: id, port, pid, running or not
  kill|stop|restart N…    SIGKILL, SIGTERM, or end and start again
  fetch                   only bring the jars
  classpath               the class path of Kafka and its tools
  run CLASS ARGS…         run one of Kafka's own tools, such as org.apache.kafka.tools.TopicCommand

Clusters of different names live side by side. Topics are not created by being asked for.
A node logs to target/kafka/run/NAME/node-N.log; KAFKA_OPTS adds options for its Java.
--quiet keeps back everything but answers and errors.";

/// Dispatches the words after `kafka`.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words)?;
    let cluster = Cluster::new(&options.name);
    match options.verb.as_str() {
        "up" => say(&cluster.up(options.nodes)?),
        "down" => cluster.down(),
        "status" => say(&cluster.status()?),
        "kill" => cluster.signal(&options.ids()?, "-KILL"),
        "stop" => cluster.signal(&options.ids()?, "-TERM"),
        "restart" => cluster.restart(&options.ids()?),
        "fetch" => jars::class_path().map(drop),
        "classpath" => say(&jars::class_path()?),
        "run" => tool(&options.words),
        _ => Err(USAGE.to_owned()),
    }
}

/// Runs one of Kafka's tools where this program runs, so that its paths mean what they say.
fn tool(words: &[String]) -> Result<(), String> {
    let (class, arguments) = words.split_first().ok_or(USAGE)?;
    let mut java = Command::new("java");
    java.args(jars::java_arguments()?);
    process::run(java.arg(class).args(arguments))
}

#[expect(clippy::print_stdout, reason = "the answer of the verb")]
fn say(text: &str) -> Result<(), String> {
    println!("{text}");
    Ok(())
}

/// The words after `kafka`, sorted.
#[derive(Debug)]
struct Options {
    verb: String,
    name: String,
    /// How many nodes were asked for.
    nodes: Option<u16>,
    /// What the verb works on.
    words: Vec<String>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            verb: String::new(),
            name: "default".to_owned(),
            nodes: None,
            words: Vec::new(),
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--name" => options.name = name(words.next())?,
                "--nodes" => options.nodes = Some(count(words.next())?),
                "--quiet" => jars::be_quiet(),
                "--tls" | "--sasl" => return Err(format!("{word} is not supported yet")),
                "run" if options.verb.is_empty() => {
                    options.verb = word.to_owned();
                    options.words = words.by_ref().map(str::to_owned).collect();
                    if options.words.first().is_some_and(|first| first == "--") {
                        options.words.remove(0);
                    }
                }
                _ if word.starts_with('-') => return Err(format!("{word}?\n{USAGE}")),
                _ if options.verb.is_empty() => options.verb = word.to_owned(),
                _ => options.words.push(word.to_owned()),
            }
        }
        Ok(options)
    }

    /// The nodes that were named.
    fn ids(&self) -> Result<Vec<u16>, String> {
        if self.words.is_empty() {
            return Err(format!("{} which node?", self.verb));
        }
        let parse = |word: &String| word.parse().map_err(|_| format!("{word} is no node"));
        self.words.iter().map(parse).collect()
    }
}

/// A name that is a folder of its own under `target/kafka/run`.
fn name(word: Option<&str>) -> Result<String, String> {
    let name = word.ok_or("--name needs a name")?;
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if name.is_empty() || !name.chars().all(harmless) {
        return Err(format!("{name:?}: a name is letters, digits, - and _"));
    }
    Ok(name.to_owned())
}

fn count(word: Option<&str>) -> Result<u16, String> {
    word.and_then(|word| word.parse().ok())
        .filter(|count| (1..=cluster::MOST_NODES).contains(count))
        .ok_or_else(|| format!("--nodes needs a number from 1 to {}", cluster::MOST_NODES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_anywhere_but_after_run() {
        let options = Options::parse(&["--quiet", "up", "--nodes", "3", "--name", "x"]).unwrap();
        assert_eq!((options.nodes, options.name.as_str()), (Some(3), "x"));
        assert_eq!((options.verb.as_str(), options.words.len()), ("up", 0));
        for words in [
            &["run", "Tool", "--name", "y"][..],
            &["run", "--", "Tool", "--name", "y"],
        ] {
            let options = Options::parse(words).unwrap();
            assert_eq!(options.words, ["Tool", "--name", "y"]);
            assert_eq!(options.name, "default");
        }
        let options = Options::parse(&["kill", "1", "3"]).unwrap();
        assert_eq!(options.ids().unwrap(), [1, 3]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &["up", "--nodes", "0"][..],
            &["up", "--nodes"],
            &["up", "--tls"],
            &["up", "--wipe"],
            &["down", "--name", "../.."],
            &["down", "--name", ""],
        ] {
            assert!(Options::parse(words).is_err(), "{words:?}");
        }
        assert!(Options::parse(&["kill"]).unwrap().ids().is_err());
        assert!(Options::parse(&["kill", "one"]).unwrap().ids().is_err());
    }
}
