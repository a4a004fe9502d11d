//! SHIM
pub mod orca;
