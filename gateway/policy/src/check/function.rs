//! The pool and the functions that share it.

use crate::policy::Pool;
use crate::raw::{Fields, Located, Place};
use crate::units::Name;

/// A function whose upstream is still a name.
pub(super) struct FunctionDraft {
    pub name: Name,
    pub upstream: Located<String>,
    pub reserved: Option<Located<u32>>,
}

pub(super) fn draft(name: Name, _: &Place, fields: &Fields<'_>) -> Option<FunctionDraft> {
    let upstream = fields.text("upstream").map(Located::owned);
    let reserved = fields.whole("reserved");
    Some(FunctionDraft { name, upstream: upstream?, reserved })
}

pub(super) fn pool(fields: &Fields<'_>) -> Option<Pool> {
    let default = Pool::default();
    let total = fields.whole("total");
    let least = fields.whole("unreserved_min");
    let total_bad = total.is_none() && fields.place_of("total").is_some();
    let total = total.map_or(default.total, |total| total.value);
    if let Some(least) = least.as_ref().filter(|least| !total_bad && least.value > total) {
        let message =
            format!("`unreserved_min` is {}, more than the pool's total of {total}", least.value);
        fields.findings.add(&least.place, message, format!("write 0 to {total}"));
        return None;
    }
    let unreserved_min = least.map_or(default.unreserved_min.min(total), |least| least.value);
    (!total_bad).then_some(Pool { total, unreserved_min })
}
