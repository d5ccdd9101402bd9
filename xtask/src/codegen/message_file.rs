//! Writes the Rust file of one API.

use std::fmt::Write as _;

use super::notation::{Api, Direction, Versions};
use super::reader::read_function;
use super::rust_type::{field_type, special_default};
use super::shape::{Role, Shape, message_name, shapes, snake_case};
use super::writer::write_function;

const BROKER_ONLY: &str = "#[cfg(any(test, feature = \"broker\"))]\n";

/// The text of `messages/<api>.rs`, before formatting.
pub(crate) fn message_file(api: &Api) -> String {
    let shapes = shapes(api);
    let mut items = String::new();
    for shape in &shapes {
        items.push_str(&structure(shape));
        items.push_str(&codec(api, shape));
        if let Role::Message(direction) = shape.role {
            items.push_str(&entry_points(api, shape, direction));
        }
    }
    let mut text = format!(
        "//! {}: key {}, versions {}.\n\n",
        api.name,
        api.key,
        range_text(api.versions)
    );
    text.push_str(&imports(&items));
    text.push_str(&layout_function(api));
    text.push_str(&items);
    text
}

/// `0 to 4`.
pub(crate) fn range_text(versions: Versions) -> String {
    if versions.min == versions.max {
        return versions.min.to_string();
    }
    format!("{} to {}", versions.min, versions.max)
}

fn imports(items: &str) -> String {
    let bytes = if items.contains("Bytes,") || items.contains("Bytes>") {
        "use bytes::{Bytes, BytesMut};\n"
    } else {
        "use bytes::BytesMut;\n"
    };
    let topic_id = if items.contains("TopicId,") {
        "use windlass_model::TopicId;\n"
    } else {
        ""
    };
    let error_code = if items.contains("ErrorCode,") {
        "use crate::error_code::ErrorCode;\n"
    } else {
        ""
    };
    format!(
        "{bytes}use nom::Parser as _;
        use nom::error::context;
        {topic_id}
        use super::ApiKey;
        use crate::decode_error::DecodeError;
        use crate::encode_error::EncodeError;
        {error_code}use crate::message::{{Request, decode_message, encode_message}};
        use crate::primitive::read::{{self, Parsed}};
        use crate::primitive::{{Layout, write}};
        use crate::version_range::VersionRange;

        "
    )
}

fn layout_function(api: &Api) -> String {
    let (parameter, body) = match api.flexible {
        None => ("_version", "Layout::Plain".to_owned()),
        Some(flexible) if flexible.min <= api.versions.min => {
            ("_version", "Layout::Flexible".to_owned())
        }
        Some(flexible) => (
            "version",
            format!("Layout::flexible_from({}, version)", flexible.min),
        ),
    };
    format!(
        "const fn layout({parameter}: i16) -> Layout {{ {body} }}

        "
    )
}

fn structure(shape: &Shape<'_>) -> String {
    let visibility = if shape.role.is_public() {
        "pub"
    } else {
        "pub(crate)"
    };
    let has_special_default = shape
        .fields
        .iter()
        .any(|field| special_default(field).is_some());
    let has_secret = shape.fields.iter().any(|field| field.secret);
    let mut derives = vec!["Clone"];
    if !has_secret {
        derives.push("Debug");
    }
    if !has_special_default {
        derives.push("Default");
    }
    derives.extend(["PartialEq", "Eq"]);
    let mut text = document(&shape.about);
    let _ = write!(
        text,
        "#[derive({})]\n{visibility} struct {} {{\n",
        derives.join(", "),
        shape.name
    );
    for field in shape.fields {
        text.push_str(&document(&field.about));
        let _ = writeln!(
            text,
            "{visibility} {}: {},",
            snake_case(&field.name),
            field_type(field)
        );
    }
    text.push_str("}\n\n");
    if has_special_default {
        text.push_str(&default_implementation(shape));
    }
    if has_secret {
        text.push_str(&secret_debug(shape));
    }
    text
}

