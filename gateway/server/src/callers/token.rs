//! Bearer tokens (RFC 6750) that are JWTs (RFC 7519): the claim in them that names the caller.
//!
//! With keys, a signature is verified (RFC 7515; by `HS`, `RS`, `PS`, `ES` and `EdDSA` as the key
//! allows, never as the token likes), and `exp` and `nbf` where they are there, with a minute's
//! leeway. Audience and issuer are not looked at: this says who calls, not what it may do; that is
//! the service's to decide. Without keys the claim is read as it stands, and is a name, no proof.
//!
//! A verification takes tens of microseconds, so each worker remembers what it has found, under the
//! SHA-256 of the token: [`TOKENS_MAX`] places of which a token may take one.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA256};
use http::HeaderValue;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::key_file::Keys;
use super::{CallerName, CallersError};

/// Bytes of a token at most; longer ones name nobody. Proxies cut fields off at 8 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Tokens that a worker remembers: those of the last minutes of most meshes; 100 bytes each.
pub const TOKENS_MAX: usize = 1024;

/// Keys at most; a set has two or three while they rotate.
const KEYS_MAX: usize = 64;

/// How long what was found of a token holds at most, so that nothing outlives a change for long.
const REMEMBERED: Duration = Duration::from_mins(5);

/// How long a token that names nobody is not looked at again.
const REFUSED: Duration = Duration::from_secs(10);

/// Shortest secret for HMAC, bytes: that of the hash (RFC 7518 §3.2).
const SECRET_BYTES_MIN: usize = 32;

/// The keys that sign tokens.
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    /// Of the text that they were read from: other keys have another.
    hash: u64,
}

struct TokenKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// What a worker knows of tokens.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Empty until the first token comes, then [`TOKENS_MAX`].
    places: Vec<Option<Known>>,
    /// Of the keys that they were verified with; 0: with none.
    keys: u64,
}

#[derive(Debug)]
struct Known {
    digest: [u8; 32],
    until: SystemTime,
    name: Option<CallerName>,
}

/// The token in an `Authorization` field.
pub fn bearer(field: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = field.as_bytes().split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && (1..=TOKEN_BYTES_MAX).contains(&token.len()))
        .then_some(token)
}

// === impl Tokens ===

impl Tokens {
    /// The name that a claim of this token gives; verified where there are keys. What other keys have
    /// verified is forgotten.
    pub fn read(
        &mut self,
        token: &[u8],
        claim: &str,
        keys: Option<&TokenKeys>,
        now: SystemTime,
    ) -> Option<CallerName> {
        let digest = digest_of(claim, token);
        // Eight bytes of the digest, of which the remainder takes ten bits.
        let place = digest[..8].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let of_keys = keys.map_or(0, |keys| keys.hash);
        if self.keys != of_keys {
            self.keys = of_keys;
            self.places.clear();
        }
        if self.places.is_empty() {
            self.places.resize_with(TOKENS_MAX, || None);
        }
        let place = &mut self.places[place % TOKENS_MAX];
        if let Some(known) = place.as_ref().filter(|k| k.digest == digest && now < k.until) {
            return known.name.clone();
        }
        let claims = match keys {
            Some(keys) => keys.verify(token),
            None => insecure_decode_claims(token).ok(),
        };
        let name = claims.as_ref().and_then(|claims| CallerName::new(claims.get(claim)?.as_str()?));
        let expires = claims.as_ref().and_then(|claims| claims.get("exp")?.as_u64());
        let expires = expires.and_then(|s| UNIX_EPOCH.checked_add(Duration::from_secs(s)));
        let until = now + if name.is_some() { REMEMBERED } else { REFUSED };
        let until = until.min(expires.unwrap_or(until).max(now));
        *place = Some(Known { digest, until, name: name.clone() });
        name
    }
}

/// Of a token and which of its claims is asked for.
fn digest_of(claim: &str, token: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(claim.as_bytes());
    context.update(&[0]);
    context.update(token);
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

// === impl TokenKeys ===

impl Keys for TokenKeys {
    const SETTING: &'static str = "callers.jwt_keys";

    /// A JWKS (RFC 7517). Keys for encryption and of unknown kinds are left out.
    fn parse(path: &Path, text: &str) -> Result<Self, CallersError> {
        let set: JwkSet = serde_json::from_str(text)
            .map_err(|source| CallersError::Jwks { path: path.to_owned(), source })?;
        let mut keys = Vec::new();
        for (index, jwk) in set.keys.iter().enumerate() {
            let unusable = |message| CallersError::Unusable {
                setting: Self::SETTING,
                path: path.to_owned(),
                place: index + 1,
                message,
            };
            let algorithms = algorithms(jwk);
            if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) || algorithms.is_empty()
            {
                continue;
            }
            let key = DecodingKey::from_jwk(jwk)
                .map_err(|_| unusable("this key's numbers are not base64url; take it anew"))?;
            if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_))
                && key.try_get_as_bytes().map_or(0, <[u8]>::len) < SECRET_BYTES_MIN
            {
                return Err(unusable("this secret can be guessed; take one of 32 bytes or more"));
            }
            keys.push(TokenKey { id: jwk.common.key_id.clone(), algorithms, key });
        }
        let unusable = |message| CallersError::Unusable {
            setting: Self::SETTING,
            path: path.to_owned(),
            place: set.keys.len(),
            message,
        };
        match keys.len() {
            0 => Err(unusable("no key in it signs by HS, RS, PS, ES or EdDSA")),
            1..=KEYS_MAX => Ok(Self { keys, hash: xxh3_64(text.as_bytes()) }),
            _ => Err(unusable("write at most 64 keys")),
        }
    }
}

impl TokenKeys {
    /// The claims of a token that one of the keys has signed and whose time it is.
    fn verify(&self, token: &[u8]) -> Option<Map<String, Value>> {
        let header = decode_header(token).ok()?;
        let fits = |key: &&TokenKey| {
            let same_id = match (&key.id, &header.kid) {
                (Some(own), Some(named)) => own == named,
                _ => true,
            };
            same_id && key.algorithms.contains(&header.alg)
        };
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_nbf = true;
        validation.validate_aud = false;
        let verified = |key: &TokenKey| decode(token, &key.key, &validation).ok();
        self.keys.iter().filter(fits).find_map(verified).map(|token| token.claims)
    }
}

/// What a key may verify: what it says, else what its kind can.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512};
    use Algorithm::{RS256, RS384, RS512};
    let can: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::OctetKey(_) => &[HS256, HS384, HS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[ES256],
            EllipticCurve::P384 => &[ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[EdDSA],
        _ => &[],
    };
    match jwk.common.key_algorithm.map(Algorithm::try_from) {
        None => can.to_vec(),
        Some(Ok(said)) => can.iter().copied().filter(|can| *can == said).collect(),
        Some(Err(_)) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
