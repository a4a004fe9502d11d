//! The conformance table of the shared cache: a row per clause of the RFCs that it holds to.
//!
//! A row is a test. Its name begins with the section (RFC 9111 where no other is named), its text is
//! what the origin answers, what the client asks and what both must see; [`script`] says how it is
//! written. Rows with the same keys under `cache` share one gateway and one origin, and each has a
//! path of its own, so that all of them run at once. Time passes by `Age` and `Date`, not by waiting.

mod script;
mod stage;

mod forwarded;
mod rfc5861;
mod rfc8246;
mod rfc9110;
mod rfc9111_authorization;
mod rfc9111_directives;
mod rfc9111_expires;
mod rfc9111_freshness;
mod rfc9111_invalidation;
mod rfc9111_requests;
mod rfc9111_storing;
mod rfc9111_validation;
mod rfc9111_vary;
mod rfc9211;
mod rfc9213;
mod rfc9875;
mod safety;

/// Rows in full: `name: "text"`, the text as [`script`] has it.
macro_rules! rows {
    ($($name:ident: $text:tt)*) => {
        $(
            #[test]
            fn $name() {
                crate::conformance::script::play(module_path!(), stringify!($name), $text);
            }
        )*
    };
}

/// Rows of one kind: the origin answers 200 with these fields, and the next GET is answered from the
/// store (`hit`), makes the origin being asked anew (`miss`), or asked whether it still holds (`asks`).
macro_rules! twice {
    ($($name:ident: $fields:literal => $then:ident)*) => {
        $(
            #[test]
            fn $name() {
                let text = concat!(
                    "< 200 | ", $fields, "\n> GET\n= miss\n< 200\n> GET\n= ", stringify!($then)
                );
                crate::conformance::script::play(module_path!(), stringify!($name), text);
            }
        )*
    };
}

use {rows, twice};
