//! A message definition of Kafka's.

use serde_json::Value;

use crate::fact::{Fact, canonical_default};
use crate::jar::Jar;
use crate::notation::{Direction, parse_versions};

/// One of the files `common/message/*.json`.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) key: i16,
    json: Value,
}

impl Definition {
    pub(crate) fn read(jar: &Jar, api: &str, direction: Direction) -> Self {
        let text = jar.text(&format!("common/message/{api}{direction:?}.json"));
        let json: Value = serde_json::from_str(&without_comments(&text)).unwrap();
        let key = json["apiKey"].as_i64().unwrap();
        Self {
            key: i16::try_from(key).unwrap(),
            json,
        }
    }

    pub(crate) fn is_valid(&self, version: i16) -> bool {
        holds(&self.json["validVersions"], version)
    }

    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        holds(&self.json["flexibleVersions"], version)
    }

    /// The fields of one version, each followed by those nested in it.
    pub(crate) fn facts(&self, version: i16) -> Vec<Fact> {
        let mut facts = Vec::new();
        self.collect(&self.json["fields"], version, "", &mut facts);
        facts
    }

    fn collect(&self, fields: &Value, version: i16, outer: &str, facts: &mut Vec<Fact>) {
        for field in fields.as_array().into_iter().flatten() {
            if !holds(&field["versions"], version) {
                continue;
            }
            let kind = field["type"].as_str().unwrap();
            let path = format!("{outer}{}", capitalized(field["name"].as_str().unwrap()));
            let default = match &field["default"] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            let is_tagged = holds(&field["taggedVersions"], version);
            facts.push(Fact {
                path: path.clone(),
                kind: kind.to_owned(),
                nullable: holds(&field["nullableVersions"], version),
                tag: field["tag"].as_u64().filter(|_| is_tagged),
                default: canonical_default(kind, default.as_deref()),
                ignorable: field["ignorable"].as_bool().unwrap_or(false),
            });
            let nested = match &field["fields"] {
                Value::Null => self.shared(kind.trim_start_matches("[]")),
                inline => inline,
            };
            self.collect(nested, version, &format!("{path}."), facts);
        }
    }

    /// The fields of a struct that is defined beside the message.
    fn shared(&self, name: &str) -> &Value {
        let shared = self.json["commonStructs"].as_array().into_iter().flatten();
        let mut named = shared.filter(|structure| structure["name"] == name);
        named
            .next()
            .map_or(&Value::Null, |structure| &structure["fields"])
    }
}

fn holds(range: &Value, version: i16) -> bool {
    let range = range.as_str().and_then(parse_versions);
    range.is_some_and(|range| range.contains(version))
}

/// A few of Kafka's names begin with a small letter.
fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

/// JSON has no comments; Kafka's files do.
fn without_comments(text: &str) -> String {
    let mut json = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut letters = line.char_indices().peekable();
        let mut end = line.len();
        while let Some((index, letter)) = letters.next() {
            match letter {
                '\\' if in_string => drop(letters.next()),
                '"' => in_string = !in_string,
                '/' if !in_string && letters.peek().is_some_and(|(_, next)| *next == '/') => {
                    end = index;
                    break;
                }
                _ => {}
            }
        }
        json.push_str(line.get(..end).unwrap());
        json.push('\n');
    }
    json
}
