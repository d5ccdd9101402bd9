//! What each fuzz target does with its input. The same functions replay the committed corpora in an
//! ordinary test of `windlass-protocol`, which takes this file in by its path.
//!
//! None may panic, whatever the input; assertions say what else must hold.

use bytes::{BufMut, Bytes, BytesMut};
use windlass_protocol::consumer_protocol::{Assignment, Subscription};
use windlass_protocol::fetch_response::{
    FetchPart, FetchReaderOptions, FetchResponseReader, ReadProgress,
};
use windlass_protocol::records::{BatchError, RecordBatch, RecordBatchBuilder};
use windlass_protocol::{
    ApiKey, DecodeError, LENGTH_SIZE, ResponseHeader, ResponseKind, frame_length,
};

/// What a batch may unpack to here.
const LIMIT: usize = 1 << 20;

/// A frame as it comes off a connection: API and version (one byte each), the length, and what it
/// holds, read as a response and, by a broker, as a request.
pub fn frame(data: &[u8]) {
    let Some((api_key, version, data)) = api_and_version(data) else {
        return;
    };
    let Some((prefix, rest)) = data.split_first_chunk::<LENGTH_SIZE>() else {
        return;
    };
    let Ok(length) = frame_length(*prefix, LIMIT) else {
        return;
    };
    let frame = rest.get(..length).unwrap_or(rest);
    if let Ok((_, body)) = ResponseHeader::decode(api_key, version, frame) {
        drop(ResponseKind::decode(api_key, version, body));
    }
    #[cfg(feature = "broker")]
    request(frame);
}

#[cfg(feature = "broker")]
fn request(frame: &[u8]) {
    use windlass_protocol::{RequestHeader, RequestKind};

    let Ok((header, body)) = RequestHeader::decode(frame) else {
        return;
    };
    let Some(api_key) = ApiKey::from_wire(header.api_key) else {
        return;
    };
    let version = header.api_version;
    if let Ok(request) = RequestKind::decode(api_key, version, body) {
        let mut out = BytesMut::new();
        if request.encode(version, &mut out).is_ok() {
            assert_eq!(RequestKind::decode(api_key, version, &out), Ok(request));
        }
    }
}

/// The body of a response: API and version (one byte each), body. What is understood is written
/// again and must be understood in the same way.
pub fn response(data: &[u8]) {
    let Some((api_key, version, body)) = api_and_version(data) else {
        return;
    };
    let decoded = ResponseKind::decode(api_key, version, body);
    #[cfg(feature = "broker")]
    if let Ok(response) = decoded {
        let mut out = BytesMut::new();
        if response.encode(version, &mut out).is_ok() {
            assert_eq!(ResponseKind::decode(api_key, version, &out), Ok(response));
        }
    }
    #[cfg(not(feature = "broker"))]
    drop(decoded);
}

fn api_and_version(data: &[u8]) -> Option<(ApiKey, i16, &[u8])> {
    let ([api_key, version], rest) = data.split_first_chunk()?;
    Some((
        ApiKey::from_wire(i16::from(*api_key))?,
        i16::from(*version),
        rest,
    ))
}

/// A record batch: a byte that says in which form the rest is to be taken.
///
/// With its highest bit set the rest is the whole batch. Otherwise it is a compressed body, the
/// lowest three bits are the codec, and the four bits above them the number of records.
pub fn record_batch(data: &[u8]) {
    let Some((form, rest)) = data.split_first() else {
        return;
    };
    if form & 0x80 == 0 {
        walk(batch_around(rest, form & 0x07, form >> 3));
    } else {
        walk(Bytes::copy_from_slice(rest));
    }
}

/// Puts a sound header before a body.
fn batch_around(body: &[u8], codec: u8, records: u8) -> Bytes {
    let empty = RecordBatchBuilder::new()
        .last_offset_delta(i32::MAX - 1)
        .build();
    let header = empty
        .map(|batch| batch.bytes().to_vec())
        .unwrap_or_default();
    let mut batch = BytesMut::new();
    batch.put_slice(header.get(..8).unwrap_or_default());
    batch.put_u32(u32::try_from(body.len() + 49).unwrap_or_default());
    batch.put_slice(header.get(12..21).unwrap_or_default());
    batch.put_u16(u16::from(codec));
    batch.put_slice(header.get(23..57).unwrap_or_default());
    batch.put_u32(u32::from(records));
    batch.put_slice(body);
    batch.freeze()
}

