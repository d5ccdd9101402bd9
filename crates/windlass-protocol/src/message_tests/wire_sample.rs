//! Bytes of a message, made up by walking the notation: an implementation of the wire format that
//! shares nothing with the generated code.

use super::notation::{Api, Field, Kind, Message};

/// Where the made-up values come from; zeros when the bytes are used up, so that samples end.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    bytes: &'a [u8],
    fewest_elements: usize,
}

impl<'a> Choices<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            fewest_elements: 0,
        }
    }

    /// Every value as short as can be, but this many elements in every array.
    pub(crate) const fn smallest(fewest_elements: usize) -> Self {
        Self {
            bytes: &[],
            fewest_elements,
        }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes {
            [first, rest @ ..] => {
                self.bytes = rest;
                *first
            }
            [] => 0,
        }
    }

    /// Zero in half of the cases, else anything.
    fn integer(&mut self, width: usize) -> Vec<u8> {
        if self.byte() & 1 == 0 {
            return vec![0; width];
        }
        (0..width).map(|_| self.byte()).collect()
    }
}

/// The body of a message.
pub(crate) fn sample(
    api: &Api,
    form: &Message,
    version: i16,
    choices: &mut Choices<'_>,
) -> Vec<u8> {
    let walk = Walk {
        api,
        version,
        flexible: api.is_flexible(version),
    };
    let mut out = Vec::new();
    walk.structure(&form.fields, false, choices, &mut out);
    out
}

struct Walk<'a> {
    api: &'a Api,
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    /// `distinct` asks for a struct that differs from its default.
    fn structure(
        &self,
        fields: &[Field],
        distinct: bool,
        choices: &mut Choices<'_>,
        out: &mut Vec<u8>,
    ) {
        let here = |field: &&Field| field.versions.contains(self.version);
        for (index, field) in fields.iter().filter(here).enumerate() {
            if field.tag.is_none() {
                self.value(field, distinct && index == 0, choices, out);
            }
        }
        if !self.flexible {
            return;
        }
        let mut tagged = Vec::new();
        for field in fields.iter().filter(here) {
            if let Some(tag) = field.tag
                && choices.byte() & 1 == 1
            {
                let mut value = Vec::new();
                self.value(field, true, choices, &mut value);
                tagged.push((tag, value));
            }
        }
        tagged.sort();
        put_varint(out, tagged.len());
        for (tag, value) in tagged {
            put_varint(out, usize::try_from(tag).unwrap());
            put_varint(out, value.len());
            out.extend(value);
        }
    }

    fn value(&self, field: &Field, distinct: bool, choices: &mut Choices<'_>, out: &mut Vec<u8>) {
        let nullable = field
            .nullable
            .is_some_and(|range| range.contains(self.version));
        let defaults_to_null = field.default.as_deref() == Some("null");
        let is_null =
            nullable && choices.byte().is_multiple_of(4) && !(distinct && defaults_to_null);
        let shortest = usize::from(distinct);
        match &field.kind {
            Kind::String => self.text(is_null, shortest, choices, out),
            Kind::Bytes | Kind::Records => {
                let bytes: Vec<u8> = (0..shortest + usize::from(choices.byte() % 4))
                    .map(|_| choices.byte())
                    .collect();
                self.length(4, (!is_null).then_some(bytes.len()), out);
                if !is_null {
                    out.extend(bytes);
                }
            }
            Kind::Array(element) => {
                let fewest = choices.fewest_elements.max(shortest);
                let is_null = is_null && choices.fewest_elements == 0;
                let count = (!is_null).then(|| fewest + usize::from(choices.byte() % 3));
                self.length(4, count, out);
                for _ in 0..count.unwrap_or(0) {
                    self.plain(field, element, false, choices, out);
                }
            }
            Kind::Struct(_) if nullable => {
                out.push(if is_null { 0xff } else { 1 });
                if !is_null {
                    self.plain(field, &field.kind, distinct, choices, out);
                }
            }
            kind => self.plain(field, kind, distinct, choices, out),
        }
    }

    fn plain(
        &self,
        field: &Field,
        kind: &Kind,
        distinct: bool,
        choices: &mut Choices<'_>,
        out: &mut Vec<u8>,
    ) {
        let width = match kind {
            Kind::Bool => {
                let default = field.default.as_deref() == Some("true");
                let chosen = choices.byte() & 1 == 1;
                out.push(u8::from(if distinct { !default } else { chosen }));
                return;
            }
            Kind::String => return self.text(false, 0, choices, out),
            Kind::Struct(_) => {
                return self.structure(self.api.fields_of(field), distinct, choices, out);
            }
            Kind::Int8 => 1,
            Kind::Int16 | Kind::ErrorCode => 2,
            Kind::Int32 => 4,
            Kind::Int64 => 8,
            Kind::Uuid => 16,
            Kind::Bytes | Kind::Records | Kind::Array(_) => panic!("no message nests {kind:?}"),
        };
        let mut value = choices.integer(width);
        if distinct {
            // No default begins like this.
            value[0] = 0x5a;
        }
        out.extend(value);
    }

    fn text(&self, is_null: bool, shortest: usize, choices: &mut Choices<'_>, out: &mut Vec<u8>) {
        if is_null {
            return self.length(2, None, out);
        }
        let letters = ['a', 'B', '0', '-', 'ü', '锚', '\0', '🦀'];
        let text: String = (0..shortest + usize::from(choices.byte() % 4))
            .map(|_| letters[usize::from(choices.byte() % 8)])
            .collect();
        self.length(2, Some(text.len()), out);
        out.extend(text.into_bytes());
    }

    fn length(&self, width: usize, length: Option<usize>, out: &mut Vec<u8>) {
        if self.flexible {
            return put_varint(out, length.map_or(0, |length| length + 1));
        }
        let length = length.map_or(-1, |length| i32::try_from(length).unwrap());
        out.extend(&length.to_be_bytes()[4 - width..]);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}
