//! What the parts of one batch share when it is handed out in several.

use std::sync::{Arc, OnceLock};

use windlass_protocol::records::{
    BatchError, Bookmark, Compression, DecodedBatch, RecordBatch, Records,
};

/// What a batch may unpack to, in bytes: more is taken for an attack.
pub(crate) const LARGEST_BATCH: usize = 256 * 1024 * 1024;

/// What a batch may unpack to where that is done to find out where to cut it, in bytes: it is done by
/// whoever drives the machine, who has heartbeats to send. A larger one is handed out whole.
const LARGEST_TO_CUT: usize = 4 * 1024 * 1024;

/// How many bytes may be unpacked for one hand-out, to find out where to cut.
pub(crate) const UNPACKED_AT_ONCE: usize = 16 * 1024 * 1024;

/// What came of the wish to look into a batch.
pub(crate) enum Inside<'a> {
    /// Here it is.
    Open(&'a DecodedBatch),
    /// It is too large for that, or cannot be unpacked: its reader will find out.
    Closed,
    /// Enough has been unpacked for now.
    Later,
}

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

    /// The share of a part that begins where this one does, wherever it ends.
    pub(crate) fn again(&self) -> Self {
        Self {
            decoding: Arc::clone(&self.decoding),
            begin: Arc::clone(&self.begin),
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

    /// The batch unpacked, if that was done already or can be done within the allowance, which shrinks.
    pub(crate) fn look_inside(&self, batch: &RecordBatch, allowance: &mut usize) -> Inside<'_> {
        if self.decoding.get().is_none() {
            if *allowance == 0 {
                return Inside::Later;
            }
            let Ok(decoded) = batch.decompressed(LARGEST_TO_CUT) else {
                // The work was done all the same.
                *allowance = allowance.saturating_sub(LARGEST_TO_CUT);
                return Inside::Closed;
            };
            if batch.header().compression != Compression::None {
                *allowance = allowance.saturating_sub(decoded.body().len());
            }
            // Somebody else may have been first, with the same.
            drop(self.decoding.set(Ok(decoded)));
        }
        match self.decoding.get() {
            Some(Ok(decoded)) => Inside::Open(decoded),
            Some(Err(_)) | None => Inside::Closed,
        }
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
