//! The fuzz targets of the codec: what each does with its input is in [`reader`].

pub mod reader;

pub use reader::*;
