//! The zig-zag varints of records: at most 5 bytes for 32 bits, at most 10 for 64.
//!
//! Nearly every varint of a record has one or two bytes, so those are decided inline and the rest
//! goes to a cold function. A varint with needless high zero groups is accepted, as Kafka accepts
//! it; bits that do not fit the type are not.

use bytes::BufMut;

/// Splits a 32-bit varint off the front; `None` when it is cut short or does not fit.
#[inline(always)]
pub(super) fn varint(input: &[u8]) -> Option<(i32, &[u8])> {
    match input {
        [first, rest @ ..] if *first < 0x80 => Some((zigzag_32(u32::from(*first)), rest)),
        [first, second, rest @ ..] if *second < 0x80 => {
            let raw = u32::from(*first & 0x7f) | u32::from(*second) << 7;
            Some((zigzag_32(raw), rest))
        }
        _ => long_varint(input),
    }
}

/// Splits a 64-bit varint off the front; `None` when it is cut short or does not fit.
#[inline(always)]
pub(super) fn varlong(input: &[u8]) -> Option<(i64, &[u8])> {
    match input {
        [first, rest @ ..] if *first < 0x80 => Some((zigzag_64(u64::from(*first)), rest)),
        [first, second, rest @ ..] if *second < 0x80 => {
            let raw = u64::from(*first & 0x7f) | u64::from(*second) << 7;
            Some((zigzag_64(raw), rest))
        }
        _ => long_varlong(input),
    }
}

/// Splits off a byte string with a varint length before it, where −1 stands for null.
#[inline(always)]
pub(super) fn nullable_bytes(input: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = varint(input)?;
    match usize::try_from(length) {
        Ok(length) => {
            let (bytes, rest) = rest.split_at_checked(length)?;
            Some((Some(bytes), rest))
        }
        Err(_) if length == -1 => Some((None, rest)),
        Err(_) => None,
    }
}

/// Appends a 32-bit varint.
pub(super) fn put_varint(out: &mut impl BufMut, value: i32) {
    put_varlong(out, i64::from(value));
}

/// Appends a 64-bit varint.
pub(super) fn put_varlong(out: &mut impl BufMut, value: i64) {
    let mut raw = (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned();
    while let [low, ..] = raw.to_le_bytes()
        && raw >= 0x80
    {
        out.put_u8(low | 0x80);
        raw >>= 7;
    }
    let [low, ..] = raw.to_le_bytes();
    out.put_u8(low);
}

/// How many bytes [`put_varlong`] writes for a value.
pub(super) fn varlong_length(value: i64) -> usize {
    let raw = (value << 1).cast_unsigned() ^ (value >> 63).cast_unsigned();
    match raw.checked_ilog2() {
        Some(bits) => 1 + usize::try_from(bits / 7).unwrap_or_default(),
        None => 1,
    }
}

#[inline(always)]
fn zigzag_32(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
}

#[inline(always)]
fn zigzag_64(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
}

#[cold]
#[inline(never)]
fn long_varint(input: &[u8]) -> Option<(i32, &[u8])> {
    let mut raw = 0u32;
    for (index, byte) in input.iter().enumerate().take(5) {
        if index == 4 && *byte > 0x0f {
            return None;
        }
        raw |= u32::from(*byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((zigzag_32(raw), input.get(index + 1..)?));
        }
    }
    None
}

#[cold]
#[inline(never)]
fn long_varlong(input: &[u8]) -> Option<(i64, &[u8])> {
    let mut raw = 0u64;
    for (index, byte) in input.iter().enumerate().take(10) {
        if index == 9 && *byte > 0x01 {
            return None;
        }
        raw |= u64::from(*byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return Some((zigzag_64(raw), input.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varlong(&mut out, value);
        out
    }

    #[test]
    fn golden_bytes() {
        let golden: [(i64, &[u8]); 9] = [
            (0, &[0x00]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (300, &[0xd8, 0x04]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ];
        for (value, bytes) in golden {
            assert_eq!(encoded(value), bytes, "{value}");
            let expected = (i32::try_from(value).unwrap(), &[][..]);
            assert_eq!(varint(bytes), Some(expected));
        }
        let smallest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(encoded(i64::MIN), smallest);
    }

    #[test]
    fn overlong_and_cut_varints_are_refused() {
        assert_eq!(varint(&[]), None);
        assert_eq!(varint(&[0x80]), None);
        assert_eq!(varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]), None);
        assert_eq!(varlong(&[0x80; 11]), None);
        let mut beyond = [0xff; 10];
        beyond[9] = 0x02;
        assert_eq!(varlong(&beyond), None);
    }

    #[test]
    fn lengths_below_null_are_refused() {
        assert_eq!(nullable_bytes(&[0x01, 9]), Some((None, &[9][..])));
        assert_eq!(nullable_bytes(&[0x03, 9]), None);
        assert_eq!(nullable_bytes(&[0x04, 9]), None);
        assert_eq!(nullable_bytes(&[0x02, 9]), Some((Some(&[9][..]), &[][..])));
    }

    proptest! {
        #[test]
        fn varints_come_back(value: i32, tail: Vec<u8>) {
            let mut bytes = encoded(i64::from(value));
            prop_assert_eq!(bytes.len(), varlong_length(i64::from(value)));
            bytes.extend_from_slice(&tail);
            prop_assert_eq!(varint(&bytes), Some((value, &tail[..])));
        }

        #[test]
        fn varlongs_come_back(value: i64, tail: Vec<u8>) {
            let mut bytes = encoded(value);
            prop_assert_eq!(bytes.len(), varlong_length(value));
            bytes.extend_from_slice(&tail);
            prop_assert_eq!(varlong(&bytes), Some((value, &tail[..])));
        }

        #[test]
        fn any_bytes_are_safe(bytes: Vec<u8>) {
            let _ = varint(&bytes);
            let _ = varlong(&bytes);
            let _ = nullable_bytes(&bytes);
        }
    }
}
