//! The program against the embedded broker, over TCP.

mod consume;
mod scene;
