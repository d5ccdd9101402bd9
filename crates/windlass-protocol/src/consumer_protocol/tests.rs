//! Consumer protocol payloads: golden bytes, tolerance, round trips.
