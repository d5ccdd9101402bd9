//! What the command line changes in a situation: the "if" of a what-if.

use std::collections::BTreeMap;

use crate::arguments::AssignArguments;
use crate::assign::situation::{MemberSituation, Situation, TopicSituation};
use crate::failure::Failure;

/// Applies the options in the order topics, who leaves, who comes, racks, what is owned.
pub(crate) fn adjust(
    situation: &mut Situation,
    arguments: &AssignArguments,
) -> Result<(), Failure> {
    for text in &arguments.topics {
        set_topic(situation, text)?;
    }
    for id in &arguments.without {
        if situation.members.remove(id).is_none() {
            return Err(Failure::usage(format!(
                "--without {id}: there is no such member; there are {}",
                list(&situation.members)
            )));
        }
    }
    for number in 1..=arguments.members.unwrap_or(0) {
        let width = arguments.members.unwrap_or(0).to_string().len();
        add_member(situation, &format!("m{number:0width$}"));
    }
    for text in &arguments.member {
        add_member(situation, text);
    }
    for text in &arguments.racks {
        let (id, rack) = pair(text, "--rack", "MEMBER=RACK")?;
        member(situation, id, "--rack")?.rack = Some(rack.to_owned());
    }
    for text in &arguments.owned {
        let (id, partitions) = pair(text, "--owned", "MEMBER=TOPIC:0-3,5")?;
        let owned = owned_partitions(text, partitions)?;
        member(situation, id, "--owned")?.owned.extend(owned);
    }
    Ok(())
}

/// `NAME:PARTITIONS`, or `NAME:PARTITIONS:RACK,RACK` with replicas that go round the racks.
fn set_topic(situation: &mut Situation, text: &str) -> Result<(), Failure> {
    let wrong = || {
        Failure::usage(format!(
            "--topic {text:?}: write NAME:PARTITIONS or NAME:PARTITIONS:RACK,RACK"
        ))
    };
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(partitions)) = (parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let partitions: usize = partitions.parse().map_err(|_| wrong())?;
    let told: Option<Vec<Vec<String>>> = parts
        .next()
        .map(|racks| racks.split(',').map(|rack| vec![rack.to_owned()]).collect());
    // A topic that grows gets its new partitions where its old ones are.
    let known = situation.topics.remove(name).and_then(|topic| topic.racks);
    let racks = told.or(known).filter(|racks| !racks.is_empty());
    let racks = racks.map(|racks| racks.iter().cycle().take(partitions).cloned().collect());
    let topic = TopicSituation { partitions, racks };
    situation.topics.insert(name.to_owned(), topic);
    Ok(())
}

/// `ID`, subscribed to every topic, or `ID=TOPIC,TOPIC`.
fn add_member(situation: &mut Situation, text: &str) {
    let (id, topics) = match text.split_once('=') {
        Some((id, topics)) => (id, topics.split(',').map(str::to_owned).collect()),
        None => (text, situation.topics.keys().cloned().collect()),
    };
    let member = situation.members.entry(id.to_owned()).or_default();
    member.topics = topics;
}

fn member<'a>(
    situation: &'a mut Situation,
    id: &str,
    option: &str,
) -> Result<&'a mut MemberSituation, Failure> {
    let known = list(&situation.members);
    situation.members.get_mut(id).ok_or_else(|| {
        Failure::usage(format!(
            "{option} {id}=…: there is no such member; there are {known}"
        ))
    })
}

fn pair<'a>(text: &'a str, option: &str, form: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .ok_or_else(|| Failure::usage(format!("{option} {text:?}: write {form}")))
}

/// `TOPIC:0-3,5`.
fn owned_partitions(text: &str, partitions: &str) -> Result<Vec<(String, i32)>, Failure> {
    let wrong = || Failure::usage(format!("--owned {text:?}: write MEMBER=TOPIC:0-3,5"));
    let (topic, ranges) = partitions.split_once(':').ok_or_else(wrong)?;
    let mut owned = Vec::new();
    for range in ranges.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u16 = first.parse().map_err(|_| wrong())?;
        let last: u16 = last.parse().map_err(|_| wrong())?;
        if first > last {
            return Err(wrong());
        }
        owned.extend((first..=last).map(|partition| (topic.to_owned(), i32::from(partition))));
    }
    Ok(owned)
}

fn list(members: &BTreeMap<String, MemberSituation>) -> String {
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn adjusted(options: &[&str]) -> Result<Situation, Failure> {
        let words = ["windlass", "assign"].iter().chain(options);
        let parsed = crate::arguments::Arguments::try_parse_from(words).unwrap();
        let crate::arguments::Verb::Assign(arguments) = parsed.verb else {
            panic!("not assign");
        };
        let mut situation = Situation::default();
        adjust(&mut situation, &arguments)?;
        Ok(situation)
    }

    #[test]
    fn a_situation_by_options_alone() {
        let options = "--topic orders:4:a,b --topic clicks:1 --members 10 --member x=orders --rack x=a \
            --owned x=orders:0-1,3 --without m01";
        let words: Vec<&str> = options.split_whitespace().collect();
        assert!(
            adjusted(&words)
                .unwrap_err()
                .to_string()
                .contains("no such member; there are none")
        );
        let situation = adjusted(&words[..words.len() - 2]).unwrap();
        assert_eq!(situation.members.len(), 11);
        assert_eq!(situation.members["m10"].topics, ["clicks", "orders"]);
        let x = &situation.members["x"];
        assert_eq!(x.topics, ["orders"]);
        assert_eq!(x.rack.as_deref(), Some("a"));
        let owned: Vec<i32> = x.owned.iter().map(|(_, partition)| *partition).collect();
        assert_eq!(owned, [0, 1, 3]);
        let racks = situation.topics["orders"].racks.as_ref().unwrap();
        assert_eq!(racks[3], ["b"]);
        situation.group().unwrap();
    }

    #[test]
    fn what_cannot_be_read_says_how_to_write_it() {
        for (options, said) in [
            (&["--topic", "orders"][..], "NAME:PARTITIONS"),
            (&["--topic", "orders:x"], "NAME:PARTITIONS"),
            (&["--member", "a", "--owned", "a"], "MEMBER=TOPIC:0-3,5"),
            (
                &["--member", "a", "--owned", "a=t:1-x"],
                "MEMBER=TOPIC:0-3,5",
            ),
            (
                &["--member", "a", "--owned", "a=t:5-3"],
                "MEMBER=TOPIC:0-3,5",
            ),
            (&["--member", "a", "--rack", "b=r"], "there are a"),
        ] {
            let failure = adjusted(options).unwrap_err();
            assert!(failure.to_string().contains(said), "{failure}");
        }
    }
}
