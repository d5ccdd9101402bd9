//! Rust's side of a field: its type, its default, and whether a value is that default.

use super::notation::{Api, Field, Kind, Versions};

/// The Rust type of a field.
pub(crate) fn field_type(field: &Field) -> String {
    let plain = kind_type(&field.kind);
    if field.nullable.is_some() {
        format!("Option<{plain}>")
    } else {
        plain
    }
}

fn kind_type(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int8 => "i8".to_owned(),
        Kind::Int16 => "i16".to_owned(),
        Kind::Int32 => "i32".to_owned(),
        Kind::Int64 => "i64".to_owned(),
        Kind::ErrorCode => "ErrorCode".to_owned(),
        Kind::Uuid => "TopicId".to_owned(),
        Kind::String => "String".to_owned(),
        Kind::Bytes | Kind::Records => "Bytes".to_owned(),
        Kind::Struct(name) => name.clone(),
        Kind::Array(element) => format!("Vec<{}>", kind_type(element)),
    }
}

fn default_is_null(field: &Field) -> bool {
    field.default.as_deref() == Some("null")
}

/// The default where it is not what `Default` gives the type.
pub(crate) fn special_default(field: &Field) -> Option<String> {
    if field.nullable.is_some() {
        return (!default_is_null(field)).then(|| match (&field.kind, &field.default) {
            (Kind::String, Some(text)) => format!("Some({text:?}.to_owned())"),
            (kind, _) => format!("Some({}::new())", kind_type(kind).replace("Vec<", "Vec::<")),
        });
    }
    field.default.as_ref().map(|value| grouped(value))
}

/// Digits in groups of three, as clippy wishes numbers to be written.
fn grouped(value: &str) -> String {
    let (sign, digits) = match value.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", value),
    };
    match value {
        "-2147483648" => return "i32::MIN".to_owned(),
        "2147483647" => return "i32::MAX".to_owned(),
        "9223372036854775807" => return "i64::MAX".to_owned(),
        _ => {}
    }
    if digits.len() < 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.to_owned();
    }
    let mut text = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// A condition that holds when the field is not at its default; `place` is its expression.
pub(crate) fn differs_from_default(field: &Field, place: &str) -> String {
    if field.nullable.is_some() {
        return if default_is_null(field) {
            format!("{place}.is_some()")
        } else {
            format!("{place}.as_ref().is_none_or(|value| !value.is_empty())")
        };
    }
    match (&field.kind, special_default(field)) {
        (Kind::Bool, Some(value)) if value == "true" => format!("!{place}"),
        (Kind::Bool, _) => place.to_owned(),
        (Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64, value) => {
            format!("{place} != {}", value.unwrap_or_else(|| "0".to_owned()))
        }
        (Kind::ErrorCode, _) => format!("{place}.is_error()"),
        (Kind::Uuid, _) => format!("!{place}.is_zero()"),
        (Kind::Struct(name), _) => format!("{place} != {name}::default()"),
        (Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_), _) => {
            format!("!{place}.is_empty()")
        }
    }
}

/// The fewest bytes that a value of the array's element type can take in any of the versions.
pub(crate) fn element_size(api: &Api, field: &Field, element: &Kind, versions: Versions) -> usize {
    let smallest = (versions.min..=versions.max)
        .map(|version| kind_size(api, field, element, version))
        .min();
    smallest.unwrap_or(1).max(1)
}

fn kind_size(api: &Api, field: &Field, kind: &Kind, version: i16) -> usize {
    let flexible = api.is_flexible(version);
    match kind {
        Kind::Bool | Kind::Int8 => 1,
        Kind::Int16 | Kind::ErrorCode => 2,
        Kind::Int32 => 4,
        Kind::Int64 => 8,
        Kind::Uuid => 16,
        Kind::String | Kind::Bytes | Kind::Records | Kind::Array(_) if flexible => 1,
        Kind::String => 2,
        Kind::Bytes | Kind::Records | Kind::Array(_) => 4,
        Kind::Struct(_) => {
            let fields = api.fields_of(field).iter();
            let present =
                fields.filter(|inner| inner.versions.contains(version) && inner.tag.is_none());
            let sum: usize = present.map(|inner| field_size(api, inner, version)).sum();
            sum + usize::from(flexible)
        }
    }
}

fn field_size(api: &Api, field: &Field, version: i16) -> usize {
    let is_nullable = field
        .nullable
        .is_some_and(|nullable| nullable.contains(version));
    match &field.kind {
        Kind::Struct(_) if is_nullable => 1,
        kind => kind_size(api, field, kind, version),
    }
}
