//! Integration tests.

mod deploy;
mod tidy;
