//! The wire's primitive values, read and written.

pub(crate) mod read;
mod tagged_field;
#[cfg(test)]
mod tests;
pub(crate) mod write;

/// How lengths are written, and whether structs end with tagged fields (KIP-482).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Lengths of fixed width (two bytes for text, four otherwise); −1 is null.
    Plain,
    /// Lengths as unsigned varints, one too high; 0 is null. Structs end with tagged fields.
    Flexible,
}

impl Layout {
    /// The layout of a version of an API that is flexible from version `first` on.
    pub(crate) const fn flexible_from(first: i16, version: i16) -> Self {
        if version >= first {
            Self::Flexible
        } else {
            Self::Plain
        }
    }
}