fn document(about: &str) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in about.split_whitespace() {
        if !line.is_empty() && line.len() + word.len() > 88 {
            let _ = writeln!(text, "///{line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "///{line}");
    }
    text
}

fn default_implementation(shape: &Shape<'_>) -> String {
    let mut text = format!(
        "impl Default for {} {{\nfn default() -> Self {{\nSelf {{\n",
        shape.name
    );
    for field in shape.fields {
        let value = special_default(field)
            .unwrap_or_else(|| format!("{}::default()", field_type(field).replace('<', "::<")));
        let value = plain_default(&value);
        let _ = writeln!(text, "{}: {value},", snake_case(&field.name));
    }
    text.push_str("}\n}\n}\n\n");
    text
}

/// Shorter words for the defaults that have them.
fn plain_default(value: &str) -> &str {
    match value {
        "bool::default()" => "false",
        "i8::default()" | "i16::default()" | "i32::default()" | "i64::default()" => "0",
        "String::default()" => "String::new()",
        "Bytes::default()" => "Bytes::new()",
        "TopicId::default()" => "TopicId::ZERO",
        "ErrorCode::default()" => "ErrorCode::NONE",
        value if value.starts_with("Option::") => "None",
        value if value.starts_with("Vec::") => "Vec::new()",
        value => value,
    }
}

/// A `Debug` that keeps the secret to itself.
fn secret_debug(shape: &Shape<'_>) -> String {
    let mut fields = String::new();
    for field in shape.fields {
        let name = snake_case(&field.name);
        if field.secret {
            let _ = writeln!(
                fields,
                ".field(\"{name}\", &format_args!(\"<{{}} bytes>\", self.{name}.len()))"
            );
        } else {
            let _ = writeln!(fields, ".field(\"{name}\", &self.{name})");
        }
    }
    format!(
        "impl std::fmt::Debug for {0} {{
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
                f.debug_struct(\"{0}\"){fields}.finish()
            }}
        }}

        ",
        shape.name
    )
}

fn codec(api: &Api, shape: &Shape<'_>) -> String {
    let mut text = String::new();
    let functions = [
        (shape.client_writes, write_function(api, shape)),
        (shape.client_reads, read_function(api, shape)),
    ];
    for (client_needs_it, function) in functions {
        let gate = if client_needs_it { "" } else { BROKER_ONLY };
        let _ = write!(text, "{gate}impl {} {{\n{function}\n}}\n\n", shape.name);
    }
    text
}

fn entry_points(api: &Api, shape: &Shape<'_>, direction: Direction) -> String {
    let old = old_form(api, direction);
    let name = &shape.name;
    let decode = match &old {
        None => format!("decode_message(\"{name}\", Self::VERSIONS, version, body, Self::read)"),
        Some((old, last)) => format!(
            "if version <= {last} {{
                return decode_message(\"{name}\", Self::VERSIONS, version, body, {old}::read).map(Self::from);
            }}
            decode_message(\"{name}\", Self::VERSIONS, version, body, Self::read)"
        ),
    };
    let encode = match &old {
        None => format!(
            "encode_message(\"{name}\", Self::VERSIONS, version, &mut || self.write(version, out))"
        ),
        Some((old, last)) => format!(
            "encode_message(\"{name}\", Self::VERSIONS, version, &mut || {{
                if version <= {last} {{
                    return {old}::try_from(self)?.write(version, out);
                }}
                self.write(version, out)
            }})"
        ),
    };
    let versions = format!(
        "VersionRange {{ min: {}, max: {} }}",
        api.versions.min, api.versions.max
    );
    match direction {
        Direction::Request => format!(
            "impl Request for {name} {{
                const API_KEY: ApiKey = ApiKey::{api};
                const VERSIONS: VersionRange = {versions};
                type Response = {api}Response;

                fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {{
                    {encode}
                }}
            }}

            {BROKER_ONLY}impl {name} {{
                /// Reads the body of a request: what follows its header.
                ///
                /// # Errors
                ///
                /// [`DecodeError`] where the bytes are no such request in this version.
                pub fn decode(version: i16, body: &[u8]) -> Result<Self, DecodeError> {{
                    {decode}
                }}
            }}

            ",
            api = api.name
        ),
        Direction::Response => format!(
            "impl {name} {{
                /// The versions that can be read and written.
                pub const VERSIONS: VersionRange = {versions};

                /// Reads the body of a response: what follows its header.
                ///
                /// # Errors
                ///
                /// [`DecodeError`] where the bytes are no such response in this version.
                pub fn decode(version: i16, body: &[u8]) -> Result<Self, DecodeError> {{
                    {decode}
                }}
            }}

            {BROKER_ONLY}impl {name} {{
                /// Appends the body of the response.
                ///
                /// # Errors
                ///
                /// [`EncodeError`] where this version has no room for what the message says.
                pub fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {{
                    {encode}
                }}
            }}

            "
        ),
    }
}

/// The name of a message's old form and its last version.
fn old_form(api: &Api, direction: Direction) -> Option<(String, i16)> {
    let forms: Vec<_> = api.forms(direction).collect();
    let [old, newer] = forms.as_slice() else {
        return None;
    };
    let next = newer.versions.min;
    let name = message_name(api, Role::OldForm { direction, next });
    Some((name, old.versions.max))
}
