//! `cargo xtask kafka`: a real Apache Kafka on this machine, from its artifacts on Maven Central.

mod cluster;
mod jars;
mod node;

use self::cluster::Cluster;
use crate::process;

/// Dispatches the words after `kafka`.
pub(crate) fn run(words: &[&str]) -> Result<(), String> {
    let mut options = Options::parse(words)?;
    let verb = if options.words.is_empty() {
        String::new()
    } else {
        options.words.remove(0)
    };
    match verb.as_str() {
        "fetch" => jars::class_path().map(drop),
        "up" => say(&Cluster::new(&options.name).up(options.nodes)?),
        "down" => Cluster::new(&options.name).down(),
        "status" => say(&Cluster::new(&options.name).status()?),
        "kill" => Cluster::new(&options.name).kill(options.node()?),
        "stop" => Cluster::new(&options.name).stop(options.node()?),
        "restart" => Cluster::new(&options.name).restart(options.node()?),
        "classpath" => say(&jars::class_path()?),
        "run" => {
            let class_path = jars::class_path()?;
            let mut java = std::process::Command::new("java");
            process::run(java.args(["-cp", &class_path]).args(&options.words))
        }
        _ => Err("usage: cargo xtask kafka up|down|status|kill N|stop N|restart N|fetch|classpath|run CLASS …".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "the address is the verb's answer")]
fn say(text: &str) -> Result<(), String> {
    println!("{text}");
    Ok(())
}

/// The words after `kafka`, sorted.
struct Options {
    name: String,
    nodes: u16,
    words: Vec<String>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self {
            name: "default".to_owned(),
            nodes: 1,
            words: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                _ if options.words.first().is_some_and(|verb| verb == "run") => {
                    options.words.push((*word).to_owned());
                }
                "--name" => options.name = (*words.next().ok_or("--name needs a name")?).to_owned(),
                "--nodes" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    options.nodes = count
                        .filter(|count| (1..=9).contains(count))
                        .ok_or("--nodes needs a number from 1 to 9")?;
                }
                "--tls" | "--sasl" => return Err(format!("{word} is not supported yet")),
                _ => options.words.push((*word).to_owned()),
            }
        }
        Ok(options)
    }

    fn node(&self) -> Result<u16, String> {
        let word = self.words.first().ok_or("which node?")?;
        word.parse().map_err(|_| format!("{word} is no node"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_anywhere_but_after_run() {
        let options = Options::parse(&["up", "--nodes", "3", "--name", "x"]).unwrap();
        assert_eq!((options.nodes, options.name.as_str()), (3, "x"));
        let options = Options::parse(&["run", "Tool", "--name", "y"]).unwrap();
        assert_eq!(options.words, ["run", "Tool", "--name", "y"]);
        assert!(Options::parse(&["up", "--nodes", "0"]).is_err());
    }
}
