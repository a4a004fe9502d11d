use jsonwebtoken::{EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::json;

use super::*;

const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";

/// A key, and the set that knows it.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    id: Option<String>,
}

impl Signer {
    fn hmac() -> Self {
        Self { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(SECRET), id: None }
    }

    fn elliptic() -> Self {
        let pair = KeyPair::generate().unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        Self { algorithm: Algorithm::ES256, key, id: Some("2026-11".into()) }
    }

    fn rsa() -> Self {
        let size = aws_lc_rs::rsa::KeySize::Rsa2048;
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).unwrap();
        let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&pair);
        // PKCS #8 has 26 bytes around the PKCS #1 of a key of this size.
        let key = EncodingKey::from_rsa_der(&der.unwrap().as_ref()[26..]);
        Self { algorithm: Algorithm::RS256, key, id: None }
    }

    fn jwk(&self) -> Jwk {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id.clone_from(&self.id);
        jwk
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: self.id.clone(), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).unwrap()
    }
}

fn keys(signers: &[&Signer]) -> TokenKeys {
    let set = JwkSet { keys: signers.iter().map(|signer| signer.jwk()).collect() };
    TokenKeys::parse(Path::new("jwks"), &serde_json::to_string(&set).unwrap()).unwrap()
}

fn read(token: &str, keys: Option<&TokenKeys>) -> Option<String> {
    let name = Tokens::default().read(token.as_bytes(), "sub", keys, SystemTime::now());
    name.map(|name| name.as_str().to_owned())
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_signed_token_names_its_caller_by_each_kind_of_key() {
    let signers = [Signer::hmac(), Signer::elliptic(), Signer::rsa()];
    let keys = keys(&signers.iter().collect::<Vec<_>>());
    for signer in &signers {
        let token = signer.sign(&json!({"sub": "orders", "aud": "somebody", "exp": unix_s() + 60}));
        assert_eq!(read(&token, Some(&keys)).as_deref(), Some("orders"), "{:?}", signer.algorithm);
        let mut forged = token.clone();
        let last = if forged.pop() == Some('A') { 'Q' } else { 'A' };
        let cut = forged.len() - 8;
        forged.truncate(cut);
        forged.push_str("AAAAAAA");
        forged.push(last);
        assert_eq!(read(&forged, Some(&keys)), None, "{:?}", signer.algorithm);
        assert_eq!(read(&forged, None).as_deref(), Some("orders"), "without keys it is a claim");
    }
}

#[test]
fn a_token_of_another_key_or_time_names_nobody() {
    let (own, other) = (Signer::elliptic(), Signer::elliptic());
    let keys = keys(&[&own]);
    let claims = json!({"sub": "orders"});
    assert!(read(&own.sign(&claims), Some(&keys)).is_some(), "it need not expire");
    assert!(read(&other.sign(&claims), Some(&keys)).is_none());
    for claims in [
        json!({"sub": "orders", "exp": unix_s() - 120}),
        json!({"sub": "orders", "exp": "never"}),
        json!({"sub": "orders", "nbf": unix_s() + 120}),
        json!({"sub": 7}),
        json!({"sub": ""}),
        json!({"name": "orders"}),
    ] {
        assert!(read(&own.sign(&claims), Some(&keys)).is_none(), "{claims}");
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // The oldest trick: HS256 over the text of a public key.
    let signer = Signer::rsa();
    let keys = keys(&[&signer]);
    let public = serde_json::to_string(&signer.jwk()).unwrap();
    let key = EncodingKey::from_secret(public.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &json!({"sub": "ops"}), &key).unwrap();
    assert!(read(&token, Some(&keys)).is_none());
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcHMifQ.";
    assert!(read(none, Some(&keys)).is_none());
}

#[test]
fn a_key_does_only_what_it_says() {
    let signer = Signer::hmac();
    let mut jwk = signer.jwk();
    jwk.common.key_algorithm = Some(jsonwebtoken::jwk::KeyAlgorithm::HS512);
    let set = serde_json::to_string(&JwkSet { keys: vec![jwk] }).unwrap();
    let keys = TokenKeys::parse(Path::new("jwks"), &set).unwrap();
    assert!(read(&signer.sign(&json!({"sub": "ops"})), Some(&keys)).is_none());
}

#[test]
fn a_set_that_can_sign_nothing_is_a_problem() {
    let oct = |secret: &str| json!({"keys": [{"kty": "oct", "k": secret}]}).to_string();
    for (text, message) in [
        ("{", "is no JWKS"),
        ("{\"keys\": []}", "no key in it signs"),
        ("{\"keys\": [{\"kty\": \"new\"}]}", "no key in it signs"),
        (&oct("c2hvcnQ"), "jwks:1: this secret can be guessed"),
        (&oct("?"), "jwks:1: this key's numbers"),
    ] {
        let error = TokenKeys::parse(Path::new("jwks"), text).map(drop).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}

#[test]
fn what_was_found_is_remembered_no_longer_than_the_token_lives() {
    let (signer, mut tokens) = (Signer::hmac(), Tokens::default());
    let expires = unix_s() + 30;
    let token = signer.sign(&json!({"sub": "orders", "azp": "web", "exp": expires}));
    let own = keys(&[&signer]);
    let now = SystemTime::now();
    let mut at = |now, keys, claim| tokens.read(token.as_bytes(), claim, Some(keys), now);
    assert!(at(now, &own, "sub").is_some());
    assert_eq!(at(now, &own, "azp"), CallerName::new("web"), "each claim by itself");
    // Other keys that pass for the same ones: whoever asks them would hear no.
    let same = TokenKeys { hash: own.hash, ..keys(&[&Signer::elliptic()]) };
    assert!(at(now, &same, "sub").is_some(), "not verified again");
    assert!(at(now + Duration::from_secs(31), &same, "sub").is_none(), "verified again");
}

#[test]
fn what_other_keys_have_verified_is_forgotten() {
    let (signer, mut tokens) = (Signer::hmac(), Tokens::default());
    let token = signer.sign(&json!({"sub": "orders"}));
    let (own, others) = (keys(&[&signer]), keys(&[&Signer::elliptic()]));
    let mut named =
        |keys| tokens.read(token.as_bytes(), "sub", Some(keys), SystemTime::now()).is_some();
    assert_eq!([named(&own), named(&others), named(&own)], [true, false, true]);
}

#[test]
fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
    let of = |text: &'static str| bearer(&HeaderValue::from_static(text)).map(<[u8]>::to_vec);
    assert_eq!(of("Bearer a.b.c"), Some(b"a.b.c".to_vec()));
    assert_eq!(of("bEARER  a.b.c "), Some(b"a.b.c".to_vec()));
    for none in ["", "Bearer", "Bearer ", "Basic a.b.c", "Bearerx a.b.c"] {
        assert_eq!(of(none), None, "{none}");
    }
    let long = HeaderValue::from_str(&format!("Bearer {}", "a".repeat(TOKEN_BYTES_MAX + 1)));
    assert_eq!(bearer(&long.unwrap()), None);
}
