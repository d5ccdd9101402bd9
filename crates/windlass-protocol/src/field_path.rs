//! Where in a message something went wrong: `topics[3].partitions[0].records`.

use std::fmt;

/// The way from the top of a message down to one field.
///
/// Field names are those of this crate's structs. An error finds out about them from the inside
/// to the outside, so that is the order they are kept in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath {
    inner_to_outer: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Field(&'static str),
    Element(usize),
}

impl FieldPath {
    /// The path of the message itself.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inner_to_outer: Vec::new(),
        }
    }

    /// Whether it is the message itself that is meant, not a field of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner_to_outer.is_empty()
    }

    /// Notes that the path so far lies inside this field.
    pub(crate) fn enter_field(&mut self, name: &'static str) {
        self.inner_to_outer.push(Step::Field(name));
    }

    /// Notes that the path so far lies inside this element of an array.
    pub(crate) fn enter_element(&mut self, index: usize) {
        self.inner_to_outer.push(Step::Element(index));
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.inner_to_outer.iter().rev().enumerate() {
            match step {
                Step::Field(name) if position == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_outside_to_the_inside() {
        let mut path = FieldPath::new();
        assert!(path.is_empty());
        path.enter_field("records");
        path.enter_element(0);
        path.enter_field("partitions");
        path.enter_element(3);
        path.enter_field("topics");
        assert_eq!(path.to_string(), "topics[3].partitions[0].records");
        assert!(!path.is_empty());
    }
}
