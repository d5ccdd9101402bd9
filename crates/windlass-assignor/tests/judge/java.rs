//! Kafka's own assignors, behind a pipe (`tests/assignor-java` of the repository).

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use windlass_assignor::{Assignment, Members};
use windlass_model::{Cluster, Generation, MemberId, TopicPartitions};

/// A running `Plans` program.
#[derive(Debug)]
pub struct Java {
    program: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The class path of the program, compiled and with its jars; an error names what is missing.
static CLASS_PATH: LazyLock<Result<String, String>> = LazyLock::new(prepare);

/// The command that runs the program; an error names what is missing.
pub fn program() -> Result<Command, String> {
    let class_path = CLASS_PATH.as_ref().map_err(String::clone)?;
    let mut command = Command::new("java");
    command.args(["-cp", class_path, "Plans"]);
    command.stderr(Stdio::null());
    Ok(command)
}

fn prepare() -> Result<String, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/assignor-java");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("assignor-java");
    let jars = target.join("jars");
    for tool in ["java", "javac"] {
        run(Command::new(tool).arg("-version")).map_err(|_| format!("no {tool}"))?;
    }
    if !jars.join("kafka-clients-4.3.1.jar").exists() {
        run(Command::new("mvn").arg("-version")).map_err(|_| "no Maven".to_owned())?;
        let mut fetch = Command::new("mvn");
        fetch.args(["-q", "-B", "-f"]).arg(source.join("pom.xml"));
        fetch.arg("dependency:copy-dependencies");
        fetch.arg(format!("-DoutputDirectory={}", jars.display()));
        run(&mut fetch).map_err(|error| format!("no Kafka jars: {error}"))?;
    }
    let jars = format!("{}/*", jars.display());
    let mut compile = Command::new("javac");
    compile.args(["-nowarn", "-cp", &jars, "-d"]).arg(&target);
    run(compile.arg(source.join("Plans.java"))).map_err(|error| format!("javac: {error}"))?;
    Ok(format!("{}:{jars}", target.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

impl Java {
    /// Starts the program.
    pub fn start(mut command: Command) -> Self {
        let mut program = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(program.stdout.take().unwrap());
        Self {
            questions: program.stdin.take(),
            answers,
            program,
        }
    }

    /// The plan of Kafka's assignor of that name, or the name of what it threw.
    pub fn assign(
        &mut self,
        assignor: &str,
        cluster: &Cluster,
        members: &Members,
    ) -> Result<Assignment, String> {
        let question = question(assignor, cluster, members);
        let questions = self.questions.as_mut().unwrap();
        questions.write_all(question.as_bytes()).unwrap();
        questions.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer = answer.trim_end();
        match answer.split_once(' ') {
            Some(("ok", plan)) => Ok(plan.split(' ').map(read_member).collect()),
            Some(("error", thrown)) => Err(thrown.to_owned()),
            _ => panic!("{answer:?} answers {question:?}"),
        }
    }
}

impl Drop for Java {
    fn drop(&mut self) {
        drop(self.questions.take());
        self.program.wait().unwrap();
    }
}

fn read_member(text: &str) -> (MemberId, TopicPartitions) {
    let (id, list) = text.split_once('=').unwrap();
    let mut owned = TopicPartitions::new();
    for entry in list.split(',').filter(|entry| *entry != "-") {
        let (topic, partition) = entry.rsplit_once(':').unwrap();
        owned.push(&topic.into(), partition.parse().unwrap());
    }
    (id.into(), owned)
}

fn question(assignor: &str, cluster: &Cluster, members: &Members) -> String {
    let mut line = format!("{assignor} {}", cluster.topics.len());
    for (name, topic) in &cluster.topics {
        write!(line, " {name} {}", topic.partitions.len()).unwrap();
        for partition in &topic.partitions {
            write!(line, " {}", list(&partition.replicas)).unwrap();
        }
    }
    write!(line, " {}", members.len()).unwrap();
    for (id, member) in members {
        let instance = member.instance_id.as_ref().map_or("-", |id| id.as_str());
        let rack = member.known_rack().unwrap_or("-");
        let generation = Generation::to_wire(member.generation);
        let owned: Vec<String> = member
            .owned
            .iter()
            .map(|entry| format!("{}:{}", entry.topic, entry.partition))
            .collect();
        let topics = list(&member.topics);
        let owned = list(&owned);
        write!(
            line,
            " {id} {instance} {rack} {generation} {topics} {owned}"
        )
        .unwrap();
    }
    line.push('\n');
    line
}

fn list<T: ToString>(entries: &[T]) -> String {
    if entries.is_empty() {
        return "-".to_owned();
    }
    let words: Vec<String> = entries.iter().map(ToString::to_string).collect();
    words.join(",")
}
