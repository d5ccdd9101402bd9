//! What the parts of one batch share when it is handed out in several.

use std::sync::{Arc, OnceLock};

use windlass_protocol::records::{BatchError, Bookmark, DecodedBatch, RecordBatch, Records};

/// What a batch may unpack to, in bytes: more is taken for an attack.
pub(crate) const LARGEST_BATCH: usize = 256 * 1024 * 1024;

/// The share of one part. Whoever needs the batch unpacked first does it for all, and whoever walks
/// a part to its end leaves a bookmark there for those who walk the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedBatch {
    decoding: Arc<OnceLock<Result<DecodedBatch, BatchError>>>,
    begin: Arc<OnceLock<Bookmark>>,
    end: Arc<OnceLock<Bookmark>>,
}

impl SharedBatch {
    /// The share of the part behind this one.
    pub(crate) fn next(&self) -> Self {
        Self {
            decoding: Arc::clone(&self.decoding),
            begin: Arc::clone(&self.end),
            end: Arc::default(),
        }
    }

    /// Lets go of the unpacked batch, unless somebody still has a part of it: whoever needs it next
    /// unpacks it once more. What is known of the parts stays.
    pub(crate) fn pack(&mut self) {
        self.decoding = Arc::default();
    }

    /// The batch unpacked; `batch` has to be the one that is shared.
    pub(crate) fn decode(&self, batch: &RecordBatch) -> &Result<DecodedBatch, BatchError> {
        self.decoding
            .get_or_init(|| batch.decompressed(LARGEST_BATCH))
    }

    /// Walks from the beginning of this part on, or from before it where nobody knows it yet.
    pub(crate) fn records<'a>(&self, decoded: &'a DecodedBatch) -> Records<'a> {
        match self.begin.get() {
            Some(begin) => decoded.records().resumed_at(*begin),
            None => decoded.records(),
        }
    }

    /// The walk over this part ended here.
    pub(crate) fn ends_at(&self, end: Bookmark) {
        // Whoever came first found the same place.
        let _ = self.end.set(end);
    }
}
