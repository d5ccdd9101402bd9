//! Writes the Rust files that list all APIs: the module index, the keys, and the erased messages.

use std::fmt::Write as _;

use super::notation::{Api, Direction};
use super::shape::{Role, shapes, snake_case};

/// `messages/mod.rs`.
pub(crate) fn module_file(apis: &[Api]) -> String {
    let mut text =
        "//! Kafka's messages, one module an API; whole messages are also here.\n\n".to_owned();
    let mut modules: Vec<String> = apis.iter().map(|api| snake_case(&api.name)).collect();
    modules.sort();
    text.push_str("mod api_key;\n");
    for module in &modules {
        let _ = writeln!(text, "pub mod {module};");
    }
    text.push_str("mod request_kind;\nmod response_kind;\n\n");
    text.push_str("pub use api_key::ApiKey;\n");
    let mut names: Vec<&str> = apis.iter().map(|api| api.name.as_str()).collect();
    names.sort_unstable();
    for name in names {
        let _ = writeln!(
            text,
            "pub use {}::{{{name}Request, {name}Response}};",
            snake_case(name)
        );
    }
    text.push_str("pub use request_kind::RequestKind;\npub use response_kind::ResponseKind;\n");
    text
}

/// `messages/api_key.rs`.
pub(crate) fn api_key_file(apis: &[Api]) -> String {
    let mut variants = String::new();
    let mut names = String::new();
    let mut from_wire = String::new();
    let mut ranges = String::new();
    let mut flexible = String::new();
    for api in apis {
        let Api {
            name,
            key,
            versions,
            ..
        } = api;
        let _ = writeln!(variants, "/// {}\n{name} = {key},", api.about);
        let _ = writeln!(names, "Self::{name} => \"{name}\",");
        let _ = writeln!(from_wire, "{key} => Self::{name},");
        let _ = writeln!(
            ranges,
            "Self::{name} => VersionRange {{ min: {}, max: {} }},",
            versions.min, versions.max
        );
        let _ = match api.flexible {
            Some(flexible_range) => {
                writeln!(flexible, "Self::{name} => Some({}),", flexible_range.min)
            }
            None => writeln!(flexible, "Self::{name} => None,"),
        };
    }
    let all: Vec<String> = apis
        .iter()
        .map(|api| format!("Self::{}", api.name))
        .collect();
    format!(
        "//! The APIs that this crate speaks.

        use std::fmt;

        use crate::version_range::VersionRange;

        /// An API, by Kafka's name and number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        #[non_exhaustive]
        pub enum ApiKey {{ {variants} }}

        impl ApiKey {{
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[{}];

            /// The number on the wire.
            #[must_use]
            pub const fn to_wire(self) -> i16 {{ self as i16 }}

            /// The API of this number; `None` where this crate does not speak it.
            #[must_use]
            pub const fn from_wire(number: i16) -> Option<Self> {{
                Some(match number {{ {from_wire} _ => return None, }})
            }}

            /// Kafka's name: `JoinGroup`.
            #[must_use]
            pub const fn name(self) -> &'static str {{ match self {{ {names} }} }}

            /// The versions that this crate speaks.
            #[must_use]
            pub const fn versions(self) -> VersionRange {{ match self {{ {ranges} }} }}

            /// The first version with compact lengths and tagged fields (KIP-482); `None` where
            /// there is none.
            #[must_use]
            pub const fn first_flexible_version(self) -> Option<i16> {{ match self {{ {flexible} }} }}
        }}

        impl fmt::Display for ApiKey {{
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{ f.write_str(self.name()) }}
        }}
        ",
        all.join(", ")
    )
}

