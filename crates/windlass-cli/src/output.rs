//! Writing to standard output, also when nobody reads it any more.

use std::io::{self, Write};

use crate::failure::Failure;

/// A line of output. Fails when the reader is gone, so that `windlass … | head` ends quietly.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(|error| closed(&error))
}

/// Bytes of output, as they are.
pub(crate) fn bytes(out: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    out.write_all(bytes).map_err(|error| closed(&error))
}

pub(crate) fn closed(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Failure::unread();
    }
    Failure::new(format!("standard output: {error}"))
}

/// Bytes as text for a terminal: what is no printable text becomes an escape, so that a record can
/// never steer the terminal it is shown on.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() && character != '\t' {
                text.extend(character.escape_unicode());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// A table with a header line and columns as wide as they need to be.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let format = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    line(&format(header.to_vec()))?;
    for row in rows {
        line(&format(row.iter().map(String::as_str).collect()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_would_steer_a_terminal() {
        assert_eq!(printable(b"plain\ttext"), "plain\ttext");
        assert_eq!(printable(b"\x1b[31m"), "\\u{1b}[31m");
        assert_eq!(printable(b"a\xffb"), "a\\xffb");
    }
}
