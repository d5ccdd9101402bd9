//! Replays the committed corpora of the fuzz targets, so that what a fuzzer once found is tried on
//! every run, without one.

#![cfg(all(
    feature = "gzip",
    feature = "snappy",
    feature = "lz4",
    feature = "zstd"
))]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

#[expect(
    unreachable_pub,
    reason = "the targets are public in the crate they come from"
)]
#[path = "../../../tests/fuzz/src/reader.rs"]
mod targets;

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let mut replayed = 0;
    for entry in fs::read_dir(corpora.join(target)).unwrap() {
        run(&fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "no corpus for {target}");
}

#[test]
fn frame() {
    replay("frame", targets::frame);
}

#[test]
fn response() {
    replay("response", targets::response);
}

#[test]
fn record_batch() {
    replay("record_batch", targets::record_batch);
}

#[test]
fn fetch_reader() {
    replay("fetch_reader", targets::fetch_reader);
}

#[test]
fn consumer_protocol() {
    replay("consumer_protocol", targets::consumer_protocol);
}
