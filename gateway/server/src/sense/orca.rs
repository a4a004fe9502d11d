//! SHIM
pub fn take(_: &mut http::HeaderMap) -> Option<sumun_engine::Reading> {
    None
}
