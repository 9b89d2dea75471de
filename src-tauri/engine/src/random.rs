//! Randomness, and the hashes by which random tokens are stored.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use relink_domain::{Secret, schedule::Jitter};
use sha2::{Digest, Sha256};
use uuid::Builder;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A random spread for what will fall due.
pub(crate) fn jitter() -> Jitter {
    // Without randomness nothing is spread, which only makes the load less even.
    getrandom::u64().map_or(Jitter::NONE, Jitter::from_bits)
}

/// 256 random bits as URL-safe text.
pub fn random_token() -> Result<Secret> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut())
        .map_err(|_| Error::conflict("no_randomness", "The system's random number generator failed."))?;
    Ok(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

/// A UUID (RFC 9562 §5.4) of 122 random bits.
pub(crate) fn random_uuid() -> Result<Secret> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    getrandom::fill(bytes.as_mut())
        .map_err(|_| Error::conflict("no_randomness", "The system's random number generator failed."))?;
    Ok(Secret::new(Builder::from_random_bytes(*bytes).into_uuid().to_string()))
}

/// SHA-256 of a token that callers present: the store keeps nothing else of it.
pub(crate) fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
