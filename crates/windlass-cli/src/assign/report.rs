//! The strategies side by side, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use windlass::assignor::{AssignError, Members};
use windlass::model::{Cluster, MemberId};

use crate::assign::comparison::{Outcome, Owners};
use crate::assign::lines::assignment;
use crate::failure::Failure;
use crate::output;

/// So many members at most are listed one by one where nobody asked for it.
const LISTED: usize = 20;

/// What there is to say.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) members: &'a Members,
    pub(crate) now: Owners<'a>,
    /// The strategies by name, in the order asked for.
    pub(crate) outcomes: Vec<(String, Result<Outcome, AssignError>)>,
}

impl Report<'_> {
    fn partitions(&self) -> usize {
        let topics = self.cluster.topics.values();
        topics.map(|topic| topic.partitions.len()).sum()
    }

    /// How many partitions each member owns now.
    fn loads_now(&self) -> BTreeMap<&MemberId, usize> {
        let mut loads: BTreeMap<&MemberId, usize> =
            self.members.iter().map(|(id, _)| (id, 0)).collect();
        for owner in self.now.values() {
            *loads.entry(owner).or_default() += 1;
        }
        loads
    }

    /// One object on one line.
    pub(crate) fn print_json(&self) -> Result<(), Failure> {
        let strategies: Vec<Value> = self
            .outcomes
            .iter()
            .map(|(name, outcome)| match outcome {
                Ok(outcome) => strategy(name, outcome),
                Err(error) => json!({"assignor": name, "error": error.to_string()}),
            })
            .collect();
        let line = json!({
            "topics": self.cluster.topics.len(),
            "partitions": self.partitions(),
            "members": self.members.len(),
            "owned": self.now.len(),
            "strategies": strategies,
        });
        output::line(&line.to_string())
    }

    /// A line for each strategy, then one for each member where there are few; with `plan` what
    /// everybody gets.
    pub(crate) fn print_tables(&self, plan: bool) -> Result<(), Failure> {
        output::line(&format!(
            "{} partitions of {} topics, {} members, {} partitions owned now\n",
            self.partitions(),
            self.cluster.topics.len(),
            self.members.len(),
            self.now.len()
        ))?;
        let header = [
            "ASSIGNOR", "LEAST", "MOST", "MOVES", "RACKS", "WITHHELD", "ROUNDS", "NOBODY", "TIME",
        ];
        let rows: Vec<Vec<String>> = self.outcomes.iter().map(summary).collect();
        output::table(&header, &rows)?;
        if plan || self.members.len() <= LISTED {
            self.print_loads()?;
        }
        if plan {
            self.print_plans()?;
        }
        Ok(())
    }

    fn print_loads(&self) -> Result<(), Failure> {
        output::line("")?;
        let mut header = vec!["MEMBER", "NOW"];
        header.extend(self.outcomes.iter().map(|(name, _)| name.as_str()));
        let rows: Vec<Vec<String>> = self
            .loads_now()
            .into_iter()
            .map(|(id, now)| {
                let mut row = vec![output::printable(id.as_str().as_bytes()), now.to_string()];
                row.extend(self.outcomes.iter().map(|(_, outcome)| {
                    outcome
                        .as_ref()
                        .map_or_else(|_| "-".to_owned(), |outcome| self.load(id, now, outcome))
                }));
                row
            })
            .collect();
        output::table(&header, &rows)
    }

    /// How many partitions the member gets, and what comes and goes where something does.
    fn load(&self, id: &MemberId, now: usize, outcome: &Outcome) -> String {
        let Some(list) = outcome.plan.get(id.as_str()) else {
            return format!("0 (-{now})");
        };
        let kept = list
            .topics()
            .flat_map(|(topic, partitions)| partitions.iter().map(move |one| (topic, *one)))
            .filter(|partition| self.now.get(partition) == Some(&id))
            .count();
        match (list.len() - kept, now - kept) {
            (0, 0) => list.len().to_string(),
            (come, go) => format!("{} (+{come} -{go})", list.len()),
        }
    }

    fn print_plans(&self) -> Result<(), Failure> {
        for (name, outcome) in &self.outcomes {
            let Ok(outcome) = outcome else { continue };
            output::line(&format!("\n{name}"))?;
            for (id, list) in outcome.plan.iter() {
                let topics: Vec<String> = list
                    .topics()
                    .map(|(topic, partitions)| format!("{topic}:{}", ranges(partitions)))
                    .collect();
                let id = output::printable(id.as_str().as_bytes());
                output::line(&format!("  {id}  {}", topics.join(" ")))?;
            }
        }
        Ok(())
    }
}

fn strategy(name: &str, outcome: &Outcome) -> Value {
    let loads: BTreeMap<&str, usize> = outcome
        .plan
        .iter()
        .map(|(id, list)| (id.as_str(), list.len()))
        .collect();
    json!({
        "assignor": name,
        "loads": loads,
        "moves": outcome.moves,
        "rack_matches": outcome.rack_matches,
        "with_racks": outcome.with_racks,
        "withheld": outcome.withheld,
        "rounds": outcome.rounds,
        "without_owner": outcome.without_owner,
        "ignored_claims": outcome.ignored_claims,
        "time_us": outcome.time.as_secs_f64() * 1e6,
        "assignment": assignment(&outcome.plan),
    })
}

fn summary((name, outcome): &(String, Result<Outcome, AssignError>)) -> Vec<String> {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return vec![name.clone(), error.to_string()],
    };
    let loads = || outcome.plan.iter().map(|(_, list)| list.len());
    vec![
        name.clone(),
        loads().min().unwrap_or(0).to_string(),
        loads().max().unwrap_or(0).to_string(),
        outcome.moves.to_string(),
        if outcome.with_racks == 0 {
            "-".to_owned()
        } else {
            format!("{}/{}", outcome.rack_matches, outcome.with_racks)
        },
        outcome.withheld.to_string(),
        outcome.rounds.to_string(),
        outcome.without_owner.to_string(),
        time(outcome.time),
    ]
}

fn time(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        format!("{:.1} µs", time.as_secs_f64() * 1e6)
    } else {
        format!("{:.2} ms", time.as_secs_f64() * 1e3)
    }
}

/// Numbers with their runs drawn together: `0-3,7`.
fn ranges(partitions: &[i32]) -> String {
    let mut sorted = partitions.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|left, right| left + 1 == *right);
    let texts: Vec<String> = runs
        .map(|run| match (run.first(), run.last()) {
            (Some(first), Some(last)) if first != last => format!("{first}-{last}"),
            (first, _) => first.map_or_else(String::new, ToString::to_string),
        })
        .collect();
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_drawn_together() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[4]), "4");
        assert_eq!(ranges(&[7, 0, 2, 1, 9, 8]), "0-2,7-9");
    }
}
