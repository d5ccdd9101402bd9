//! What can be wrong with a configuration.

use crate::ConsumerError;

/// The caller's configuration cannot work. Nothing has been started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A property that is needed is not set.
    #[error("{property} is not set: {advice}")]
    Missing {
        /// Kafka's name of the property.
        property: String,
        /// What to do.
        advice: String,
    },
    /// A value that cannot be used.
    #[error("{property} = {value:?} cannot be used: {advice}")]
    Invalid {
        /// Kafka's name of the property.
        property: String,
        /// The value as given.
        value: String,
        /// What to do.
        advice: String,
    },
    /// The consumer was built outside of a tokio runtime.
    #[error("a consumer needs a tokio runtime: build it inside #[tokio::main] or Runtime::enter")]
    NoRuntime,
}

impl ConfigError {
    pub(crate) fn missing(property: &str, advice: &str) -> Self {
        Self::Missing {
            property: property.to_owned(),
            advice: advice.to_owned(),
        }
    }

    pub(crate) fn invalid(property: &str, value: &str, advice: &str) -> Self {
        Self::Invalid {
            property: property.to_owned(),
            value: value.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

impl From<ConfigError> for ConsumerError {
    fn from(error: ConfigError) -> Self {
        Self::Config {
            detail: error.to_string(),
        }
    }
}