/// `messages/request_kind.rs` or `messages/response_kind.rs`.
pub(crate) fn kind_file(apis: &[Api], direction: Direction) -> String {
    let (kind, word, decode_gate, encode_gate) = match direction {
        Direction::Request => ("RequestKind", "Request", BROKER_ONLY, ""),
        Direction::Response => ("ResponseKind", "Response", "", BROKER_ONLY),
    };
    let mut variants = String::new();
    let mut keys = String::new();
    let mut encode = String::new();
    let mut decode = String::new();
    let mut conversions = String::new();
    for Api { name, .. } in apis {
        let message = format!("{name}{word}");
        let _ = writeln!(variants, "/// [`{message}`].\n{name}({message}),");
        let _ = writeln!(keys, "Self::{name}(_) => ApiKey::{name},");
        let _ = writeln!(
            encode,
            "Self::{name}(message) => message.encode(version, out),"
        );
        let _ = writeln!(
            decode,
            "ApiKey::{name} => {message}::decode(version, body).map(Self::{name}),"
        );
        conversions.push_str(&conversion(kind, name, &message));
    }
    let imports: Vec<String> = apis
        .iter()
        .map(|api| format!("{}{word}", api.name))
        .collect();
    let lower = word.to_lowercase();
    let request_trait = match direction {
        Direction::Request => "use crate::message::Request as _;\n",
        Direction::Response => "use crate::message::UnexpectedResponse;\n",
    };
    format!(
        "//! A {lower} of any API.

        {encode_gate}use bytes::BytesMut;

        use super::{{ApiKey, {}}};
        {decode_gate}use crate::decode_error::DecodeError;
        {encode_gate}use crate::encode_error::EncodeError;
        {request_trait}
        /// A {lower} of any API.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum {kind} {{ {variants} }}

        impl {kind} {{
            /// The API it belongs to.
            #[must_use]
            pub const fn api_key(&self) -> ApiKey {{ match self {{ {keys} }} }}
        }}

        {encode_gate}impl {kind} {{
            /// Appends the body: what follows the header.
            ///
            /// # Errors
            ///
            /// [`EncodeError`] where this version has no room for what the message says. The
            /// buffer then holds an unfinished message.
            pub fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {{
                match self {{ {encode} }}
            }}
        }}

        {decode_gate}impl {kind} {{
            /// Reads a body: what follows the header. Bytes after the last field are let pass, as
            /// Kafka does.
            ///
            /// # Errors
            ///
            /// [`DecodeError`] where the bytes are no such {lower} in this version.
            pub fn decode(api_key: ApiKey, version: i16, body: &[u8]) -> Result<Self, DecodeError> {{
                match api_key {{ {decode} }}
            }}
        }}

        {conversions}",
        imports.join(", ")
    )
}

const BROKER_ONLY: &str = "#[cfg(any(test, feature = \"broker\"))]\n";

fn conversion(kind: &str, name: &str, message: &str) -> String {
    let into_kind = format!(
        "impl From<{message}> for {kind} {{
            fn from(message: {message}) -> Self {{ Self::{name}(message) }}
        }}

        "
    );
    if kind == "RequestKind" {
        return into_kind;
    }
    format!(
        "{into_kind}impl TryFrom<{kind}> for {message} {{
            type Error = UnexpectedResponse;

            fn try_from(response: {kind}) -> Result<Self, UnexpectedResponse> {{
                match response {{
                    {kind}::{name}(message) => Ok(message),
                    other => Err(UnexpectedResponse {{
                        expected: ApiKey::{name},
                        found: other.api_key(),
                    }}),
                }}
            }}
        }}

        "
    )
}

/// `docs/wire-format.md`.
pub(crate) fn document_file(apis: &[Api]) -> String {
    let mut rows = String::new();
    for api in apis {
        let flexible = match api.flexible {
            Some(flexible) => format!("{}+", flexible.min),
            None => "–".to_owned(),
        };
        let converted: Vec<String> = shapes(api)
            .iter()
            .filter_map(|shape| match shape.role {
                Role::OldForm { direction, next } => {
                    Some(format!("{} below {next}", word(direction)))
                }
                _ => None,
            })
            .collect();
        let _ = writeln!(
            rows,
            "| {} | {} | {}–{} | {flexible} | {} | {} |",
            api.key,
            api.name,
            api.versions.min,
            api.versions.max,
            converted.join(", "),
            api.about
        );
    }
    format!(
        "# The wire format: supported APIs and versions

The APIs that `windlass-protocol` speaks, by key. *Flexible* is the first version with compact lengths and tagged fields
(KIP-482). *Converted* names the directions whose old versions have another form: the codec translates, so that its
users only ever see the newest one.

| key | API | versions | flexible | converted | purpose |
| --- | --- | --- | --- | --- | --- |
{rows}
Every message is described field by field in one file under `crates/windlass-protocol/schema/`, from which the Rust is
generated. Versions follow Kafka 4.3; brokers since Kafka 2.1 speak at least one version of each that they know at all.
"
    )
}

const fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Request => "request",
        Direction::Response => "response",
    }
}
