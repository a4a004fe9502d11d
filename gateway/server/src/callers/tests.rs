use http::HeaderMap;

use super::*;

/// What a call shows: everything, unless taken away.
struct Shown {
    headers: HeaderMap,
    certificate: CertificateNames,
    address: HeaderValue,
    proxied: bool,
    tokens: RefCell<Tokens>,
    clock: Clock,
}

impl Shown {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-service", HeaderValue::from_static("orders"));
        headers.insert("x-api-key", HeaderValue::from_static("s3cret"));
        // {"alg":"HS256"}.{"sub":"billing"}. and no signature.
        let token = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJiaWxsaW5nIn0.AA";
        headers.insert("authorization", HeaderValue::from_static(token));
        Self {
            headers,
            certificate: CertificateNames {
                subject: CallerName::new("search"),
                alternative: CallerName::new("spiffe://mesh/search"),
            },
            address: HeaderValue::from_static("10.0.0.7"),
            proxied: true,
            tokens: RefCell::default(),
            clock: Clock::start(),
        }
    }

    fn of(&self, callers: &Callers) -> Option<Identity> {
        callers.identify(&Signs {
            headers: &self.headers,
            certificate: Some(&self.certificate),
            address: &self.address,
            proxied: self.proxied,
            tokens: &self.tokens,
            clock: &self.clock,
        })
    }
}

const HEADER: CallerSource = CallerSource::Header(HeaderName::from_static("x-service"));
const API_KEY: CallerSource = CallerSource::ApiKey(HeaderName::from_static("x-api-key"));

fn jwt() -> CallerSource {
    CallerSource::Jwt("sub".into())
}

fn callers(by: &[CallerSource]) -> Callers {
    Callers::new(&CallersSettings { by: by.to_vec(), ..CallersSettings::default() }).unwrap()
}

fn name(identity: Option<Identity>) -> Option<String> {
    Some(identity?.name?.as_str().to_owned())
}

#[test]
fn each_source_names_its_caller() {
    for (source, wanted) in [
        (HEADER, Some("orders")),
        (CallerSource::MtlsSubject, Some("search")),
        (CallerSource::MtlsSan, Some("spiffe://mesh/search")),
        (jwt(), Some("billing")),
        (CallerSource::Peer, Some("10.0.0.7")),
        (API_KEY, None),
    ] {
        let found = Shown::new().of(&callers(std::slice::from_ref(&source)));
        assert!(found.is_some(), "{source}");
        assert_eq!(name(found).as_deref(), wanted, "{source}");
    }
}

#[test]
fn the_first_source_that_says_anything_wins() {
    let both = callers(&[HEADER, CallerSource::MtlsSubject]);
    let mut shown = Shown::new();
    assert_eq!(name(shown.of(&both)).as_deref(), Some("orders"));
    shown.headers.remove("x-service");
    assert_eq!(name(shown.of(&both)).as_deref(), Some("search"));
    shown.certificate.subject = None;
    assert!(shown.of(&both).is_none());
    assert!(shown.of(&callers(&[])).is_none());
}

#[test]
fn a_stranger_claims_nothing_unless_anyone_is_believed() {
    let stranger = Shown { proxied: false, ..Shown::new() };
    for claim in [HEADER, jwt(), API_KEY] {
        assert!(stranger.of(&callers(std::slice::from_ref(&claim))).is_none(), "{claim}");
        let anyone = CallersSettings {
            by: vec![claim.clone()],
            believe: Believe::Anyone,
            may_raise: vec!["orders".into(), "billing".into()],
            ..CallersSettings::default()
        };
        let anyone = Callers::new(&anyone).unwrap();
        let found = stranger.of(&anyone).unwrap();
        assert!(!found.proven && !anyone.may_raise(&found), "{claim}");
    }
    for proof in [CallerSource::MtlsSubject, CallerSource::MtlsSan, CallerSource::Peer] {
        assert!(stranger.of(&callers(&[proof])).unwrap().proven);
    }
}

#[test]
fn only_who_is_listed_and_proven_may_raise() {
    let settings = CallersSettings {
        by: vec![HEADER],
        may_raise: vec!["ops".into()],
        ..CallersSettings::default()
    };
    let callers = Callers::new(&settings).unwrap();
    let mut shown = Shown::new();
    assert!(!callers.may_raise(&shown.of(&callers).unwrap()));
    shown.headers.insert("x-service", HeaderValue::from_static("ops"));
    assert!(callers.may_raise(&shown.of(&callers).unwrap()));
}

#[test]
fn what_is_ambiguous_or_no_name_tells_nobody() {
    let callers = callers(&[HEADER]);
    for value in ["", "caf\u{e9}", "tab\there"] {
        let mut shown = Shown::new();
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else { continue };
        shown.headers.insert("x-service", value);
        assert!(shown.of(&callers).is_none());
    }
    let mut shown = Shown::new();
    let long = HeaderValue::from_str(&"a".repeat(NAME_BYTES_MAX)).unwrap();
    shown.headers.insert("x-service", long);
    assert!(shown.of(&callers).is_some());
    let longer = HeaderValue::from_str(&"a".repeat(NAME_BYTES_MAX + 1)).unwrap();
    shown.headers.insert("x-service", longer);
    assert!(shown.of(&callers).is_none());
    let mut shown = Shown::new();
    shown.headers.append("x-service", HeaderValue::from_static("another"));
    assert!(shown.of(&callers).is_none(), "of two nobody knows which the proxy wrote");
}

#[test]
fn the_hash_is_the_callers_the_sources_and_the_processes() {
    let (one, other) = (callers(&[HEADER]), callers(&[HEADER]));
    let shown = Shown::new();
    let hash = |callers: &Callers| shown.of(callers).unwrap().hash;
    assert_eq!(hash(&one), hash(&one));
    assert_ne!(hash(&one), hash(&other), "each process draws its key");
    let mut shown = Shown::new();
    shown.certificate.subject = CallerName::new("orders");
    let both = Callers {
        settings: CallersSettings { by: vec![CallerSource::MtlsSubject], ..one.settings.clone() },
        key: one.key.clone(),
        token_keys: None,
        api_keys: None,
        asked: Notify::new(),
    };
    let found = shown.of(&both).unwrap();
    assert_eq!(found.name, CallerName::new("orders"));
    assert_ne!(found.hash, hash(&one), "a header is not a certificate");
}
