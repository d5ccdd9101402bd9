//! Record batches: golden bytes, round trips, mutations.
