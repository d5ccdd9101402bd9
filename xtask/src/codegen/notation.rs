//! The notation of `crates/windlass-protocol/schema/`: one text file per API, read into a tree.
//!
//! ```text
//! # What the API is for; comment lines document what follows them.
//! api Heartbeat
//! key 12
//! versions 0-4
//! flexible 4+
//!
//! request
//!   # The group.
//!   GroupId: string
//!   GroupInstanceId: string 3+ nullable = null
//!
//! response
//!   ThrottleTimeMs: int32 1+ ignorable
//!   ErrorCode: error_code
//! ```
//!
//! A field is `Name: type [versions] [nullable [versions]] [= default] [ignorable] [tag N]
//! [secret]`. Versions left out are those of what the field stands in. Fields indented below an
//! array or struct field define that struct; a struct used more than once is defined at the end
//! under `struct Name`. A direction written twice, `request 0-3` and `request 4+`, has an old form
//! that the codec converts: its users only see the newer one.

use std::fmt;

/// An inclusive range of API versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) min: i16,
    pub(crate) max: i16,
}

impl Versions {
    pub(crate) fn contains(self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    pub(crate) fn intersection(self, other: Self) -> Option<Self> {
        let both = Self {
            min: self.min.max(other.min),
            max: self.max.min(other.max),
        };
        (both.min <= both.max).then_some(both)
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

/// Who sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// One API: both of its messages and the structs they share.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) about: String,
    pub(crate) name: String,
    pub(crate) key: i16,
    pub(crate) versions: Versions,
    pub(crate) flexible: Option<Versions>,
    pub(crate) messages: Vec<Message>,
    pub(crate) structs: Vec<Struct>,
}

/// A message, or the old form of one.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) direction: Direction,
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
}

/// A struct that several fields share.
#[derive(Clone, Debug)]
pub(crate) struct Struct {
    pub(crate) about: String,
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

/// A field; `fields` is not empty where it also defines the struct it holds.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) about: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    pub(crate) default: Option<String>,
    pub(crate) ignorable: bool,
    pub(crate) tag: Option<u32>,
    pub(crate) secret: bool,
    pub(crate) fields: Vec<Self>,
}

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    ErrorCode,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Self>),
}

impl Kind {
    /// The struct's name in a struct or an array of structs.
    pub(crate) fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

/// A line that cannot be read.
#[derive(Debug)]
pub(crate) struct NotationError {
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl fmt::Display for NotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for NotationError {}

impl Api {
    /// Reads one file.
    pub(crate) fn parse(text: &str) -> Result<Self, NotationError> {
        let mut lines = Lines::new(text);
        let about = lines.take_about();
        let name = lines.keyword("api")?;
        let key = lines.number("key")?;
        let versions = lines.versions("versions")?;
        let versions = versions.ok_or_else(|| lines.error("an API needs versions"))?;
        let flexible = lines
            .versions("flexible")?
            .and_then(|flexible| flexible.intersection(versions));
        let mut api = Self {
            about,
            name,
            key,
            versions,
            flexible,
            messages: Vec::new(),
            structs: Vec::new(),
        };
        while !lines.is_at_end() {
            api.parse_section(&mut lines)?;
        }
        Ok(api)
    }

    fn parse_section(&mut self, lines: &mut Lines<'_>) -> Result<(), NotationError> {
        let about = lines.take_about();
        let Some(line) = lines.next_at(0) else {
            return Err(lines.error("expected `request`, `response` or `struct`"));
        };
        let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
        let direction = match keyword {
            "request" => Direction::Request,
            "response" => Direction::Response,
            "struct" => {
                let fields = parse_fields(lines, 2, self.versions)?;
                let name = rest.to_owned();
                self.structs.push(Struct {
                    about,
                    name,
                    fields,
                });
                return Ok(());
            }
            _ => return Err(lines.error("expected `request`, `response` or `struct`")),
        };
        let versions = match parse_versions(rest) {
            Some(range) => range.intersection(self.versions),
            None if rest.is_empty() => Some(self.versions),
            None => None,
        };
        let versions = versions.ok_or_else(|| lines.error("not a range of versions"))?;
        let fields = parse_fields(lines, 2, versions)?;
        self.messages.push(Message {
            direction,
            versions,
            fields,
        });
        Ok(())
    }

    /// The messages of one direction, oldest form first; the last is what users see.
    pub(crate) fn forms(&self, direction: Direction) -> impl Iterator<Item = &Message> {
        self.messages
            .iter()
            .filter(move |message| message.direction == direction)
    }

    /// Whether this version's messages have compact lengths and tagged fields.
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        self.flexible
            .is_some_and(|flexible| flexible.contains(version))
    }

