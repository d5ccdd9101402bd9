//! Writes the Rust that writes a struct: calls of the crate's plain functions over a buffer.

use std::fmt::Write as _;

use super::notation::{Api, Field, Kind};
use super::reader::condition;
use super::rust_type::differs_from_default;
use super::shape::{Shape, snake_case};

/// The function `write` of a struct.
pub(crate) fn write_function(api: &Api, shape: &Shape<'_>) -> String {
    let mut body = String::new();
    for field in shape.fields.iter().filter(|field| field.tag.is_none()) {
        body.push_str(&write_field(shape, field));
    }
    body.push_str(&write_tagged_fields(api, shape));
    let layout = if body.contains("layout") {
        "let layout = layout(version);\n"
    } else {
        ""
    };
    let underscore = |name: &'static str, used: bool| match (used, name) {
        (true, name) => name,
        (false, "version") => "_version",
        (false, _) => "_out",
    };
    let version = underscore("version", body.contains("version") || !layout.is_empty());
    let out = underscore("out", body.contains("out,") || body.contains("(out"));
    format!(
        "pub(super) fn write(&self, {version}: i16, {out}: &mut BytesMut) -> Result<(), EncodeError> {{
            {layout}{body}Ok(())
        }}"
    )
}

fn write_field(shape: &Shape<'_>, field: &Field) -> String {
    let name = snake_case(&field.name);
    let place = format!("self.{name}");
    let Some(there) = field.versions.intersection(shape.versions) else {
        return String::new();
    };
    let write = match field.nullable.map(|versions| condition(versions, there)) {
        None => put(field, &name, &place),
        Some(None) => put_nullable(field, &name, &place),
        Some(Some(condition)) => format!(
            "if {condition} {{ {} }} else {{ {} }}\n",
            put_nullable(field, &name, &place),
            put_required(field, &name, &place)
        ),
    };
    let Some(condition) = condition(field.versions, shape.versions) else {
        return write;
    };
    if field.ignorable {
        return format!("if {condition} {{ {write} }}\n");
    }
    format!(
        "if {condition} {{ {write} }} else if {} {{ {} }}\n",
        differs_from_default(field, &place),
        refusal(&name)
    )
}

fn refusal(name: &str) -> String {
    format!("return Err(EncodeError::not_in_this_version(\"{name}\"));")
}

fn write_tagged_fields(api: &Api, shape: &Shape<'_>) -> String {
    let is_ever_flexible = api
        .flexible
        .is_some_and(|flexible| flexible.intersection(shape.versions).is_some());
    if !is_ever_flexible {
        return String::new();
    }
    let mut tagged: Vec<&Field> = shape
        .fields
        .iter()
        .filter(|field| field.tag.is_some())
        .collect();
    if tagged.is_empty() {
        return "write::put_no_tagged_fields(out, layout);\n".to_owned();
    }
    tagged.sort_by_key(|field| field.tag);
    let mut body = "let mut tagged = write::TaggedFieldWriter::new(layout);\n".to_owned();
    for field in tagged {
        body.push_str(&write_tagged_field(shape, field));
    }
    body.push_str("tagged.finish(out);\n");
    body
}

fn write_tagged_field(shape: &Shape<'_>, field: &Field) -> String {
    let name = snake_case(&field.name);
    let place = format!("self.{name}");
    let put = match field.nullable {
        Some(_) => put_nullable(field, &name, &place),
        None => put(field, &name, &place),
    };
    let differs = differs_from_default(field, &place);
    let tag = field.tag.unwrap_or_default();
    let add = format!("tagged.field({tag}, &mut |out| {{ {put} Ok(()) }})?;");
    let mut text = String::new();
    let _ = match condition(field.versions, shape.versions) {
        None => writeln!(text, "if {differs} {{ {add} }}"),
        Some(condition) if field.ignorable => {
            writeln!(text, "if {condition} && {differs} {{ {add} }}")
        }
        Some(condition) => writeln!(
            text,
            "if {differs} {{ if {condition} {{ {add} }} else {{ {} }} }}",
            refusal(&name)
        ),
    };
    text
}

/// The statement that writes a field whose type has no null.
fn put(field: &Field, name: &str, place: &str) -> String {
    let fallible = |call: String| format!("{call}.map_err(|error| error.in_field(\"{name}\"))?;\n");
    match &field.kind {
        Kind::Bool => format!("write::put_boolean(out, {place});\n"),
        Kind::Int8 => format!("write::put_int8(out, {place});\n"),
        Kind::Int16 => format!("write::put_int16(out, {place});\n"),
        Kind::Int32 => format!("write::put_int32(out, {place});\n"),
        Kind::Int64 => format!("write::put_int64(out, {place});\n"),
        Kind::ErrorCode => format!("write::put_error_code(out, {place});\n"),
        Kind::Uuid => format!("write::put_uuid(out, {place});\n"),
        Kind::String => fallible(format!("write::put_string(out, layout, &{place})")),
        Kind::Bytes | Kind::Records => fallible(format!("write::put_bytes(out, layout, &{place})")),
        Kind::Struct(_) => fallible(format!("{place}.write(version, out)")),
        Kind::Array(element) => fallible(format!(
            "write::put_array(out, layout, &{place}, {})",
            put_element(element)
        )),
    }
}

/// The statement that writes a field that may be null in this version.
fn put_nullable(field: &Field, name: &str, place: &str) -> String {
    let call = match &field.kind {
        Kind::String => format!("write::put_nullable_string(out, layout, {place}.as_deref())"),
        Kind::Bytes | Kind::Records => {
            format!("write::put_nullable_bytes(out, layout, {place}.as_ref())")
        }
        Kind::Array(element) => format!(
            "write::put_nullable_array(out, layout, {place}.as_deref(), {})",
            put_element(element)
        ),
        Kind::Struct(_) => format!(
            "write::put_nullable_struct(out, {place}.as_ref(), \
             &mut |value, out| value.write(version, out))"
        ),
        other => unreachable!("no message has a nullable {other:?}"),
    };
    format!("{call}.map_err(|error| error.in_field(\"{name}\"))?;\n")
}

/// The statement that writes a field that may be null, but not in this version.
fn put_required(field: &Field, name: &str, place: &str) -> String {
    let (borrow, call) = match &field.kind {
        Kind::String => (
            "as_deref",
            "write::put_string(out, layout, value)".to_owned(),
        ),
        Kind::Bytes | Kind::Records => {
            ("as_ref", "write::put_bytes(out, layout, value)".to_owned())
        }
        Kind::Array(element) => (
            "as_deref",
            format!(
                "write::put_array(out, layout, value, {})",
                put_element(element)
            ),
        ),
        other => unreachable!("no message has a nullable {other:?}"),
    };
    format!(
        "write::required({place}.{borrow}()).and_then(|value| {call})\
         .map_err(|error| error.in_field(\"{name}\"))?;\n"
    )
}

fn put_element(element: &Kind) -> &'static str {
    match element {
        Kind::Struct(_) => "&mut |element, out| element.write(version, out)",
        Kind::String => "&mut |element, out| write::put_string(out, layout, element)",
        Kind::Int32 => "&mut |element, out| { write::put_int32(out, *element); Ok(()) }",
        other => unreachable!("no message has an array of {other:?}"),
    }
}
