//! `windlass assign`: what each strategy would make of a group.

mod adjustment;
mod comparison;
mod lines;
mod live;
mod report;
mod situation;

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use windlass::assignor::{Assignor, by_name};

use crate::arguments::AssignArguments;
use crate::failure::Failure;

use self::report::Report;
use self::situation::Situation;

const ASSIGNORS: [&str; 4] = ["range", "roundrobin", "sticky", "cooperative-sticky"];

pub(crate) async fn run(arguments: AssignArguments) -> Result<(), Failure> {
    if arguments.lines {
        return lines::run_standard();
    }
    let assignors = assignors(&arguments.assignors)?;
    let mut situation = match (&arguments.file, &arguments.group) {
        (Some(file), _) => read(file)?,
        (None, Some(group)) => live::situation(&arguments.bootstrap, group).await?,
        (None, None) => Situation::default(),
    };
    adjustment::adjust(&mut situation, &arguments)?;
    if situation.topics.is_empty() || situation.members.is_empty() {
        return Err(Failure::usage(
            "nothing to assign: name topics and members, for example with --topic orders:12 --members 4, \
             or a --file, or a --group",
        ));
    }
    let (cluster, members) = situation.group()?;
    let outcomes = assignors
        .iter()
        .map(|assignor| {
            let outcome = comparison::compare(assignor, &cluster, &members);
            (assignor.name().to_owned(), outcome)
        })
        .collect();
    let report = Report {
        cluster: &cluster,
        members: &members,
        now: comparison::owners_now(&cluster, &members),
        outcomes,
    };
    if arguments.json {
        report.print_json()
    } else {
        report.print_tables(arguments.plan)
    }
}

fn assignors(names: &[String]) -> Result<Vec<Arc<dyn Assignor>>, Failure> {
    let names: Vec<&str> = if names.is_empty() {
        ASSIGNORS.to_vec()
    } else {
        names.iter().map(String::as_str).collect()
    };
    let find = |name| by_name(name).ok_or_else(|| unknown_assignor(name));
    names.into_iter().map(find).collect()
}

fn unknown_assignor(name: &str) -> Failure {
    Failure::usage(format!(
        "there is no assignor {name:?}: there are {}, and Java's names for them",
        ASSIGNORS.join(", ")
    ))
}

/// The situation in a file, or on standard input for `-`.
fn read(file: &Path) -> Result<Situation, Failure> {
    let mut text = String::new();
    let place = if file == Path::new("-") {
        io::stdin().read_to_string(&mut text)?;
        "standard input".to_owned()
    } else {
        let name = file.display().to_string();
        text = std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("{name} cannot be read: {error}")))?;
        name
    };
    Situation::read(&text, &place)
}
