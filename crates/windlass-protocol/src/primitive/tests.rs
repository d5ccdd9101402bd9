//! Golden bytes and refusals of the primitive values.

use bytes::BytesMut;
use nom::Parser as _;
use proptest::prelude::*;

use super::Layout;
use super::read::{self, Parsed};
use super::write;
use crate::DecodeErrorKind;
use crate::decode_error::finish;

fn kind<T>(input: &[u8], parsed: Parsed<'_, T>) -> DecodeErrorKind {
    match finish("Test", input, parsed) {
        Ok(_) => panic!("{input:?} was accepted"),
        Err(error) => error.kind,
    }
}

fn string_kind(layout: Layout, input: &[u8]) -> DecodeErrorKind {
    kind(input, read::string(layout).parse(input))
}

fn array_kind(layout: Layout, element_size: usize, input: &[u8]) -> DecodeErrorKind {
    let mut elements_read = 0;
    let element = |input| {
        elements_read += 1;
        read::int8(input)
    };
    let kind = kind(
        input,
        read::array(layout, element_size, element).parse(input),
    );
    assert_eq!(elements_read, 0, "refused before the first element");
    kind
}

#[test]
fn unsigned_varints() {
    let golden: [(u32, &[u8]); 6] = [
        (0, &[0]),
        (127, &[0x7f]),
        (128, &[0x80, 0x01]),
        (300, &[0xac, 0x02]),
        (16_384, &[0x80, 0x80, 0x01]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (value, bytes) in golden {
        let mut out = BytesMut::new();
        write::put_unsigned_varint(&mut out, value);
        assert_eq!(out[..], *bytes, "{value}");
        assert_eq!(read::unsigned_varint(bytes), Ok((&[][..], value)));
    }
}

#[test]
fn overlong_and_cut_varints_are_refused() {
    let refusals: [(&[u8], DecodeErrorKind); 5] = [
        (&[], DecodeErrorKind::Truncated),
        (&[0x80], DecodeErrorKind::Truncated),
        (&[0x80, 0x80, 0x80, 0x80], DecodeErrorKind::Truncated),
        (
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            DecodeErrorKind::InvalidVarint,
        ),
        (
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0],
            DecodeErrorKind::InvalidVarint,
        ),
    ];
    for (input, expected) in refusals {
        assert_eq!(
            kind(input, read::unsigned_varint(input)),
            expected,
            "{input:?}"
        );
    }
}

#[test]
fn texts_in_both_layouts() {
    let golden: [(Layout, Option<&str>, &[u8]); 6] = [
        (Layout::Plain, None, &[0xff, 0xff]),
        (Layout::Plain, Some(""), &[0, 0]),
        (Layout::Plain, Some("hé"), &[0, 3, b'h', 0xc3, 0xa9]),
        (Layout::Flexible, None, &[0]),
        (Layout::Flexible, Some(""), &[1]),
        (Layout::Flexible, Some("hé"), &[4, b'h', 0xc3, 0xa9]),
    ];
    for (layout, value, bytes) in golden {
        let mut out = BytesMut::new();
        write::put_nullable_string(&mut out, layout, value).unwrap();
        assert_eq!(out[..], *bytes, "{layout:?} {value:?}");
        let (rest, parsed) = read::nullable_string(layout).parse(bytes).unwrap();
        assert_eq!((rest.len(), parsed.as_deref()), (0, value));
    }
}

#[test]
fn malformed_texts_are_refused() {
    let beyond = DecodeErrorKind::LengthBeyondEnd {
        length: 5,
        available: 1,
    };
    assert_eq!(string_kind(Layout::Plain, &[0, 5, b'a']), beyond);
    assert_eq!(string_kind(Layout::Flexible, &[6, b'a']), beyond);
    assert_eq!(
        string_kind(Layout::Plain, &[0xff, 0xfe]),
        DecodeErrorKind::NegativeLength { length: -2 }
    );
    assert_eq!(
        string_kind(Layout::Plain, &[0xff, 0xff]),
        DecodeErrorKind::UnexpectedNull
    );
    assert_eq!(
        string_kind(Layout::Flexible, &[0]),
        DecodeErrorKind::UnexpectedNull
    );
    assert_eq!(
        string_kind(Layout::Plain, &[0, 1, 0xff]),
        DecodeErrorKind::InvalidUtf8
    );
    assert_eq!(string_kind(Layout::Plain, &[0]), DecodeErrorKind::Truncated);
}

#[test]
fn byte_strings_in_both_layouts() {
    for (layout, bytes) in [
        (Layout::Plain, &[0, 0, 0, 2, 8, 9][..]),
        (Layout::Flexible, &[3, 8, 9][..]),
    ] {
        let (rest, value) = read::bytes(layout).parse(bytes).unwrap();
        assert_eq!((rest.len(), &value[..]), (0, &[8, 9][..]));
        let mut out = BytesMut::new();
        write::put_bytes(&mut out, layout, &value).unwrap();
        assert_eq!(out[..], *bytes);
    }
    let input = [0x7f, 0xff, 0xff, 0xff, 1];
    assert!(matches!(
        kind(&input, read::bytes(Layout::Plain).parse(&input)),
        DecodeErrorKind::LengthBeyondEnd { available: 1, .. }
    ));
}

#[test]
fn a_count_that_cannot_be_true_is_refused_before_room_is_made() {
    // Eight bytes that claim two thousand million elements.
    let hostile = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(
        array_kind(Layout::Plain, 1, &hostile),
        DecodeErrorKind::CountBeyondEnd {
            count: 0x7fff_ffff,
            element_size: 1,
            available: 4,
        }
    );
    let hostile = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert!(matches!(
        array_kind(Layout::Flexible, 1, &hostile),
        DecodeErrorKind::CountBeyondEnd { available: 1, .. }
    ));
    // Three elements of at least two bytes do not fit in five; of one byte they do.
    let three = [0, 0, 0, 3, 1, 2, 3, 4, 5];
    assert!(matches!(
        array_kind(Layout::Plain, 2, &three),
        DecodeErrorKind::CountBeyondEnd { count: 3, .. }
    ));
    let (rest, elements) = read::array(Layout::Plain, 1, read::int8)
        .parse(&three[..])
        .unwrap();
    assert_eq!((rest, elements), (&[4, 5][..], vec![1, 2, 3]));
    assert_eq!(
        array_kind(Layout::Plain, 1, &[0xff, 0xff, 0xff, 0xfe]),
        DecodeErrorKind::NegativeLength { length: -2 }
    );
    assert_eq!(
        array_kind(Layout::Plain, 1, &[0xff; 4]),
        DecodeErrorKind::UnexpectedNull
    );
}

#[test]
fn an_array_makes_room_for_no_more_than_it_reads() {
    // A true count of a million: room is made as elements come, so the vector ends no larger than
    // twice what it holds, and an element that fails at once costs one small allocation.
    let mut input = vec![0, 0x0f, 0x42, 0x40];
    input.resize(4 + 1_000_000, 7);
    let (_, elements) = read::array(Layout::Plain, 1, read::int8)
        .parse(&input[..])
        .unwrap();
    assert_eq!(elements.len(), 1_000_000);
    assert!(elements.capacity() <= 2 * elements.len());
    let small = [0, 0, 0, 2, 7, 7];
    let (_, elements) = read::array(Layout::Plain, 1, read::int8)
        .parse(&small[..])
        .unwrap();
    assert_eq!(elements.capacity(), 2);
}

#[test]
fn tagged_fields_are_bounded() {
    let read = |input: &[u8]| match read::skip_tagged_fields(Layout::Flexible, input) {
        Ok(rest) => Ok(rest.len()),
        Err(error) => Err(kind(input, Parsed::<()>::Err(error))),
    };
    assert_eq!(read(&[0, 9]), Ok(1));
    assert_eq!(read(&[2, 5, 1, 0xaa, 9, 0, 7]), Ok(1));
    assert_eq!(
        read(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]),
        Err(DecodeErrorKind::CountBeyondEnd {
            count: 0xffff_ffff,
            element_size: 2,
            available: 2,
        })
    );
    assert_eq!(
        read(&[1, 5, 2, 0]),
        Err(DecodeErrorKind::LengthBeyondEnd {
            length: 2,
            available: 1,
        })
    );
    assert_eq!(
        read::skip_tagged_fields(Layout::Plain, &[1, 5, 3])
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn any_byte_but_zero_is_true() {
    for (byte, expected) in [(0, false), (1, true), (2, true), (0xff, true)] {
        assert_eq!(read::boolean(&[byte]), Ok((&[][..], expected)));
    }
}

proptest! {
    #[test]
    fn texts_come_back(text: String, flexible: bool) {
        let layout = if flexible { Layout::Flexible } else { Layout::Plain };
        let mut out = BytesMut::new();
        write::put_string(&mut out, layout, &text).unwrap();
        let (rest, parsed) = read::string(layout).parse(&out[..]).unwrap();
        prop_assert_eq!((rest.len(), parsed), (0, text));
    }

    #[test]
    fn varints_come_back(value: u32, tail: Vec<u8>) {
        let mut out = BytesMut::new();
        write::put_unsigned_varint(&mut out, value);
        out.extend_from_slice(&tail);
        prop_assert_eq!(read::unsigned_varint(&out), Ok((&tail[..], value)));
    }
}
