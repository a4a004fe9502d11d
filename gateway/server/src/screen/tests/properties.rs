//! Random streams: no panic, no dependence on how the bytes are split, nothing handed on too far.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{HeadLimits, Screen};

/// Pieces that make streams which get far before they go wrong, or never do.
const PIECES: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.1\r\nHost: a\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204 \r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 \r\n",
    b"Host: a\r\n",
    b"X: y\tz\r\n",
    b"X_Y: a\r\n",
    b"Content-Length: 4\r\n",
    b"Content-Length: 4\r\n\r\nabcd",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n",
    b"\r\n4;a=\"b\\\"\";c=d\r\nabcd\r\n",
    b"0\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"abcd",
    b"\n",
    b"\r",
    b" ",
    b":",
    b"\0",
    b"\xff",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => select(PIECES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 1..4),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(piece(), 0..12).prop_map(|pieces| pieces.concat()),
        1 => vec(any::<u8>(), 0..200),
    ]
}

fn limits() -> impl Strategy<Value = HeadLimits> {
    prop_oneof![
        2 => Just(HeadLimits::default()),
        1 => (0_usize..120, 0_usize..5)
            .prop_map(|(head_bytes_max, headers_max)| HeadLimits { head_bytes_max, headers_max }),
    ]
}

/// Compares the stream as a whole with the stream in pieces, on fresh screens.
fn check(new: &dyn Fn() -> Screen, stream: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let whole = new().feed([stream]);
    let single = new().feed(stream.chunks(1));
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let cut = new().feed(places.windows(2).map(|pair| &stream[pair[0]..pair[1]]));
    prop_assert_eq!(cut.fault, whole.fault);
    prop_assert_eq!(single.fault, whole.fault);
    prop_assert!(whole.handed_on <= cut.handed_on && cut.handed_on <= single.handed_on);
    prop_assert_eq!(new().feed([&stream[..single.handed_on]]).fault, None);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn request_verdicts_do_not_depend_on_splits(
        stream in stream(),
        cuts in vec(any::<Index>(), 0..6),
        limits in limits(),
    ) {
        check(&|| Screen::request(limits), &stream, &cuts)?;
    }

    #[test]
    fn response_verdicts_do_not_depend_on_splits(
        stream in stream(),
        cuts in vec(any::<Index>(), 0..6),
        limits in limits(),
        method in select(&["GET", "HEAD"]),
    ) {
        check(&|| Screen::response(limits, method), &stream, &cuts)?;
    }
}
