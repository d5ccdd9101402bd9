//! Identities inside a consumer group.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

macro_rules! text_identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(Arc::from(text))
            }

            /// The identity as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_identity!(
    /// The name of a consumer group (`group.id`).
    GroupId
);

text_identity!(
    /// The id a member has inside its group: given by the coordinator in the classic protocol, made
    /// by the member itself in the `consumer` protocol (KIP-848).
    MemberId
);

text_identity!(
    /// The lasting identity of a static member (`group.instance.id`, KIP-345).
    GroupInstanceId
);

impl MemberId {
    /// Whether no id has been given yet (the wire's empty string).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for MemberId {
    fn default() -> Self {
        Self::new("")
    }
}

/// The count of completed joins of a classic group. The wire's −1 ("no generation") is `None` of an
/// `Option<Generation>` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(i32);

impl Generation {
    /// Reads the wire's number; every negative one means there is none.
    #[must_use]
    pub const fn from_wire(generation: i32) -> Option<Self> {
        if generation < 0 {
            None
        } else {
            Some(Self(generation))
        }
    }

    /// The wire's number for a maybe absent generation: −1 where there is none.
    #[must_use]
    pub const fn to_wire(generation: Option<Self>) -> i32 {
        match generation {
            Some(generation) => generation.0,
            None => -1,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
