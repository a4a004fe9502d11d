use super::*;

const FORWARDED: [Forwarded; 8] = [
    Forwarded::Bypass(Bypassed::Body),
    Forwarded::Bypass(Bypassed::Precondition),
    Forwarded::Method,
    Forwarded::UriMiss,
    Forwarded::VaryMiss,
    Forwarded::Request,
    Forwarded::Stale,
    Forwarded::Partial,
];

/// Everything that there is to say.
fn all() -> Vec<Status> {
    let ttl = -3;
    let mut all = vec![Status::Hit { ttl: 42 }, Status::SharedHit { ttl: 42 }];
    all.extend([WHILE_REVALIDATE, IF_SHED].map(|detail| Status::Stale { ttl, detail }));
    for (failed, collapsed) in [(None, false), (None, true), (Some(StatusCode::BAD_GATEWAY), false)]
    {
        all.push(Status::StandIn { ttl, failed, collapsed });
    }
    for why in FORWARDED {
        all.extend([
            Status::Collapsed(why),
            Status::Forwarded(why),
            Status::Head(why),
            Status::Stored(why),
            Status::Storing(why),
            Status::Validated(why, None),
            Status::Validated(why, Some(OTHER_TAG)),
        ]);
        all.extend(NotStored::ALL.map(|refused| Status::NotStored(why, refused)));
    }
    all
}

#[test]
fn the_field_and_the_trace_say_the_same() {
    for status in all() {
        let value = status.value();
        let text = value.to_str().expect("ASCII");
        let mut members = text.split("; ");
        assert_eq!(members.next(), Some("sumun"), "{text}");
        let parameters: Vec<(&str, Option<&str>)> = members
            .map(|member| member.split_once('=').map_or((member, None), |(n, v)| (n, Some(v))))
            .collect();
        let one = |name: &str| {
            let mut found = parameters.iter().filter(|(known, _)| *known == name);
            let first = found.next().copied();
            assert!(found.next().is_none(), "{text}: {name} twice");
            first
        };
        let Outcome { fwd, detail, .. } = status.outcome(CacheResult::Miss);
        // RFC 9211 §2.1: either the one or the other.
        assert_ne!(one("hit").is_some(), one("fwd").is_some(), "{text}");
        assert_eq!(one("fwd").and_then(|(_, value)| value), fwd, "{text}");
        // Stored, or why not: never both.
        let said = one("detail").and_then(|(_, value)| value);
        assert!(said.is_none() || one("stored").is_none(), "{text}");
        assert_eq!(said.or(one("stored").map(|(name, _)| name)), detail, "{text}");
    }
}

#[test]
fn no_two_reasons_share_a_word() {
    let mut words =
        vec![WHILE_REVALIDATE, IF_ERROR, IF_SHED, SHARED, HEAD, OTHER_TAG, STORED, STORING];
    words.extend(NotStored::ALL.map(NotStored::as_str));
    words.extend([Bypassed::Body, Bypassed::Precondition].map(Bypassed::as_str));
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    // Tokens of RFC 9651 §3.3.4, which need no quotes.
    assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
}