fn walk(bytes: Bytes) {
    let Ok(batch) = RecordBatch::parse(bytes) else {
        return;
    };
    let _ = batch.verify_checksum();
    let Ok(decoded) = batch.decompressed(LIMIT) else {
        return;
    };
    let packed = batch.bytes().len();
    assert!(decoded.body().len() <= LIMIT.max(packed));
    let _ = decoded.control_record();
    let mut previous = batch.base_offset() - 1;
    let mut failed = false;
    let mut read = 0;
    for record in &decoded {
        assert!(!failed, "records after an error");
        match record {
            Ok(record) => {
                read += 1;
                assert!(record.offset > previous && record.offset <= batch.last_offset());
                previous = record.offset;
                for header in record.headers {
                    let _ = header.map(|header| header.key_text().is_ok());
                }
            }
            Err(_) => failed = true,
        }
    }
    assert!(
        failed || read == batch.header().record_count,
        "records lost in silence"
    );
    if !failed {
        let later = decoded.records_from(previous).count();
        assert_eq!(
            later,
            usize::from(read > 0 && previous >= batch.base_offset())
        );
    }
    for middle in [previous, batch.base_offset() + i64::from(read) / 2] {
        let mut first = decoded.records().ending_before(middle);
        let before = first.by_ref().flatten().inspect(|record| {
            assert!(record.offset < middle, "a record behind the end");
        });
        let before = before.count();
        let behind = decoded.records().resumed_at(first.bookmark());
        assert_eq!(
            i32::try_from(before + behind.flatten().count()),
            Ok(read),
            "the parts are not the whole"
        );
    }
}

/// A Fetch response that arrives in pieces: version, length of the pieces (one byte each), body.
/// However it is divided, it must read the same.
pub fn fetch_reader(data: &[u8]) {
    let Some(([version, piece], body)) = data.split_first_chunk() else {
        return;
    };
    let version = 4 + i16::from(*version) % 15;
    let whole = read_in_pieces(version, body, body.len());
    assert_eq!(read_in_pieces(version, body, usize::from(*piece)), whole);
    let (parts, end) = whole;
    let ended = parts
        .iter()
        .any(|part| matches!(part, FetchPart::End { .. }));
    assert_eq!(ended, end.is_ok());
    for part in parts {
        match part {
            FetchPart::Batch(batch) => walk(batch.bytes().clone()),
            FetchPart::CorruptBatch { error, .. } => {
                assert!(!matches!(error, BatchError::Truncated { .. }));
            }
            _ => {}
        }
    }
}

fn read_in_pieces(
    version: i16,
    body: &[u8],
    piece: usize,
) -> (Vec<FetchPart>, Result<(), DecodeError>) {
    let mut reader = FetchResponseReader::new(version, body.len(), FetchReaderOptions::default());
    let mut parts = Vec::new();
    let mut buffer = BytesMut::new();
    let mut rest = body;
    loop {
        match reader.advance(&mut buffer, &mut |part| parts.push(part)) {
            Ok(ReadProgress::Done) => return (parts, Ok(())),
            Err(error) => return (parts, Err(error)),
            Ok(ReadProgress::Need(bytes)) => {
                assert!(
                    bytes > 0 && bytes <= rest.len(),
                    "waits for what never comes"
                );
                let (now, later) = rest.split_at(piece.clamp(1, rest.len()));
                buffer.extend_from_slice(now);
                rest = later;
            }
        }
    }
}

/// What another member of the group wrote: a subscription or an assignment.
pub fn consumer_protocol(data: &[u8]) {
    if let Ok(subscription) = Subscription::decode(data)
        && let Ok(bytes) = subscription.encode(3)
    {
        assert_eq!(Subscription::decode(&bytes), Ok(subscription));
    }
    if let Ok(assignment) = Assignment::decode(data)
        && let Ok(bytes) = assignment.encode(3)
    {
        assert_eq!(Assignment::decode(&bytes), Ok(assignment));
    }
}
