//! The screens against the corpora, against random bytes and against hyper.

#[path = "../../../../tests/data/corpus.rs"]
mod corpus;

mod agreement;
mod octets;
mod properties;
mod table;

use super::{HeadLimits, Malformed, Part, RequestScreen, ResponseScreen, Violation};

/// Either screen, so that a test can say a thing once.
#[derive(Debug)]
enum Screen {
    Request(RequestScreen),
    Response(ResponseScreen),
}

/// What a whole stream came to: where its good part ended, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verdict {
    handed_on: usize,
    fault: Option<(Malformed, Part)>,
}

impl Screen {
    fn request(limits: HeadLimits) -> Self {
        Self::Request(RequestScreen::new(limits))
    }

    fn response(limits: HeadLimits, method: &str) -> Self {
        let mut screen = ResponseScreen::new(limits);
        screen.expect(method == "HEAD");
        Self::Response(screen)
    }

    fn watch(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        match self {
            Self::Request(screen) => screen.watch(bytes),
            Self::Response(screen) => screen.watch(bytes),
        }
    }

    /// Feeds the pieces until the first fault, and then checks that the screen stays closed.
    fn feed<'a>(mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let mut handed_on = 0;
        for piece in pieces {
            match self.watch(piece) {
                Ok(()) => handed_on += piece.len(),
                Err(violation) => {
                    let Violation { valid, kind, part } = violation;
                    assert!(valid <= piece.len(), "{valid} of {} bytes", piece.len());
                    let again = self.watch(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert_eq!(again, Err(Violation { valid: 0, kind, part }));
                    return Verdict { handed_on: handed_on + valid, fault: Some((kind, part)) };
                }
            }
        }
        Verdict { handed_on, fault: None }
    }
}

/// Where a stream is cut in two. Each place, but in long streams (which repeat one byte) only each
/// near the ends and some between.
fn split_points(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).filter(move |at| len <= 2048 || *at < 64 || *at + 64 > len || at % 1021 == 0)
}
