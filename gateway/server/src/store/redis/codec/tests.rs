use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What version 1 looks like: written once, read for ever.
const GOLDEN: &[u8] = include_bytes!("golden_v1.bin");

fn entry() -> Entry {
    let mut head = HeaderMap::new();
    head.append("content-type", HeaderValue::from_static("text/plain"));
    head.append("link", HeaderValue::from_static("</a>"));
    head.append("link", HeaderValue::from_bytes(b"</\xe4>").unwrap());
    Entry {
        mark: Mark { id: 0x10_0000_0000_0001, seq: 42 },
        age_ms: 1500,
        kept_ms: 60_000,
        route: "items".into(),
        key: b"http\nitems.internal\n/a?b=c\n"[..].into(),
        values: b"=de\n"[..].into(),
        status: StatusCode::OK,
        own_tag: true,
        head,
        body: Bytes::from_static(b"hello"),
    }
}

#[test]
fn version_1_stays_as_it_is() {
    let stored = Stored::Answer(Box::new(entry()));
    assert_eq!(encode(&stored).as_deref(), Some(GOLDEN), "a new layout is a new version");
    assert_eq!(decode(GOLDEN), Some(stored));
}

#[test]
fn what_is_not_whole_is_a_miss() {
    for length in 0..GOLDEN.len() {
        assert_eq!(decode(&GOLDEN[..length]), None, "cut off at {length}");
    }
    for at in 0..GOLDEN.len() {
        let mut damaged = GOLDEN.to_vec();
        damaged[at] ^= 0x20;
        assert_eq!(decode(&damaged), None, "damaged at {at}");
    }
}

/// With a sum that is right for what stands before it.
fn signed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
    bytes
}

#[test]
fn another_version_or_kind_is_a_miss() {
    let body = &GOLDEN[..GOLDEN.len() - SUM_BYTES];
    for (at, value) in [(3, VERSION + 1), (3, 0), (4, 0), (4, 9)] {
        let mut other = body.to_vec();
        other[at] = value;
        assert_eq!(decode(&signed(other)), None, "byte {at} is {value}");
    }
    assert!(decode(&signed(body.to_vec())).is_some());
    assert_eq!(decode(&signed([body, b"more"].concat())), None, "bytes after the end");
}

#[test]
fn what_is_too_large_is_not_written() {
    let of = |bytes: usize| {
        encode(&Stored::Answer(Box::new(Entry { body: vec![0; bytes].into(), ..entry() })))
    };
    assert!(of(ENTRY_BYTES_MAX - 512).is_some());
    assert!(of(ENTRY_BYTES_MAX).is_none());
}

fn any_head() -> impl Strategy<Value = HeaderMap> {
    vec(("[a-z][a-z0-9-]{0,20}", vec(0x20_u8..0x7f, 0..40)), 0..20).prop_map(|fields| {
        let mut head = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            head.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        head
    })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    let bytes = (vec(any::<u8>(), 0..100), vec(any::<u8>(), 0..50), vec(any::<u8>(), 0..2000));
    (numbers, "[a-z-]{0,30}", bytes, 100_u16..1000, any::<bool>(), any_head()).prop_map(
        |((id, seq, age_ms, kept_ms), route, (key, values, body), status, own_tag, head)| Entry {
            mark: Mark { id, seq },
            age_ms,
            kept_ms,
            route: route.into(),
            key: key.into(),
            values: values.into(),
            status: StatusCode::from_u16(status).unwrap(),
            own_tag,
            head,
            body: body.into(),
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(entry in any_entry()) {
        let stored = Stored::Answer(Box::new(entry));
        let bytes = encode(&stored).expect("small");
        prop_assert_eq!(decode(&bytes), Some(stored));
    }

    #[test]
    fn names_that_select_are_read(names in "[a-z,-]{0,200}") {
        let stored = Stored::Vary(names.into());
        let bytes = encode(&stored).expect("small");
        prop_assert_eq!(decode(&bytes), Some(stored));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..500), kind in 1_u8..=2) {
        let _ = decode(&bytes);
        // The same behind a right beginning and a right sum, so that the fields are read.
        let written = signed([&b"SMN\x01"[..], &[kind], &bytes].concat());
        let _ = decode(&written);
    }
}