    /// The fields of the struct that a field holds.
    pub(crate) fn fields_of<'a>(&'a self, field: &'a Field) -> &'a [Field] {
        let shared = field
            .kind
            .struct_name()
            .and_then(|name| self.structs.iter().find(|shared| shared.name == name));
        match shared {
            Some(shared) if field.fields.is_empty() => &shared.fields,
            _ => &field.fields,
        }
    }
}

fn parse_fields(
    lines: &mut Lines<'_>,
    indent: usize,
    versions: Versions,
) -> Result<Vec<Field>, NotationError> {
    let mut fields = Vec::new();
    loop {
        let about = lines.take_about_at(indent);
        let Some(line) = lines.next_at(indent) else {
            return if about.is_empty() {
                Ok(fields)
            } else {
                Err(lines.error("a comment that no field follows"))
            };
        };
        let mut field = parse_field(line, versions).map_err(|problem| lines.error(&problem))?;
        field.about = about;
        if field.kind.struct_name().is_some() {
            field.fields = parse_fields(lines, indent + 2, field.versions)?;
        }
        fields.push(field);
    }
}

fn parse_field(line: &str, outer: Versions) -> Result<Field, String> {
    let (name, rest) = line.split_once(": ").ok_or("expected `Name: type`")?;
    let mut words = rest.split(' ').peekable();
    let kind = parse_kind(words.next().unwrap_or_default())?;
    let inside = |range: Versions, outer: Versions| {
        let inside = range.intersection(outer);
        inside.ok_or_else(|| format!("{name}: versions outside of what it stands in"))
    };
    let mut field = Field {
        about: String::new(),
        name: name.to_owned(),
        kind,
        versions: outer,
        nullable: None,
        default: None,
        ignorable: false,
        tag: None,
        secret: false,
        fields: Vec::new(),
    };
    if let Some(range) = words.peek().and_then(|word| parse_versions(word)) {
        words.next();
        field.versions = inside(range, outer)?;
    }
    while let Some(word) = words.next() {
        match word {
            "nullable" => {
                let range = words.peek().and_then(|word| parse_versions(word));
                if range.is_some() {
                    words.next();
                }
                field.nullable = Some(inside(range.unwrap_or(field.versions), field.versions)?);
            }
            "=" => field.default = words.next().map(str::to_owned),
            "ignorable" => field.ignorable = true,
            "secret" => field.secret = true,
            "tag" => field.tag = words.next().and_then(|tag| tag.parse().ok()),
            other => return Err(format!("unknown word `{other}`")),
        }
    }
    Ok(field)
}

fn parse_kind(word: &str) -> Result<Kind, String> {
    if let Some(element) = word.strip_prefix("[]") {
        return Ok(Kind::Array(Box::new(parse_kind(element)?)));
    }
    Ok(match word {
        "bool" => Kind::Bool,
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "error_code" => Kind::ErrorCode,
        "uuid" => Kind::Uuid,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "records" => Kind::Records,
        name if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
            Kind::Struct(name.to_owned())
        }
        other => return Err(format!("unknown type `{other}`")),
    })
}

/// Reads `3`, `3+` or `3-7`.
pub(crate) fn parse_versions(word: &str) -> Option<Versions> {
    let (min, max) = match (word.strip_suffix('+'), word.split_once('-')) {
        (Some(min), _) => (min.parse().ok()?, i16::MAX),
        (None, Some((min, max))) => (min.parse().ok()?, max.parse().ok()?),
        (None, None) => (word.parse().ok()?, word.parse().ok()?),
    };
    Some(Versions { min, max })
}

/// The lines of a file, without blank ones, each with its indentation.
struct Lines<'a> {
    lines: std::iter::Peekable<std::vec::IntoIter<(usize, &'a str)>>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(index, line)| (index + 1, line))
            .collect();
        Self {
            lines: lines.into_iter().peekable(),
            number: 0,
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.lines.peek().is_none()
    }

    fn error(&self, problem: &str) -> NotationError {
        NotationError {
            line: self.number,
            problem: problem.to_owned(),
        }
    }

    /// The next line, if it is indented by exactly this much and is no comment.
    fn next_at(&mut self, indent: usize) -> Option<&'a str> {
        let (number, line) = *self.lines.peek()?;
        let text = line.trim_start();
        if line.len() - text.len() != indent || text.starts_with('#') {
            return None;
        }
        self.number = number;
        self.lines.next();
        Some(text.trim_end())
    }

    fn take_about(&mut self) -> String {
        self.take_about_at(0)
    }

    /// The comment lines at this indentation, joined.
    fn take_about_at(&mut self, indent: usize) -> String {
        let mut about = String::new();
        while let Some((number, line)) = self.lines.peek().copied() {
            let text = line.trim_start();
            let Some(comment) = text.strip_prefix('#') else {
                break;
            };
            if line.len() - text.len() != indent {
                break;
            }
            if !about.is_empty() {
                about.push(' ');
            }
            about.push_str(comment.trim());
            self.number = number;
            self.lines.next();
        }
        about
    }

    fn keyword(&mut self, keyword: &str) -> Result<String, NotationError> {
        let found = self
            .next_at(0)
            .and_then(|line| line.split_once(' '))
            .filter(|(word, _)| *word == keyword);
        match found {
            Some((_, rest)) => Ok(rest.to_owned()),
            None => Err(self.error(&format!("expected `{keyword} …`"))),
        }
    }

    fn number(&mut self, keyword: &str) -> Result<i16, NotationError> {
        let word = self.keyword(keyword)?;
        word.parse().map_err(|_| self.error("expected a number"))
    }

    /// `None` for the word `none`.
    fn versions(&mut self, keyword: &str) -> Result<Option<Versions>, NotationError> {
        let word = self.keyword(keyword)?;
        match parse_versions(&word) {
            None if word == "none" => Ok(None),
            None => Err(self.error("expected versions such as `0-4` or `2+`")),
            found => Ok(found),
        }
    }
}
