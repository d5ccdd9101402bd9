//! Writes the Rust that reads a struct: a composition of the crate's nom parsers.

use std::fmt::Write as _;

use super::notation::{Api, Field, Kind, Versions};
use super::rust_type::element_size;
use super::shape::{Shape, snake_case};

/// The function `read` of a struct.
pub(crate) fn read_function(api: &Api, shape: &Shape<'_>) -> String {
    let mut body = String::new();
    for field in shape.fields.iter().filter(|field| field.tag.is_none()) {
        body.push_str(&read_field(api, shape, field));
    }
    body.push_str(&read_tagged_fields(api, shape));
    let layout = if body.contains("layout") {
        "let layout = layout(version);\n"
    } else {
        ""
    };
    let version = if body.contains("version") || !layout.is_empty() {
        "version"
    } else {
        "_version"
    };
    if body.is_empty() {
        return format!(
            "pub(super) fn read({version}: i16, input: &[u8]) -> Parsed<'_, Self> {{
                Ok((input, Self::default()))
            }}"
        );
    }
    format!(
        "pub(super) fn read({version}: i16, input: &[u8]) -> Parsed<'_, Self> {{
            {layout}let mut input = input;
            let mut message = Self::default();
            {body}Ok((input, message))
        }}"
    )
}

/// The condition under which a field with `versions` is there, inside a struct that is there in
/// `outer`; `None` when it always is.
pub(crate) fn condition(versions: Versions, outer: Versions) -> Option<String> {
    match (versions.min <= outer.min, versions.max >= outer.max) {
        (true, true) => None,
        (false, true) => Some(format!("version >= {}", versions.min)),
        (true, false) => Some(format!("version <= {}", versions.max)),
        (false, false) => Some(format!(
            "({}..={}).contains(&version)",
            versions.min, versions.max
        )),
    }
}

fn read_field(api: &Api, shape: &Shape<'_>, field: &Field) -> String {
    let name = snake_case(&field.name);
    let Some(there) = field.versions.intersection(shape.versions) else {
        return String::new();
    };
    let assignment = |parser: &str| {
        format!("(input, message.{name}) = context(\"{name}\", {parser}).parse(input)?;\n")
    };
    let (nullable, plain) = (
        nullable_parser(api, field, there),
        parser(api, field, there),
    );
    let read = match field.nullable.map(|versions| condition(versions, there)) {
        None => assignment(&plain),
        Some(None) => assignment(&nullable),
        Some(Some(condition)) => format!(
            "if {condition} {{ {} }} else {{ {} }}\n",
            assignment(&nullable),
            assignment(&format!("{plain}.map(Some)"))
        ),
    };
    match condition(field.versions, shape.versions) {
        None => read,
        Some(condition) => format!("if {condition} {{ {read} }}\n"),
    }
}

fn read_tagged_fields(api: &Api, shape: &Shape<'_>) -> String {
    let is_ever_flexible = api
        .flexible
        .is_some_and(|flexible| flexible.intersection(shape.versions).is_some());
    if !is_ever_flexible {
        return String::new();
    }
    let mut arms = String::new();
    for field in shape.fields {
        let (Some(tag), Some(there)) = (field.tag, field.versions.intersection(shape.versions))
        else {
            continue;
        };
        let name = snake_case(&field.name);
        let guard = condition(field.versions, shape.versions)
            .map_or_else(String::new, |condition| format!(" if {condition}"));
        let parser = match field.nullable {
            Some(_) => nullable_parser(api, field, there),
            None => parser(api, field, there),
        };
        let _ = writeln!(
            arms,
            "{tag}{guard} => read::store(&mut message.{name}, \
             context(\"{name}\", {parser}).parse(value)),"
        );
    }
    if arms.is_empty() {
        return "input = read::skip_tagged_fields(layout, input)?;\n".to_owned();
    }
    format!(
        "input = read::tagged_fields(layout, input, &mut |tag, value| match tag {{
            {arms}_ => None,
        }})?;\n"
    )
}

/// The parser of a field's value in the versions in which it must not be null.
fn parser(api: &Api, field: &Field, versions: Versions) -> String {
    match &field.kind {
        Kind::Bool => "read::boolean".to_owned(),
        Kind::Int8 => "read::int8".to_owned(),
        Kind::Int16 => "read::int16".to_owned(),
        Kind::Int32 => "read::int32".to_owned(),
        Kind::Int64 => "read::int64".to_owned(),
        Kind::ErrorCode => "read::error_code".to_owned(),
        Kind::Uuid => "read::uuid".to_owned(),
        Kind::String => "read::string(layout)".to_owned(),
        Kind::Bytes | Kind::Records => "read::bytes(layout)".to_owned(),
        Kind::Struct(name) => format!("|input| {name}::read(version, input)"),
        Kind::Array(element) => array_parser(api, field, element, versions, "array"),
    }
}

fn nullable_parser(api: &Api, field: &Field, versions: Versions) -> String {
    match &field.kind {
        Kind::String => "read::nullable_string(layout)".to_owned(),
        Kind::Bytes | Kind::Records => "read::nullable_bytes(layout)".to_owned(),
        Kind::Struct(name) => {
            format!("read::nullable_struct(|input| {name}::read(version, input))")
        }
        Kind::Array(element) => array_parser(api, field, element, versions, "nullable_array"),
        _ => parser(api, field, versions),
    }
}

fn array_parser(
    api: &Api,
    field: &Field,
    element: &Kind,
    versions: Versions,
    combinator: &str,
) -> String {
    let size = element_size(api, field, element, versions);
    let one = match element {
        Kind::Struct(name) => format!("|input| {name}::read(version, input)"),
        Kind::String => "|input| read::string(layout).parse(input)".to_owned(),
        Kind::Int32 => "read::int32".to_owned(),
        other => unreachable!("no message has an array of {other:?}"),
    };
    format!("read::{combinator}(layout, {size}, {one})")
}
