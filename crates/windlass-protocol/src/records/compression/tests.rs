//! Codecs: round trips, bombs, mutations.
