//! What old forms say, and what they cannot say.
