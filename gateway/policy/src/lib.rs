//! What operators write: policy files, parsed, checked and meant.
//!
//! Pure data, no IO. A folder of YAML texts goes in; either a [`Policy`] whose types cannot hold
//! an invalid one comes out, or every [`Problem`] found in it, each with its place and its remedy.
//!
//! ```
//! let text = "\
//! version: 1
//! upstreams:
//!   mailbox: { endpoints: [http://127.0.0.1:9101] }
//! routes:
//!   mail-read:
//!     match: { path: /mail/read/** }
//!     upstream: mailbx
//! ";
//! let (policy, problems) = sumun_policy::check(&[("mail.yaml".to_owned(), text.to_owned())]);
//! assert!(policy.is_none());
//! assert_eq!(problems[0].to_string(), "mail.yaml:7:15: there is no upstream `mailbx`");
//! assert_eq!(problems[0].help, "did you mean `mailbox`?");
//! ```

#![forbid(unsafe_code)]

mod check;
mod diff;
mod point;
pub mod policy;
pub mod problem;
mod raw;
mod schema;
pub mod units;

pub use check::{FILES_MAX, FOLDER_BYTES_MAX, check, check_beside};
pub use diff::diff;
pub use point::problem_at;
pub use policy::Policy;
pub use problem::Problem;
pub use raw::{FILE_BYTES_MAX, NotYaml};
pub use schema::schema;
