//! Bytes to messages and back, for every API, version and direction.

use std::fs;
use std::path::Path;

use bytes::BytesMut;
use proptest::prelude::*;

use super::notation::{Api, Direction, Message};
use super::wire_sample::{Choices, sample};
use crate::{ApiKey, DecodeError, EncodeError, RequestKind, ResponseKind};

fn apis() -> Vec<Api> {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let mut apis = Vec::new();
    for entry in fs::read_dir(schema).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        apis.push(Api::parse(&text).unwrap());
    }
    assert_eq!(apis.len(), ApiKey::ALL.len());
    apis
}

/// A message of either direction.
#[derive(Debug, PartialEq)]
enum AnyMessage {
    Request(RequestKind),
    Response(ResponseKind),
}

impl AnyMessage {
    fn decode(
        direction: Direction,
        key: ApiKey,
        version: i16,
        body: &[u8],
    ) -> Result<Self, DecodeError> {
        match direction {
            Direction::Request => RequestKind::decode(key, version, body).map(Self::Request),
            Direction::Response => ResponseKind::decode(key, version, body).map(Self::Response),
        }
    }

    fn encode(&self, version: i16) -> Result<BytesMut, EncodeError> {
        let mut out = BytesMut::new();
        match self {
            Self::Request(request) => request.encode(version, &mut out)?,
            Self::Response(response) => response.encode(version, &mut out)?,
        }
        Ok(out)
    }
}

/// Calls `check` for every API, version and direction.
fn for_each_version(apis: &[Api], check: &mut dyn FnMut(&Api, &Message, ApiKey, i16)) -> usize {
    let mut count = 0;
    for api in apis {
        let key = ApiKey::from_wire(api.key).unwrap();
        for form in &api.messages {
            for version in form.versions.min..=form.versions.max {
                check(api, form, key, version);
                count += 1;
            }
        }
    }
    count
}

#[test]
fn every_version_of_every_message_is_there() {
    let apis = apis();
    let count = for_each_version(&apis, &mut |_, _, key, version| {
        assert!(key.versions().contains(version), "{key} {version}");
    });
    let expected: usize = ApiKey::ALL
        .iter()
        .map(|key| key.versions())
        .map(|range| usize::try_from(range.max - range.min + 1).unwrap() * 2)
        .sum();
    assert_eq!(count, expected);
}

#[test]
fn the_smallest_elements_are_not_too_small() {
    for elements in [1, 2, 9] {
        for_each_version(&apis(), &mut |api, form, key, version| {
            let body = sample(api, form, version, &mut Choices::smallest(elements));
            let message = AnyMessage::decode(form.direction, key, version, &body)
                .unwrap_or_else(|error| panic!("{key} {version}: {error}\n{body:02x?}"));
            assert_eq!(message.encode(version).unwrap(), body, "{key} {version}");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes_come_back(choices in proptest::collection::vec(any::<u8>(), 0..600)) {
        let apis = apis();
        for_each_version(&apis, &mut |api, form, key, version| {
            let body = sample(api, form, version, &mut Choices::new(&choices));
            let message = AnyMessage::decode(form.direction, key, version, &body)
                .unwrap_or_else(|error| panic!("{key} {version}: {error}\n{body:02x?}"));
            let written = message.encode(version).unwrap();
            assert_eq!(written, body, "{key} {version} {message:?}");
        });
    }

    #[test]
    fn what_is_cut_short_is_refused(choices in proptest::collection::vec(any::<u8>(), 0..200)) {
        let apis = apis();
        for_each_version(&apis, &mut |api, form, key, version| {
            let body = sample(api, form, version, &mut Choices::new(&choices));
            for cut in 0..body.len() {
                let error = AnyMessage::decode(form.direction, key, version, &body[..cut]);
                let error = error.unwrap_err();
                assert!(error.offset <= cut, "{key} {version}: {error}");
            }
        });
    }

    #[test]
    fn damaged_bytes_never_panic(
        choices in proptest::collection::vec(any::<u8>(), 0..200),
        position: usize,
        damage in 1u8..,
    ) {
        let apis = apis();
        for_each_version(&apis, &mut |api, form, key, version| {
            let mut body = sample(api, form, version, &mut Choices::new(&choices));
            if body.is_empty() {
                return;
            }
            let place = position % body.len();
            body[place] ^= damage;
            if let Ok(message) = AnyMessage::decode(form.direction, key, version, &body) {
                let written = message.encode(version).unwrap();
                let again = AnyMessage::decode(form.direction, key, version, &written);
                assert_eq!(again.unwrap(), message);
            }
        });
    }

    #[test]
    fn any_bytes_never_panic(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        version in -1i16..20,
    ) {
        for key in ApiKey::ALL {
            drop(RequestKind::decode(*key, version, &body));
            drop(ResponseKind::decode(*key, version, &body));
        }
    }
}
