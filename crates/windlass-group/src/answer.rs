//! An answer, taken for what its request asked for.

use windlass_machine::{FailureKind, RequestFailure};

use crate::outputs::Sent;

/// The response of this kind, or why it did not come; another kind is as good as none.
macro_rules! response_to {
    ($sent:expr, $answer:expr, $kind:ident) => {
        match $answer {
            Ok(windlass_protocol::ResponseKind::$kind(response)) => Ok(response),
            Ok(_) => Err($crate::answer::stray($sent)),
            Err(failure) => Err(failure),
        }
    };
}

pub(crate) use response_to;

pub(crate) fn stray(sent: &Sent) -> RequestFailure {
    let detail = format!(
        "the answer to {} was one to another API",
        sent.purpose.api()
    );
    RequestFailure::new(FailureKind::Undecodable, detail)
}
