//! One case a line, one answer a line: the strategies for programs in other languages.

use std::io::{self, BufRead, BufWriter, Write};

use serde_json::{Map, Value, json};
use windlass::assignor::{Assignment, by_name};

use crate::assign::situation::Situation;
use crate::failure::Failure;
use crate::output::closed;

/// Answers every line of `input`. A line that cannot be answered gets `{"error": …}`, and the
/// program goes on; it says at its end how many there were.
pub(crate) fn run(input: impl BufRead, output: impl Write) -> Result<(), Failure> {
    let mut output = BufWriter::new(output);
    let mut errors = 0;
    for (number, line) in (1..).zip(input.lines()) {
        let line = line.map_err(|error| Failure::new(format!("line {number}: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = answer(&line, number).unwrap_or_else(|failure| {
            errors += 1;
            json!({"error": failure.to_string()})
        });
        serde_json::to_writer(&mut output, &answer).map_err(|error| closed(&error.into()))?;
        // Whoever asks line by line waits for the answer before the next question.
        output
            .write_all(b"\n")
            .and_then(|()| output.flush())
            .map_err(|error| closed(&error))?;
    }
    if errors > 0 {
        return Err(Failure::new(format!(
            "{errors} lines could not be answered"
        )));
    }
    Ok(())
}

/// As [`run`], from standard input to standard output.
pub(crate) fn run_standard() -> Result<(), Failure> {
    run(io::stdin().lock(), io::stdout().lock())
}

fn answer(line: &str, number: usize) -> Result<Value, Failure> {
    let place = format!("line {number}");
    let situation = Situation::read(line, &place)?;
    let name = situation.assignor.as_deref().ok_or_else(|| {
        Failure::new(format!(
            "{place} names no assignor: add \"assignor\": \"range\""
        ))
    })?;
    let assignor = by_name(name).ok_or_else(|| super::unknown_assignor(name))?;
    let (cluster, members) = situation.group()?;
    let plan = assignor
        .assign_validated(&cluster, &members)
        .map_err(|error| Failure::new(format!("{place}: {error}")))?;
    Ok(json!({ "assignment": assignment(&plan) }))
}

/// A plan as JSON: each member's partitions in order.
pub(crate) fn assignment(plan: &Assignment) -> Value {
    let members = plan.iter().map(|(id, list)| {
        let mut partitions: Vec<(&str, i32)> = list
            .topics()
            .flat_map(|(topic, partitions)| partitions.iter().map(|one| (topic.as_str(), *one)))
            .collect();
        partitions.sort_unstable();
        (id.as_str().to_owned(), json!(partitions))
    });
    Value::Object(members.collect::<Map<String, Value>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> (Vec<Value>, Result<(), Failure>) {
        let mut output = Vec::new();
        let result = run(input.as_bytes(), &mut output);
        let lines = String::from_utf8(output).unwrap();
        let answers = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        (answers.collect(), result)
    }

    #[test]
    fn every_strategy_answers() {
        let case = |assignor: &str| {
            format!(
                r#"{{"assignor": "{assignor}", "topics": {{"t": {{"partitions": 3}}}}, "members": {{
                "m2": {{"topics": ["t"]}}, "m1": {{"topics": ["t"], "owned": [["t", 2], ["t", 1]], "generation": 5}}}}}}"#
            )
            .replace('\n', " ")
        };
        let names = [
            "range",
            "roundrobin",
            "sticky",
            "cooperative-sticky",
            "StickyAssignor",
        ];
        let (answers, result) = answers(&names.map(case).join("\n"));
        result.unwrap();
        let range = json!({"assignment": {"m1": [["t", 0], ["t", 1]], "m2": [["t", 2]]}});
        let round_robin = json!({"assignment": {"m1": [["t", 0], ["t", 2]], "m2": [["t", 1]]}});
        let sticky = json!({"assignment": {"m1": [["t", 1], ["t", 2]], "m2": [["t", 0]]}});
        let expected = [range, round_robin, sticky.clone(), sticky.clone(), sticky];
        assert_eq!(answers, expected);
    }

    #[test]
    fn a_member_without_partitions_is_named_too() {
        let (answers, _) = answers(
            r#"{"assignor": "range", "topics": {}, "members": {"m": {"topics": ["gone"]}}}"#,
        );
        assert_eq!(answers, [json!({"assignment": {"m": []}})]);
    }

    #[test]
    fn a_bad_line_is_answered_and_counted() {
        let good = r#"{"assignor": "range", "topics": {}, "members": {}}"#;
        let input = format!("{good}\nnonsense\n\n{{\"topics\": {{}}, \"members\": {{}}}}\n{good}");
        let (answers, result) = answers(&input);
        assert_eq!(answers.len(), 4);
        assert!(answers[1]["error"].as_str().unwrap().contains("line 2"));
        assert!(
            answers[2]["error"]
                .as_str()
                .unwrap()
                .contains("line 4 names no assignor")
        );
        assert_eq!(answers[3], json!({"assignment": {}}));
        assert!(result.unwrap_err().to_string().contains("2 lines"));
    }
}
