//! May an answer be stored, and may a stored one be served? RFC 9111 as a shared cache.
//!
//! Pure rules over header maps: [`assess`] turns an answer into [`Terms`] or says why it is not
//! stored, [`Terms::judge`] turns terms, an age and a request's [`Wishes`] into a [`Verdict`],
//! [`Vary`] tells variants apart, [`refresh`] applies a 304. The time is always handed in.
//!
//! Bounds: every number of seconds is capped at 2³¹ (RFC 9111 §1.2.2); nothing here grows but with
//! the header block it reads, which the listener and the upstream connection bound.

pub mod date;
mod directives;
mod groups;
mod head;
mod serving;
mod storing;
mod targeted;
mod time;
mod vary;

pub(crate) use date::parse as parse_date;
pub use directives::{Delta, Qualified, ResponseDirectives, Wishes};
pub use groups::{Labels, invalidated_groups, tag_fields};
pub use head::{refresh, storable_head};
pub use serving::{Reason, Stale, Verdict};
pub use storing::{NotStored, Received, Terms, assess};
pub(crate) use time::{Dated, date_field};
pub use time::{http_date, seconds_of};
pub use vary::Vary;

/// Nanoseconds of one second.
pub const SECOND_NS: u64 = 1_000_000_000;
