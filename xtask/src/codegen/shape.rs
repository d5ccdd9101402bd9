//! The structs that one API needs, and who reads and writes each.

use super::notation::{Api, Direction, Field, Kind, Message, Versions};

/// One Rust struct to be written.
#[derive(Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) fields: &'a [Field],
    /// The versions in which it occurs.
    pub(crate) versions: Versions,
    /// Whether a client needs to read it; a broker needs both.
    pub(crate) client_reads: bool,
    /// Whether a client needs to write it.
    pub(crate) client_writes: bool,
    pub(crate) role: Role,
}

/// What a struct is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A whole message as users see it.
    Message(Direction),
    /// The old form of a message, which only the codec sees; `next` is the first version of the
    /// form that users see.
    OldForm {
        /// Who sends it.
        direction: Direction,
        /// The first version of the newer form.
        next: i16,
    },
    /// A part of a message.
    Part,
    /// A part of nothing but old forms.
    OldPart,
}

impl Role {
    /// Whether users of the crate see the struct.
    pub(crate) fn is_public(self) -> bool {
        matches!(self, Self::Message(_) | Self::Part)
    }
}

/// All structs of an API: messages first, then the parts in the order they are met.
pub(crate) fn shapes(api: &Api) -> Vec<Shape<'_>> {
    let mut shapes = Vec::new();
    let mut parts = Vec::new();
    for direction in [Direction::Request, Direction::Response] {
        let forms: Vec<&Message> = api.forms(direction).collect();
        for (index, form) in forms.iter().enumerate() {
            let role = match forms.get(index + 1) {
                Some(newer) => Role::OldForm {
                    direction,
                    next: newer.versions.min,
                },
                None => Role::Message(direction),
            };
            let shape = Shape {
                name: message_name(api, role),
                about: about_message(api, role),
                fields: &form.fields,
                versions: form.versions,
                client_reads: direction == Direction::Response,
                client_writes: direction == Direction::Request,
                role,
            };
            collect_parts(api, &shape, &mut parts);
            shapes.push(shape);
        }
    }
    shapes.extend(parts);
    shapes
}

/// Kafka's name of a message, with the version its successor begins with for an old form.
pub(crate) fn message_name(api: &Api, role: Role) -> String {
    let word = |direction| match direction {
        Direction::Request => "Request",
        Direction::Response => "Response",
    };
    match role {
        Role::OldForm { direction, next } => {
            format!("{}{}Before{next}", api.name, word(direction))
        }
        Role::Message(direction) => format!("{}{}", api.name, word(direction)),
        Role::Part | Role::OldPart => String::new(),
    }
}

fn about_message(api: &Api, role: Role) -> String {
    match role {
        Role::Message(Direction::Request) => api.about.clone(),
        Role::Message(Direction::Response) => format!("The answer to [`{}Request`].", api.name),
        _ => "The form of the message in old versions.".to_owned(),
    }
}

fn collect_parts<'a>(api: &'a Api, outer: &Shape<'a>, parts: &mut Vec<Shape<'a>>) {
    for field in outer.fields {
        let Some(name) = field.kind.struct_name() else {
            continue;
        };
        let Some(versions) = field.versions.intersection(outer.versions) else {
            continue;
        };
        let role = if outer.role.is_public() {
            Role::Part
        } else {
            Role::OldPart
        };
        let part = Shape {
            name: name.to_owned(),
            about: about_part(api, outer, field),
            fields: api.fields_of(field),
            versions,
            client_reads: outer.client_reads,
            client_writes: outer.client_writes,
            role,
        };
        collect_parts_of(api, part, parts);
    }
}

fn collect_parts_of<'a>(api: &'a Api, part: Shape<'a>, parts: &mut Vec<Shape<'a>>) {
    let position = parts.iter().position(|known| known.name == part.name);
    let position = position.unwrap_or(parts.len());
    match parts.get_mut(position) {
        Some(known) => {
            known.versions = known.versions.union(part.versions);
            known.client_reads |= part.client_reads;
            known.client_writes |= part.client_writes;
            if part.role == Role::Part {
                known.role = Role::Part;
            }
            collect_parts(api, &part, parts);
        }
        None => {
            let inner = Shape {
                name: part.name.clone(),
                about: String::new(),
                ..part
            };
            parts.push(part);
            collect_parts(api, &inner, parts);
        }
    }
}

fn about_part(api: &Api, outer: &Shape<'_>, field: &Field) -> String {
    let shared = api
        .structs
        .iter()
        .find(|shared| Some(shared.name.as_str()) == field.kind.struct_name());
    if let Some(shared) = shared
        && !shared.about.is_empty()
    {
        return shared.about.clone();
    }
    let field_name = snake_case(&field.name);
    let link = if outer.role.is_public() {
        format!("[`{}::{field_name}`]", outer.name)
    } else {
        format!("`{field_name}` in old versions")
    };
    match field.kind {
        Kind::Array(_) => format!("An element of {link}."),
        _ => format!("The value of {link}."),
    }
}

/// `TopicId` → `topic_id`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
