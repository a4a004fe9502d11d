use std::time::Duration;

use super::super::caller::Outcome;
use super::{Kind, Tally};

#[test]
fn the_line_says_what_happened_since_the_last_one() {
    let tally = Tally::default();
    let refused = |quota| Outcome::Refused { quota, after: Duration::ZERO };
    tally.record(Kind::Batch, &Outcome::Done { hit: false });
    let earlier = tally.counts();
    tally.record(Kind::Reads, &Outcome::Done { hit: false });
    for _ in 0..3 {
        tally.record(Kind::Batch, &Outcome::Done { hit: false });
        tally.record(Kind::Catalog, &Outcome::Done { hit: true });
    }
    tally.record(Kind::Catalog, &Outcome::Done { hit: false });
    tally.record(Kind::Batch, &refused(false));
    tally.record(Kind::Batch, &refused(true));
    tally.record(Kind::Catalog, &refused(false));
    tally.record(Kind::Functions, &refused(true));
    tally.record(Kind::Functions, &refused(true));
    tally.record(Kind::Reads, &Outcome::Failed);
    tally.put_off(12);
    let line = tally.counts().line(&earlier, Duration::from_millis(6_400), 1_234.5);
    assert_eq!(
        line,
        "   6s | reads 1 ok | mail 1234/s wanted: 3 admitted, 2 refused (429), 12 put off | \
         catalog 4 ok, 75% cache hits | functions 0 ok, 2 over quota (429) | other 429: 1, \
         failed: 1"
    );
}
