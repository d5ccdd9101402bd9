//! Record batches (the format of magic 2): read lazily, written whole.

mod batch_builder;
mod batch_error;
mod batch_header;
mod compression;
mod control_record;
mod record;
mod record_batch;
mod record_header;
#[cfg(test)]
mod tests;
mod varint;

pub use batch_builder::RecordBatchBuilder;
pub use batch_error::{BatchError, RecordFault};
pub use batch_header::{BatchHeader, TimestampType};
pub use compression::Compression;
pub use control_record::{ControlRecord, ControlRecordType};
pub use record::{Bookmark, Record, Records};
pub use record_batch::{DecodedBatch, RecordBatch};
pub use record_header::{Header, Headers, HeadersIter};
