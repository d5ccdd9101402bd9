//! Old forms of messages, turned into the newest and back.
//!
//! Some APIs began with room for one thing and later got room for many. Users of this crate fill
//! and read only the form for many; here is what the old one makes of it.

mod delete_topics;
mod find_coordinator;
mod leave_group;
mod metadata;
mod offset_fetch;
#[cfg(test)]
mod tests;

use crate::encode_error::{EncodeError, EncodeErrorKind};

/// The only element, where an old form has room for no more and no less.
fn only_one<'a, T>(elements: &'a [T], field: &'static str) -> Result<&'a T, EncodeError> {
    match elements {
        [element] => Ok(element),
        _ => {
            let count = elements.len();
            Err(EncodeError::new(EncodeErrorKind::NotExactlyOne { count }).in_field(field))
        }
    }
}
