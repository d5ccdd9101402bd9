//! The length in front of every response, and what it betrays.

use windlass_protocol::{FrameLengthError, LENGTH_SIZE, frame_length};

use crate::error::TransportError;

/// Reads the length of a response, before a byte of it is buffered.
///
/// # Errors
///
/// [`TransportError::NotKafka`] where the bytes are no length at all but the first words of
/// another protocol, [`TransportError::ResponseTooLarge`] where they are a length above the limit.
pub(crate) fn response_length(
    prefix: [u8; LENGTH_SIZE],
    limit: usize,
) -> Result<usize, TransportError> {
    frame_length(prefix, limit).map_err(|error| match (foreign_protocol(prefix), error) {
        (None, FrameLengthError::TooLarge { length, limit }) => {
            TransportError::ResponseTooLarge { length, limit }
        }
        (Some(sign), _) => TransportError::NotKafka { sign },
        (None, error) => TransportError::NotKafka {
            sign: error.to_string(),
        },
    })
}

/// Which other protocol begins with these bytes, in words that say what to do.
fn foreign_protocol(prefix: [u8; 4]) -> Option<String> {
    match prefix {
        [b'H', b'T', b'T', b'P'] => Some("it answered in HTTP".to_owned()),
        [b'S', b'S', b'H', b'-'] => Some("it answered in SSH".to_owned()),
        [0x15 | 0x16, 0x03, _, _] => {
            Some("it answered in TLS, so the listener wants an encrypted connection".to_owned())
        }
        text if text
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b' ') =>
        {
            Some(format!(
                "its answer begins with the text \"{}\"",
                text.escape_ascii()
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_up_to_the_limit_pass() {
        assert_eq!(response_length([0, 0, 0, 4], 100).unwrap(), 4);
        assert_eq!(response_length([0, 0, 0, 100], 100).unwrap(), 100);
        assert!(matches!(
            response_length([0, 0, 0, 101], 100),
            Err(TransportError::ResponseTooLarge {
                length: 101,
                limit: 100
            })
        ));
    }

    #[test]
    fn other_protocols_are_named() {
        for (prefix, sign) in [
            (*b"HTTP", "HTTP"),
            (*b"SSH-", "SSH"),
            ([0x15, 0x03, 0x03, 0x00], "TLS"),
            (*b"220 ", "\"220 \""),
            ([0xff, 0xff, 0xff, 0xff], "-1 bytes"),
            ([0, 0, 0, 0], " 0 bytes"),
        ] {
            let error = response_length(prefix, 100).unwrap_err().to_string();
            assert!(error.contains("does not speak Kafka"), "{error}");
            assert!(error.contains(sign), "{error}");
        }
    }
}
