//! Golden bytes and refusals of the primitive values.
