//! Fetch responses in every division of their bytes.
