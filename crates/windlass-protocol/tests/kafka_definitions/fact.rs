//! What is compared: the facts about one field in one version.

use crate::notation::{Api, Field, Kind};

/// A field in one version; nested fields have a path with dots.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    pub(crate) tag: Option<u64>,
    pub(crate) default: String,
    pub(crate) ignorable: bool,
}

/// The fields of a struct in our notation, each followed by those nested in it.
pub(crate) fn of_notation(api: &Api, fields: &[Field], version: i16) -> Vec<Fact> {
    let mut facts = Vec::new();
    collect(api, fields, version, "", &mut facts);
    facts
}

fn collect(api: &Api, fields: &[Field], version: i16, outer: &str, facts: &mut Vec<Fact>) {
    for field in fields {
        if !field.versions.contains(version) {
            continue;
        }
        let path = format!("{outer}{}", field.name);
        let kind = kind_name(&field.kind, &field.name);
        facts.push(Fact {
            path: path.clone(),
            nullable: field.nullable.is_some_and(|range| range.contains(version)),
            tag: field.tag.map(u64::from),
            default: canonical_default(&kind, field.default.as_deref()),
            kind,
            ignorable: field.ignorable,
        });
        collect(
            api,
            api.fields_of(field),
            version,
            &format!("{path}."),
            facts,
        );
    }
}

/// Kafka's name of a type; our error codes are its 16-bit integers whose names say so.
fn kind_name(kind: &Kind, field: &str) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int8 => "int8".to_owned(),
        Kind::Int16 => {
            assert!(!field.ends_with("ErrorCode"), "{field} has the wrong type");
            "int16".to_owned()
        }
        Kind::ErrorCode => {
            assert!(field.ends_with("ErrorCode"), "{field} has the wrong type");
            "int16".to_owned()
        }
        Kind::Int32 => "int32".to_owned(),
        Kind::Int64 => "int64".to_owned(),
        Kind::Uuid => "uuid".to_owned(),
        Kind::String => "string".to_owned(),
        Kind::Bytes => "bytes".to_owned(),
        Kind::Records => "records".to_owned(),
        Kind::Struct(name) => name.clone(),
        Kind::Array(element) => format!("[]{}", kind_name(element, field)),
    }
}

/// A default in one spelling: decimal numbers, and what a type defaults to where nothing is said.
pub(crate) fn canonical_default(kind: &str, default: Option<&str>) -> String {
    let default = default.unwrap_or_default();
    match kind {
        "int8" | "int16" | "int32" | "int64" => match default.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).unwrap().to_string(),
            None if default.is_empty() => "0".to_owned(),
            None => default.parse::<i64>().unwrap().to_string(),
        },
        "bool" if default.is_empty() => "false".to_owned(),
        _ => default.to_owned(),
    }
}
