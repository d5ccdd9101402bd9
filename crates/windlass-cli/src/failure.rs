//! How the program ends when something went wrong.

use std::fmt;
use std::process::ExitCode;

use windlass::{ConfigError, ConsumerError};

/// Why a verb gave up: a sentence for a person, and an exit code for a script.
///
/// 0: nobody reads the output any more, which is how `windlass … | head` ends; 1: it did not work;
/// 2: the command line or the configuration is wrong (as clap has it).
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 1,
        }
    }

    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            code: 2,
        }
    }

    /// Nobody reads the output any more.
    pub(crate) fn unread() -> Self {
        Self {
            text: "nobody reads the output".to_owned(),
            code: 0,
        }
    }

    #[expect(
        clippy::print_stderr,
        reason = "this is where the program speaks to a person"
    )]
    pub(crate) fn report(&self) -> ExitCode {
        if self.code != 0 {
            eprintln!("windlass: {}", self.text);
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ConsumerError> for Failure {
    fn from(error: ConsumerError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}
